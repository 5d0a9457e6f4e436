package oidc

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/oidc/clients"
	"idp/internal/store"
)

func TestGroupsAreThoseTheClientMaySee(t *testing.T) {
	groups := []string{"finance", "wiki-admins", "wiki-users"}
	for _, c := range []struct{ patterns, want []string }{
		{nil, groups},
		{[]string{"finance"}, []string{"finance"}},
		{[]string{"wiki-*"}, []string{"wiki-admins", "wiki-users"}},
		{[]string{"*"}, groups},
		{[]string{"wiki"}, []string{}},
		{[]string{"Finance"}, []string{}},
	} {
		if diff := cmp.Diff(c.want, clients.VisibleGroups(&store.Client{Groups: c.patterns}, groups)); diff != "" {
			t.Errorf("%v: %s", c.patterns, diff)
		}
	}
}

func TestPreferredUsernameTemplate(t *testing.T) {
	for _, c := range []struct{ template, name, want string }{
		{"", "alice", "alice"},
		{"", "alice@OTHER.ORG", "alice@OTHER.ORG"},
		{"{name}@{realm}", "alice", "alice@EXAMPLE.COM"},
		{"{name}@{realm}", "alice@OTHER.ORG", "alice@OTHER.ORG"},
		{`{domain}\{name}`, "alice", `EXAMPLE\alice`},
		{`{domain}\{name}`, "alice@EXAMPLE.ORG", "alice@EXAMPLE.ORG"}, // not EXAMPLE\alice
		{"{name}@corp.example.com", "alice", "alice@corp.example.com"},
		{"{name}@corp.example.com", "alice@OTHER.ORG", "alice@OTHER.ORG"},
		{"{name}@{realm}", "a@b@OTHER.ORG", "a@b@OTHER.ORG"},
		{`{domain}\{name}`, "partner:alice", "partner:alice"}, // never the company's alice
		{"{name}@{realm}", "partner:alice@EXAMPLE.COM", "partner:alice@EXAMPLE.COM"},
	} {
		if got := preferredUsername(c.template, c.name, "EXAMPLE.COM"); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.template, c.name, got, c.want)
		}
	}
}

func TestClientsOfTheTestsAreOnesThatCheckTakes(t *testing.T) {
	for _, c := range testClients() {
		if problems := clients.Check(&c); problems != nil && c.ClientID != "lax" {
			t.Errorf("%s: %v", c.ClientID, problems)
		}
	}
}

func TestTokenCacheIsBounded(t *testing.T) {
	c := newTokenCache()
	for i := range 5 * tokenCacheHalf {
		c.put([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, &accessClaims{})
	}
	if n := len(c.new) + len(c.old); n > 2*tokenCacheHalf {
		t.Errorf("%d tokens are kept", n)
	}
}
