package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"idp/internal/store"
)

// elsewhere are claims that idp itself makes use of: where they are said instead.
var elsewhere = map[string]string{
	"name": "--name says it", "email": "--email says it", "email_verified": "people of the file have it, by email_verified",
	"groups": "--group says it", "preferred_username": "it is the user's name", "sub": "idp makes it", "updated_at": "idp keeps it",
}

// SetClaims sets claims written as name=value, members of the address as
// address.country=FR: what `claims` of the file's users takes, and with what it says.
// An empty value takes one away, where there may be any to take (change). What values
// must look like is for package user. Every problem at once.
func SetClaims(c *store.UserClaims, pairs []string, change bool) error {
	var problems []error
	seen := map[string]bool{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		var err error
		switch {
		case !ok || !utf8.ValidString(pair):
			err = fmt.Errorf("%q: want name=value", pair)
		case seen[name]:
			err = fmt.Errorf("%s: is there twice", name)
		case value == "" && !change:
			err = fmt.Errorf("%s: is empty; leave it out", name)
		default:
			seen[name] = true
			err = setClaim(reflect.ValueOf(c).Elem(), name, name, value)
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// setClaim sets the field of v that a name leads to; full is the name for messages.
func setClaim(v reflect.Value, full, name, value string) error {
	fields := fieldsOf(v.Type())
	name, member, inside := strings.Cut(name, ".")
	i, known := fields[name]
	if !known {
		hint := suggest(name, fields)
		if nearest(name, fields) == "" && elsewhere[nearest(full, elsewhere)] != "" {
			hint = elsewhere[nearest(full, elsewhere)]
		}
		return fmt.Errorf("%s: unknown claim (%s)", full, hint)
	}
	field := v.Field(i)
	switch field.Kind() {
	case reflect.Struct:
		if !inside {
			return fmt.Errorf("%s: has members: %s.country=FR, %s.locality=Paris …", full, full, full)
		}
		return setClaim(field, full, member, value)
	case reflect.Bool:
		if value != "true" && value != "false" && value != "" {
			return fmt.Errorf("%s: wants true or false", full)
		}
		field.SetBool(value == "true")
	default:
		field.SetString(value)
	}
	if inside {
		return fmt.Errorf("%s: %s has no members", full, name)
	}
	return nil
}
