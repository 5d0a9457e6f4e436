package directory

import (
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

const (
	pageOfGroups = 500  // Active Directory gives 1,000 at once at most
	nestedMost   = 8    // how deep groups of groups are followed
	groupsMost   = 2000 // of one person
	membersMost  = 50   // values in one filter
)

// groupNames turns groups there into groups here.
type groupNames struct {
	told   bool // groups come from the directory
	all    bool
	byDN   []dnName
	byName map[string]string // in lower case
}

type dnName struct {
	dn   *ldap.DN
	here string
}

func newGroupNames(c Config) groupNames {
	g := groupNames{told: c.TellsGroups(), all: c.AllGroups, byName: map[string]string{}}
	for there, here := range c.Groups {
		if dn, err := ldap.ParseDN(there); err == nil && strings.Contains(there, "=") {
			g.byDN = append(g.byDN, dnName{dn, here})
		} else {
			g.byName[strings.ToLower(there)] = here
		}
	}
	return g
}

// here is what a group is called here; empty: nothing.
func (g groupNames) here(text, name string) string {
	if len(g.byDN) > 0 {
		if dn, err := ldap.ParseDN(text); err == nil {
			if i := slices.IndexFunc(g.byDN, func(d dnName) bool { return d.dn.EqualFold(dn) }); i >= 0 {
				return g.byDN[i].here
			}
		}
	}
	if here, ok := g.byName[strings.ToLower(name)]; ok {
		return here
	}
	if g.all && usableGroup(name) {
		return name
	}
	return ""
}

// groupsOf are the groups of a person, by their names here.
func (r reader) groupsOf(c *conn, dn, login string) (names []string, err error) {
	find := r.nested
	if r.kind == typeAD {
		find = r.inChain
	}
	entries, err := find(c, dn, login)
	for _, e := range entries {
		// A name that only one group can have, where there is one: whoever may make
		// groups in some corner must not be able to make a second "finance".
		name := e.GetEqualFoldAttributeValue("cn")
		if r.kind == typeAD {
			name = e.GetEqualFoldAttributeValue("sAMAccountName")
		}
		if here := r.groups.here(e.DN, name); here != "" {
			names = append(names, here)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// inChain lets Active Directory follow groups of groups. The primary group, Domain
// Users mostly, is none of them: it has no members.
func (r reader) inChain(c *conn, dn, _ string) ([]*ldap.Entry, error) {
	filter := "(&(objectCategory=group)" + equal("member"+inChain, dn) + ")"
	found, err := c.SearchWithPaging(ldap.NewSearchRequest(r.base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, r.seconds, false,
		filter, []string{"sAMAccountName"}, nil), pageOfGroups)
	if err != nil {
		return nil, err
	}
	return found.Entries, nil
}

// nested follows groups of groups one level after the other: groupOfNames,
// groupOfUniqueNames, and posixGroup, which has people only.
func (r reader) nested(c *conn, dn, login string) (all []*ldap.Entry, err error) {
	seen := map[string]bool{}
	of, posix := []string{dn}, equal("memberUid", login)
	for range nestedMost {
		var next []string
		for members := range slices.Chunk(of, membersMost) {
			filter := posix
			for _, m := range members {
				filter += equal("member", m) + equal("uniqueMember", m)
			}
			entries, err := r.search(c, r.base, ldap.ScopeWholeSubtree, 0, "(|"+filter+")", "cn")
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if id := strings.ToLower(e.DN); !seen[id] {
					seen[id] = true
					all, next = append(all, e), append(next, e.DN)
				}
			}
			posix = ""
		}
		if of = next; len(of) == 0 || len(all) > groupsMost {
			break
		}
	}
	return all, nil
}
