package authn

import "slices"

// ACROneFactor is the acr of every login by one factor, a ticket included.
const ACROneFactor = "1"

// ACRLevels are the levels of authentication that a login can reach, the
// strongest first: whoever reached one has reached all that follow. This is the
// one place to add to: phr, then mfa, go in front, each with the login that
// reaches it; discovery and the authorization endpoint read this list.
var ACRLevels = []string{ACROneFactor}

// SatisfiedACR returns the first of the wanted levels that a session of level
// have satisfies; ok is false when it satisfies none of them.
func SatisfiedACR(have string, wanted []string) (level string, ok bool) {
	return satisfied(ACRLevels, have, wanted)
}

func satisfied(levels []string, have string, wanted []string) (level string, ok bool) {
	reached := slices.Index(levels, have)
	for _, w := range wanted {
		if i := slices.Index(levels, w); reached >= 0 && i >= reached {
			return w, true
		}
	}
	return "", false
}

// ReachableACR reports whether some login satisfies one of the wanted levels.
func ReachableACR(wanted []string) bool {
	_, ok := SatisfiedACR(ACRLevels[0], wanted)
	return ok
}
