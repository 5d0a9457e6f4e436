package policy

import "slices"

// The levels of authentication, as tokens tell them (acr).
const (
	ACROneFactor         = "1"   // one factor, a ticket included
	ACRMultiFactor       = "mfa" // two factors of different kinds
	ACRPhishingResistant = "phr" // a passkey that made sure of its person
)

// ACRLevels are the levels of authentication that a login can reach, the
// strongest first: whoever reached one has reached all that follow. Discovery, the
// authorization endpoint and the rules of the configuration read this list.
var ACRLevels = []string{ACRPhishingResistant, ACRMultiFactor, ACROneFactor}

// ACROf is the level that a login reached by the methods that happened in it
// (RFC 8176 values). Nothing else decides it, in the whole of idp.
func ACROf(amr []string) string {
	switch {
	case slices.Contains(amr, AMRPasskey) && slices.Contains(amr, AMRUserVerified):
		return ACRPhishingResistant
	case slices.Contains(amr, AMRMultiFactor):
		return ACRMultiFactor
	}
	return ACROneFactor
}

// Combined are the methods of a login whose first factor was followed by a second,
// of another kind: those of both, and that they were two.
func Combined(first, second []string) []string {
	all := slices.Clone(first)
	for _, m := range append(slices.Clone(second), AMRMultiFactor) {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return all
}

// Reaches reports whether a login of level have is at least of level need. Nothing
// reaches a level that is not in ACRLevels; everything reaches none ("").
func Reaches(have, need string) bool {
	if need == "" {
		return true
	}
	_, ok := SatisfiedACR(have, []string{need})
	return ok
}

// Stronger is the stronger one of two levels; "" is the weakest.
func Stronger(a, b string) string {
	if a == "" || Reaches(b, a) {
		return b
	}
	return a
}

// WeakestACR is the least that a login must reach to satisfy one of the wanted
// levels; "" when it can satisfy none of them.
func WeakestACR(wanted []string) string {
	for _, level := range slices.Backward(ACRLevels) {
		if slices.Contains(wanted, level) {
			return level
		}
	}
	return ""
}

// SatisfiedACR returns the first of the wanted levels that a session of level
// have satisfies; ok is false when it satisfies none of them.
func SatisfiedACR(have string, wanted []string) (level string, ok bool) {
	reached := slices.Index(ACRLevels, have)
	for _, w := range wanted {
		if i := slices.Index(ACRLevels, w); reached >= 0 && i >= reached {
			return w, true
		}
	}
	return "", false
}

// ReachableACR reports whether some login satisfies one of the wanted levels.
func ReachableACR(wanted []string) bool { return WeakestACR(wanted) != "" }
