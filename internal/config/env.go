package config

import (
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// environment sets scalars from IDP_SECTION_KEY. A variable that names no
// scalar is a problem: a typing error must not go unseen.
func (c *Config) environment(environ []string) Problems {
	c.fromEnv = map[string]bool{}
	scalars := map[string]reflect.Value{}
	collect("IDP", reflect.ValueOf(c).Elem(), scalars)
	var out Problems
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "IDP_") {
			continue
		}
		v, ok := scalars[name]
		if !ok {
			out = append(out, Problem{Key: name, Text: "no such setting", Hint: "environment variables are IDP_ and the key, sections joined by _: IDP_KERBEROS_FALLBACK"})
			continue
		}
		c.fromEnv[name] = true
		c.HasKerberos = c.HasKerberos || strings.HasPrefix(name, "IDP_KERBEROS_")
		if err := setText(v, value); err != nil {
			out = append(out, Problem{Key: name, Text: "wants " + wanted(v), Hint: hintFor(v)})
		}
	}
	return out
}

func collect(prefix string, v reflect.Value, into map[string]reflect.Value) {
	for name, i := range fieldsOf(v.Type()) {
		f := v.Field(i)
		full := prefix + "_" + strings.ToUpper(name)
		_, isText := f.Addr().Interface().(encoding.TextUnmarshaler)
		switch {
		case isText, f.Kind() == reflect.String, f.Kind() == reflect.Bool, f.Kind() == reflect.Int:
			into[full] = f
		case f.Kind() == reflect.Struct:
			collect(full, f, into)
		}
	}
}

func setText(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return err
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(n))
	}
	return nil
}
