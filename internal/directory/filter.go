package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

// maxName bounds what is looked for; no name of a user is longer.
const maxName = 256

// inChain is Active Directory's rule for members of members of a group
// (LDAP_MATCHING_RULE_IN_CHAIN, [MS-ADTS] §3.1.1.3.4.4.3).
const inChain = ":1.2.840.113556.1.4.1941:"

// accountFilter finds an account among people; ok is false for what cannot be one.
// Every value goes through EscapeFilter: RFC 4515 §3.
func (r reader) accountFilter(a Account) (filter string, ok bool) {
	for _, text := range []string{a.SID, a.Name, a.Realm} {
		if len(text) > maxName || !printable(text) {
			return "", false
		}
	}
	principal := equal(r.principal, a.Name+"@"+a.Realm)
	switch {
	case a.SID != "" && r.kind != typeAD:
		return "", false // no SID is known there, and a name may be somebody else's by now
	case a.SID != "":
		return "(&" + r.people + equal("objectSid", a.SID) + ")", true
	case a.Name == "":
		return "", false
	}
	return "(&" + r.people + "(|" + equal(r.Login, a.Name) + principal + "))", true
}

// equal is the filter for one value of an attribute.
func equal(attribute, value string) string {
	return "(" + attribute + "=" + ldap.EscapeFilter(value) + ")"
}

// printable: UTF-8 without control characters, NUL among them.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
