package policy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"idp/internal/store"
)

func nets(texts ...string) (all []netip.Prefix) {
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

func TestTheFirstRuleThatFitsDecides(t *testing.T) {
	rules := Rules{
		{Networks: nets("10.1.0.0/16"), ACR: "1"},
		{Groups: []string{"admins"}, Clients: []string{"payroll"}, ACR: "phr"},
		{Groups: []string{"admins", "finance"}, ACR: "mfa"},
		{Clients: []string{"payroll"}, ACR: "mfa"},
	}
	for _, c := range []struct {
		groups  []string
		client  string
		address string
		outside bool
		want    string
	}{
		{nil, "wiki", "192.0.2.1", false, "1"},
		{nil, "", "192.0.2.1", false, "1"},
		{nil, "payroll", "192.0.2.1", false, "mfa"},
		{[]string{"admins"}, "payroll", "192.0.2.1", false, "phr"},
		{[]string{"staff", "finance"}, "wiki", "192.0.2.1", false, "mfa"},
		{[]string{"finance"}, "", "2001:db8::1", false, "mfa"},
		{[]string{"admins"}, "payroll", "10.1.2.3", false, "1"},
		{[]string{"admins"}, "payroll", "10.1.2.3", true, "phr"}, // a proxy that nobody named says so
		{[]string{"admin"}, "payrolls", "10.2.0.1", false, "1"},
	} {
		from := From{Address: netip.MustParseAddr(c.address), Outside: c.outside}
		if got := rules.Required(c.groups, c.client, from); got != c.want {
			t.Errorf("%v at %q from %s: %s, want %s", c.groups, c.client, c.address, got, c.want)
		}
	}
}

// Whoever has set up a factor is asked for it behind a password, unless a rule says
// that one will do; and never for less than is demanded.
func TestWhoHasAFactorIsAskedForIt(t *testing.T) {
	p := &Policy{Rules: Rules{{Networks: nets("10.0.0.0/8"), ACR: "1"}, {Groups: []string{"admins"}, ACR: "phr"}}}
	for name, c := range map[string]struct {
		amr     []string
		has     bool
		group   string
		address string
		acr     string
		want    string
	}{
		"a password, and a factor":                   {amr: []string{"pwd"}, has: true, address: "192.0.2.1", want: "mfa"},
		"a password, and none":                       {amr: []string{"pwd"}, address: "192.0.2.1", want: "1"},
		"a rule says one will do":                    {amr: []string{"pwd"}, has: true, address: "10.0.0.1", want: "1"},
		"a rule says one will do, the site does not": {amr: []string{"pwd"}, has: true, address: "10.0.0.1", acr: "mfa", want: "mfa"},
		"the site would take one":                    {amr: []string{"pwd"}, has: true, address: "192.0.2.1", acr: "1", want: "mfa"},
		"a rule says more":                           {amr: []string{"pwd"}, has: true, group: "admins", address: "192.0.2.1", want: "phr"},
		"a ticket":                                   {amr: []string{"wia"}, has: true, address: "192.0.2.1", want: "1"},
		"a ticket, where a rule says more":           {amr: []string{"wia"}, group: "admins", address: "192.0.2.1", want: "phr"},
	} {
		u := &store.User{Groups: []string{c.group}}
		if got := p.OfLogin(u, c.amr, c.has, "wiki", c.acr, From{Address: netip.MustParseAddr(c.address)}); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// What one site, or one network, lets pass with one factor is not enough elsewhere.
func TestHoleOneFactorForOneSiteIsEnoughForAll(t *testing.T) {
	p := &Policy{Rules: Rules{{Clients: []string{"kiosk"}, ACR: "1"}, {Networks: nets("10.0.0.0/8"), ACR: "1"}}}
	u := &store.User{}
	for name, c := range map[string]struct {
		s               store.Session
		client, address string
		want            bool
	}{
		"at that site":                {store.Session{AMR: []string{"pwd"}, ACR: "1", HasFactor: true}, "kiosk", "192.0.2.1", true},
		"in that network":             {store.Session{AMR: []string{"pwd"}, ACR: "1", HasFactor: true}, "wiki", "10.0.0.1", true},
		"at another site":             {store.Session{AMR: []string{"pwd"}, ACR: "1", HasFactor: true}, "wiki", "192.0.2.1", false},
		"on our own pages":            {store.Session{AMR: []string{"pwd"}, ACR: "1", HasFactor: true}, "", "192.0.2.1", false},
		"who has none":                {store.Session{AMR: []string{"pwd"}, ACR: "1"}, "wiki", "192.0.2.1", true},
		"who has shown it":            {store.Session{AMR: []string{"pwd", "otp", "mfa"}, ACR: "mfa", HasFactor: true}, "wiki", "192.0.2.1", true},
		"by a ticket, which asks not": {store.Session{AMR: []string{"wia"}, ACR: "1", HasFactor: true}, "wiki", "192.0.2.1", true},
	} {
		if got := p.Enough(&c.s, u, c.client, From{Address: netip.MustParseAddr(c.address)}); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRulesThatAreProbablyNotMeant(t *testing.T) {
	for name, c := range map[string]struct {
		rules Rules
		want  []string // the beginning of each warning, with its rule
	}{
		"none":            {Rules{{Clients: []string{"payroll"}, ACR: "phr"}, {Groups: []string{"admins"}, ACR: "mfa"}, {ACR: "1"}}, nil},
		"behind all":      {Rules{{ACR: "mfa"}, {Groups: []string{"admins"}, ACR: "phr"}}, []string{"1 this rule never decides: factors[0]"}},
		"the same group":  {Rules{{Groups: []string{"a", "b"}, ACR: "mfa"}, {Groups: []string{"b"}, ACR: "phr"}}, []string{"1 this rule never decides"}},
		"another group":   {Rules{{Groups: []string{"a"}, ACR: "mfa"}, {Groups: []string{"a", "b"}, ACR: "phr"}}, nil},
		"a wider network": {Rules{{Networks: nets("10.0.0.0/8"), ACR: "1"}, {Networks: nets("10.1.0.0/16"), ACR: "mfa"}}, []string{"1 this rule never decides"}},
		"a network in it": {Rules{{Networks: nets("10.1.0.0/16"), ACR: "1"}, {Networks: nets("10.0.0.0/8"), ACR: "mfa"}}, nil},
		"one network":     {Rules{{Networks: nets("10.1.0.0/16"), ACR: "1"}, {Groups: []string{"a"}, ACR: "mfa"}}, nil},
		"weaker first":    {Rules{{Groups: []string{"admins"}, ACR: "mfa"}, {Clients: []string{"payroll"}, ACR: "phr"}}, []string{`1 of the people of factors[0], which comes first, less is demanded here: "mfa", not "phr"`}},
		"other clients":   {Rules{{Groups: []string{"admins"}, Clients: []string{"wiki"}, ACR: "1"}, {Clients: []string{"payroll"}, ACR: "phr"}}, nil},
	} {
		var got []string
		for _, w := range c.rules.Warnings() {
			got = append(got, string(rune('0'+w.Rule))+" "+w.Text)
		}
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
