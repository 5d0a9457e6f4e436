package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Rule demands a level of authentication. It is about a login when each of its
// conditions that is set holds; without any it is about every login.
type Rule struct {
	Groups   []string       `yaml:"groups"`   // the user is in one of them
	Clients  []string       `yaml:"clients"`  // the login is for one of these relying parties
	Networks []netip.Prefix `yaml:"networks"` // the client's address is in one of them
	ACR      string         `yaml:"acr"`      // one of ACRLevels
}

// Rules are the section factors of the configuration: the first rule that is about
// a login decides.
type Rules []Rule

// Required is the level that a login of a user (its groups) must reach for a client
// (empty: a page of our own) from where it comes; without a rule, one factor.
func (rs Rules) Required(groups []string, clientID string, from From) string {
	acr, _ := rs.decide(groups, clientID, from)
	return acr
}

// decide is Required, and whether a rule says so.
func (rs Rules) decide(groups []string, clientID string, from From) (acr string, ruled bool) {
	for _, r := range rs {
		if r.isAbout(groups, clientID, from) {
			return r.ACR, true
		}
	}
	return ACROneFactor, false
}

func (r Rule) isAbout(groups []string, clientID string, from From) bool {
	return (len(r.Groups) == 0 || slices.ContainsFunc(r.Groups, func(g string) bool { return slices.Contains(groups, g) })) &&
		(len(r.Clients) == 0 || slices.Contains(r.Clients, clientID)) &&
		(len(r.Networks) == 0 || Inside(r.Networks, from))
}

// RuleProblem is what is wrong with one rule of the section, by its index.
type RuleProblem struct {
	Rule              int
	Field, Text, Hint string
}

// Problems says what is wrong with the rules.
func (rs Rules) Problems() (found []RuleProblem) {
	for i, r := range rs {
		if !slices.Contains(ACRLevels, r.ACR) {
			found = append(found, RuleProblem{i, "acr", fmt.Sprintf("%q is no level", r.ACR),
				"one of " + strings.Join(ACRLevels, ", ")})
		}
	}
	return found
}
