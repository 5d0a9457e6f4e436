package policy

import "testing"

func TestAStrongerLevelSatisfiesAWeakerOne(t *testing.T) {
	for _, c := range []struct {
		have   string
		wanted []string
		level  string
		ok     bool
	}{
		{"1", []string{"1"}, "1", true},
		{"1", []string{"mfa"}, "", false},
		{"1", []string{"mfa", "1"}, "1", true},
		{"phr", []string{"1"}, "1", true},
		{"phr", []string{"mfa", "phr"}, "mfa", true}, // the first that was wanted
		{"mfa", []string{"phr", "mfa"}, "mfa", true},
		{"mfa", []string{"urn:other"}, "", false},
		{"mfa", nil, "", false},
		{"", []string{"1"}, "", false},
		{"urn:other", []string{"1", "urn:other"}, "", false},
	} {
		if level, ok := SatisfiedACR(c.have, c.wanted); level != c.level || ok != c.ok {
			t.Errorf("%q of %v: %q %v, want %q %v", c.have, c.wanted, level, ok, c.level, c.ok)
		}
	}
	if !ReachableACR([]string{"phr", "1"}) || ReachableACR([]string{"0"}) || ReachableACR(nil) {
		t.Error("what can be reached")
	}
}
