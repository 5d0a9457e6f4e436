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

func TestClientsOfTheTestsAreOnesThatCheckTakes(t *testing.T) {
	for _, c := range testClients() {
		if problems := clients.Check(&c); problems != nil && c.ClientID != "lax" {
			t.Errorf("%s: %v", c.ClientID, problems)
		}
	}
}
