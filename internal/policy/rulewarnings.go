package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// Warnings say what is probably not meant as it is written: a rule that never decides,
// and a relying party's that a weaker one of a group comes before.
func (rs Rules) Warnings() (found []RuleProblem) {
	dead := map[int]bool{}
	for i, r := range rs {
		for j, before := range rs[:i] {
			switch {
			case dead[j]: // an earlier one decides in its place
				continue
			case before.covers(r):
				dead[i] = true
				found = append(found, RuleProblem{i, "acr", fmt.Sprintf("this rule never decides: factors[%d], which comes first, is about all its logins", j),
					"the first rule that fits decides: the narrower one goes first"})
			case before.weakens(r):
				found = append(found, RuleProblem{i, "clients", fmt.Sprintf("of the people of factors[%d], which comes first, less is demanded here: %q, not %q", j, before.ACR, r.ACR),
					"the first rule that fits decides: the stronger one goes first"})
			default:
				continue
			}
			break
		}
	}
	return found
}

// covers reports whether every login that other is about is one that r is about.
func (r Rule) covers(other Rule) bool {
	return contains(r.Groups, other.Groups) && contains(r.Clients, other.Clients) && containsNetworks(r.Networks, other.Networks)
}

// weakens: other names relying parties, and of the people that r names it asks less.
func (r Rule) weakens(other Rule) bool {
	return len(other.Clients) > 0 && len(r.Groups) > 0 && !Reaches(r.ACR, other.ACR) &&
		overlap(r.Clients, other.Clients) && overlap(r.Groups, other.Groups)
}

// contains and its kin: no condition is about everything.
func contains(all, some []string) bool {
	return len(all) == 0 || len(some) > 0 && !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func containsNetworks(all, some []netip.Prefix) bool {
	inside := func(p netip.Prefix) bool {
		return slices.ContainsFunc(all, func(a netip.Prefix) bool { return a.Bits() <= p.Bits() && a.Contains(p.Addr()) })
	}
	return len(all) == 0 || len(some) > 0 && !slices.ContainsFunc(some, func(p netip.Prefix) bool { return !inside(p) })
}

func overlap(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
