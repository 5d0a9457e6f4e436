package oidc

import (
	"encoding/json"
	"strings"
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

func TestJSONObjectIsWhatEncodingJSONReads(t *testing.T) {
	values := []string{"plain", `quote " and \`, "line\nbreak", "<script>", "ümlaut", "\u2028", "bad \xff utf-8", "\x00", "\x7f"}
	for _, v := range values {
		o := newObject(0)
		o.text("a", v)
		o.text("empty", "")
		o.number("n", -5)
		o.time("t", 1999)
		o.boolean("b", true)
		o.list("l", []string{v, v})
		o.list("none", nil)
		o.list("zero", []string{})
		var got map[string]any
		raw := o.close()
		must(t, json.Unmarshal(raw, &got))
		v = strings.ToValidUTF8(v, "\ufffd")
		want := map[string]any{"a": v, "n": -5.0, "t": 1.0, "b": true, "l": []any{v, v}, "zero": []any{}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
	if o := newObject(0); string(o.close()) != "{}" {
		t.Error("the empty object")
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
