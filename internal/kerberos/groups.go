package kerberos

import (
	"slices"
	"strings"
)

// wellKnown are the groups that every Active Directory domain has, by the last
// number of their SID (MS-DTYP §2.4.2.4). A realm's groups may name them so
// instead of by a SID that differs from domain to domain.
var wellKnown = map[string]string{
	"512": "Domain Admins",
	"513": "Domain Users",
	"514": "Domain Guests",
	"515": "Domain Computers",
	"516": "Domain Controllers",
	"517": "Cert Publishers",
	"518": "Schema Admins",
	"519": "Enterprise Admins",
	"520": "Group Policy Creator Owners",
	"525": "Protected Users",
	"526": "Key Admins",
	"527": "Enterprise Key Admins",
}

func isWellKnown(name string) bool {
	for _, n := range wellKnown {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// GroupNames turns the SIDs of a ticket into groups: those that the realm's
// configuration names, by SID or, for groups of the account's own domain, by
// their well-known name. All others say nothing to a site and are left out, so
// that tokens stay small. The result is sorted, each name once.
func (r *Realm) GroupNames(account string, sids []string) (names []string) {
	domain, _ := cutLast(account)
	for _, sid := range sids {
		name, ok := r.Groups[sid]
		if of, rid := cutLast(sid); !ok && of == domain {
			name, ok = r.wellKnownGroup(wellKnown[rid])
		}
		if ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// wellKnownGroup looks a well-known name up as people write it, in any case.
func (r *Realm) wellKnownGroup(name string) (group string, ok bool) {
	if name == "" {
		return "", false
	}
	for key, group := range r.Groups {
		if strings.EqualFold(key, name) {
			return group, true
		}
	}
	return "", false
}

// cutLast splits a SID into its domain and its last number.
func cutLast(sid string) (domain, rid string) {
	i := strings.LastIndexByte(sid, '-')
	if i < 0 {
		return "", ""
	}
	return sid[:i], sid[i+1:]
}
