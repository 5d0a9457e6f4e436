package kerberos

import (
	"slices"
	"testing"
)

func TestGroupNames(t *testing.T) {
	r := Realm{Groups: map[string]string{
		"S-1-5-21-1-2-3-1104": "finance", "S-1-5-21-1-2-3-1105": "finance", "S-1-5-21-9-9-9-1200": "partners", "domain users": "staff",
	}}
	for what, c := range map[string]struct{ sids, want []string }{
		"by SID, each group once":                {[]string{"S-1-5-21-1-2-3-1104", "S-1-5-21-1-2-3-1105"}, []string{"finance"}},
		"of another domain, by SID":              {[]string{"S-1-5-21-9-9-9-1200"}, []string{"partners"}},
		"well-known, of the account's domain":    {[]string{"S-1-5-21-1-2-3-513"}, []string{"staff"}},
		"the same number in another domain":      {[]string{"S-1-5-21-9-9-9-513"}, nil},
		"well-known, but not configured":         {[]string{"S-1-5-21-1-2-3-512"}, nil},
		"nothing the configuration speaks of":    {[]string{"S-1-18-1", "x", ""}, nil},
		"sorted":                                 {[]string{"S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1104"}, []string{"finance", "staff"}},
		"a domain-local number that looks known": {[]string{"S-1-5-32-513"}, nil},
	} {
		if got := r.GroupNames("S-1-5-21-1-2-3-2000", c.sids); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}
