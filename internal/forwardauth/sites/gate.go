package sites

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"idp/internal/policy"
	"idp/internal/store"
)

// Gate is what one rule of a site demands, with what it has from the site.
type Gate struct {
	Anyone   bool           // nobody has to be logged in
	ACR      string         // what a login must have shown; empty: one of any kind will do
	groups   []string       // empty: every user
	networks []netip.Prefix // empty: from wherever
}

// gateOf is what a rule demands; that of a site itself is the one of the empty rule.
func (s *Site) gateOf(r Rule) Gate {
	g := Gate{Anyone: r.Allow == AllowAnyone, groups: s.Groups, ACR: s.ACR, networks: s.Networks}
	if r.Allow != "" {
		g.groups = nil
	}
	if len(r.Groups) > 0 {
		g.groups = r.Groups
	}
	if r.ACR != "" {
		g.ACR = r.ACR
	}
	if len(r.Networks) > 0 {
		g.networks = r.Networks
	}
	return g
}

// Own is what the site itself demands, where no rule says otherwise.
func (s *Site) Own() Gate { return s.gateOf(Rule{}) }

// Gates are those that a request for a path has to pass, every one of them: mostly one,
// and several where the path can be read in several ways. Not ok: it cannot be told.
func (s *Site) Gates(raw string) (list []Gate, ok bool) {
	if len(s.Rules) == 0 {
		return []Gate{s.Own()}, true
	}
	paths, ok := readings(raw)
	if !ok {
		return nil, false
	}
	var seen []int
	for _, p := range paths {
		for _, i := range s.rulesFor(p) {
			if slices.Contains(seen, i) {
				continue
			}
			seen = append(seen, i)
			rule := Rule{}
			if i >= 0 {
				rule = s.Rules[i]
			}
			list = append(list, s.gateOf(rule))
		}
	}
	return list, true
}

// rulesFor is the index of the first rule that a path falls under, -1 for none; and that
// of the first one in the eyes of a program that does not tell capitals from small
// letters.
func (s *Site) rulesFor(p string) []int {
	small := smallLetters(p)
	return []int{
		slices.IndexFunc(s.Rules, func(r Rule) bool { return below(p, r.Path) }),
		slices.IndexFunc(s.Rules, func(r Rule) bool { return below(small, smallLetters(r.Path)) }),
	}
}

// smallLetters of capitals: a dotless ı becomes an I, and that an i.
func smallLetters(p string) string {
	small := strings.ToLower(p)
	if strings.ContainsFunc(small, func(c rune) bool { return c > unicode.MaxASCII }) {
		small = strings.ToLower(strings.ToUpper(small))
	}
	return small
}

// Admits reports whether a user is in one of the groups.
func (g Gate) Admits(u *store.User) bool {
	return len(g.groups) == 0 || slices.ContainsFunc(g.groups, func(name string) bool { return slices.Contains(u.Groups, name) })
}

// For names the groups, for the log.
func (g Gate) For() string { return strings.Join(g.groups, ", ") }

// ReachableFrom reports whether a request comes from one of the networks.
func (g Gate) ReachableFrom(from policy.From) bool {
	return len(g.networks) == 0 || policy.Inside(g.networks, from)
}

// Told are the groups of a user that the site is told.
func (s *Site) Told(groups []string) []string {
	if len(s.TellGroups) == 0 {
		return groups
	}
	var told []string
	for _, g := range groups {
		if slices.ContainsFunc(s.TellGroups, func(pattern string) bool {
			prefix, wild := strings.CutSuffix(pattern, "*")
			return g == pattern || wild && strings.HasPrefix(g, prefix)
		}) {
			told = append(told, g)
		}
	}
	return told
}

// loginGroups are those of everyone who passes some gate of the site, and so may log in
// there; empty: every user.
func (s *Site) loginGroups() (groups []string) {
	for _, r := range append([]Rule{{}}, s.Rules...) {
		g := s.gateOf(r)
		if g.Anyone {
			continue
		}
		if len(g.groups) == 0 {
			return nil
		}
		groups = append(groups, g.groups...)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// Demands is the level that a path wants of a login beside what the rules about
// relying parties do.
func (s *Site) Demands(path string) (acr string) {
	gates, _ := s.Gates(path)
	for _, g := range gates {
		if !g.Anyone {
			acr = policy.Stronger(acr, g.ACR)
		}
	}
	return acr
}

// OpenToAnyone reports whether nobody has to be logged in for a path.
func (s *Site) OpenToAnyone(path string) bool {
	gates, ok := s.Gates(path)
	return ok && !slices.ContainsFunc(gates, func(g Gate) bool { return !g.Anyone })
}
