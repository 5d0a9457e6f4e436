package wire

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Principal is a Kerberos name, RFC 4120 §6.2. Two principals are the same when
// realm and components are; the name type does not count.
type Principal struct {
	Components []string
	Realm      string
	NameType   int32
}

// String writes the name as MIT Kerberos does: components joined by "/", then
// "@" and the realm; "/", "@" and "\" inside a part are escaped by "\".
func (p Principal) String() string {
	escape := strings.NewReplacer(`\`, `\\`, `/`, `\/`, `@`, `\@`)
	parts := make([]string, len(p.Components))
	for i, c := range p.Components {
		parts[i] = escape.Replace(c)
	}
	return strings.Join(parts, "/") + "@" + escape.Replace(p.Realm)
}

// Equal reports whether two principals are the same name in the same realm.
func (p Principal) Equal(q Principal) bool {
	if p.Realm != q.Realm || len(p.Components) != len(q.Components) {
		return false
	}
	for i, c := range p.Components {
		if c != q.Components[i] {
			return false
		}
	}
	return true
}

// Bounds of names. AD's longest is 256 characters, a realm 255.
const (
	maxName       = 512 // bytes of a realm or a component
	maxComponents = 8
)

var errName = errors.New("a name is empty, too long, not UTF-8 or holds control characters")

// CheckName refuses a realm or component that could not be stored or shown as
// it is: empty, too long, not UTF-8, or with control characters (NUL included).
func CheckName(s string) error {
	if s == "" || len(s) > maxName || !utf8.ValidString(s) {
		return errName
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return errName
		}
	}
	return nil
}
