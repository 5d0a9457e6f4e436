package forwardauth

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"idp/internal/forwardauth/sites"
	"idp/internal/reason"
	"idp/internal/store"
)

// identity is somebody whom a request is let in for.
type identity struct {
	user     *store.User
	amr      []string
	acr      string
	authTime store.Millis
	session  *store.Session // nil: a program that showed a credential
	grant    string
}

// tell puts into our answer what the site is to be told.
func (f *ForwardAuth) tell(h http.Header, s *sites.Site, who *identity) error {
	if !carriable(who.user.Name) {
		return refusal{reason.SiteName, "the name has control characters, or spaces at an end"}
	}
	groups := s.Told(who.user.Groups)
	for _, one := range s.Headers.Named() {
		value := ""
		switch one.Key {
		case "user":
			value = who.user.Name
		case "name":
			value = line(who.user.FullName)
		case "email":
			value = line(who.user.Email)
		case "groups":
			value = joined(groups)
		case "assertion":
			if one.Name == "" {
				continue
			}
			signed, err := f.assertion(s, who, groups)
			if err != nil {
				return err
			}
			value = signed
		}
		if one.Name != "" && value != "" {
			h.Set(one.Name, value)
		}
	}
	return nil
}

// carriable: a header gives the text back as it is (RFC 9110 §5.5). Whoever it names
// must not become another on the way.
func carriable(name string) bool {
	return name != "" && utf8.ValidString(name) && strings.TrimSpace(name) == name && !strings.ContainsFunc(name, unicode.IsControl)
}

// line is a text for people: in a header, what it cannot carry is left out.
func line(text string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == utf8.RuneError {
			return -1
		}
		return c
	}, text))
}

// joined groups are separated by commas. A group with one in its name would read as two
// others: it is only in the assertion.
func joined(groups []string) string {
	var kept []string
	for _, g := range groups {
		if carriable(g) && !strings.Contains(g, ",") {
			kept = append(kept, g)
		}
	}
	return strings.Join(kept, ",")
}
