package directory

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// reader knows where a directory keeps what.
type reader struct {
	Attributes
	kind      string
	base      string
	people    string // the filter for them
	principal string // the attribute that holds whole principals
	groups    groupNames
	seconds   int // what a server may take for one search
}

func newReader(c Config) reader {
	r := reader{kind: c.Type, base: c.Base, seconds: max(1, int(time.Duration(c.Timeout).Seconds())), groups: newGroupNames(c)}
	d := Attributes{Login: "uid", Name: "displayName", Email: "mail"}
	people := "(|(objectClass=person)(objectClass=posixAccount))"
	r.principal = "krbPrincipalName"
	if c.Type == typeAD {
		d.Login, r.principal = "sAMAccountName", "userPrincipalName"
		people = "(objectCategory=person)(objectClass=user)"
	}
	r.people = cmp.Or(c.Filter, people)
	r.Login, r.Name, r.Email = cmp.Or(c.Attributes.Login, d.Login), cmp.Or(c.Attributes.Name, d.Name), cmp.Or(c.Attributes.Email, d.Email)
	return r
}

// search asks for entries below the base, at most limit of them (0: no limit).
func (r reader) search(c *conn, base string, scope, limit int, filter string, attributes ...string) ([]*ldap.Entry, error) {
	found, err := c.Search(ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, limit, r.seconds, false, filter, attributes, nil))
	if err != nil {
		return nil, err
	}
	return found.Entries, nil
}

// person finds the one entry of an account and reads it.
func (r reader) person(c *conn, a Account, now time.Time) (*Person, error) {
	filter, ok := r.accountFilter(a)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrAbsent, "it is none that can be looked for")
	}
	wanted := append([]string{r.Login, r.principal, r.Name, "displayName", "cn", r.Email, "objectSid"}, r.standing()...)
	entries, err := r.search(c, r.base, ldap.ScopeWholeSubtree, 2, filter, wanted...)
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) || len(entries) > 1:
		return nil, fmt.Errorf("%w: %s finds more than one below %s", ErrAmbiguous, filter, r.base)
	case err != nil:
		return nil, err
	case len(entries) == 0 || !r.same(entries[0], a):
		return nil, fmt.Errorf("%w: %s finds none below %s", ErrAbsent, filter, r.base)
	}
	e := entries[0]
	p := &Person{DN: e.DN, Email: e.GetEqualFoldAttributeValue(r.Email), Disabled: r.disabled(e, now),
		FullName: cmp.Or(e.GetEqualFoldAttributeValue(r.Name), e.GetEqualFoldAttributeValue("displayName"), e.GetEqualFoldAttributeValue("cn"))}
	p.FullName, p.Email = usable(p.FullName), usable(p.Email)
	if r.groups.told {
		if p.Groups, err = r.groupsOf(c, p.DN, e.GetEqualFoldAttributeValue(r.Login)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// usable is a text of the directory, or nothing where it is none to be told.
func usable(text string) string {
	if text = strings.TrimSpace(text); len(text) > 256 || !printable(text) {
		return ""
	}
	return text
}

// same reports whether an entry is that of the account. Directories compare names
// without case, accents and width (RFC 4518), so that "ALICE", another person where a
// realm tells them apart, would find alice.
func (r reader) same(e *ldap.Entry, a Account) bool {
	if a.SID != "" {
		return sidText(e.GetEqualFoldRawAttributeValue("objectSid")) == a.SID
	}
	is := strings.EqualFold
	if a.Exact {
		is = func(a, b string) bool { return a == b }
	}
	for _, v := range e.GetEqualFoldAttributeValues(r.Login) {
		if is(v, a.Name) {
			return true
		}
	}
	for _, v := range e.GetEqualFoldAttributeValues(r.principal) {
		if is(v, a.Name+"@"+a.Realm) {
			return true
		}
	}
	return false
}

// anybody reports whether there is any person to be seen.
func (r reader) anybody(c *conn) (bool, error) {
	entries, err := r.search(c, r.base, ldap.ScopeWholeSubtree, 1, "(&"+r.people+")", "1.1")
	if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		return true, nil
	}
	return len(entries) > 0, err
}

// sidText writes a SID ([MS-DTYP] §2.4.2.2) as people do; empty for what is none.
func sidText(b []byte) string {
	if len(b) < 8 || len(b) != 8+4*int(b[1]) {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "S-%d-%d", b[0], uint64(binary.BigEndian.Uint16(b[2:]))<<32|uint64(binary.BigEndian.Uint32(b[4:])))
	for i := 8; i < len(b); i += 4 {
		fmt.Fprintf(&text, "-%d", binary.LittleEndian.Uint32(b[i:]))
	}
	return text.String()
}
