package clients

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/store"
	"idp/internal/store/storetest"
	"idp/internal/web"
)

func TestConsentIsSaidInPlainWords(t *testing.T) {
	r := New([]store.Client{{ClientID: "wiki", Groups: []string{"wiki-*"}, ClientURI: "https://wiki.example.com/about", TOSURI: "javascript:alert(1)"}},
		storetest.Open(t, store.Config{URL: storetest.SQLite(t)}), nil)
	alice := &store.User{Name: "alice", FullName: "Alice Liddell", Email: "alice@example.com", Groups: []string{"wiki-users", "finance"},
		Claims: store.UserClaims{Address: store.Address{Locality: "Oslo", Country: "NO"}}}
	consent := ConsentItems("offline_access email groups read phone address", []string{"birthdate", "https://example.com/claim"}, []string{"https://ledger.example.com"})
	got := r.Shares(t.Context(), "wiki", alice, consent, "openid email")
	want := []web.Share{
		{Text: "An identifier that stands for you", Detail: "always the same one; with it, when and how you logged in"},
		{Text: "Your mail address", Detail: "alice@example.com"},
		{Text: "Your telephone number", Detail: unknown, New: true},
		{Text: "Your postal address", Detail: "Oslo, NO", New: true},
		{Text: "The groups you are in", Detail: "those it may see: wiki-users", New: true},
		{Text: "What the site calls “read”", New: true},
		{Text: "Your birthday", New: true},
		{Text: "What the site calls “https://example.com/claim”", New: true},
		{Text: "To act for you at", Detail: "https://ledger.example.com", New: true},
		{Text: "To stay logged in there while you are away", Detail: "until you take it back", New: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]web.SiteLink{{Text: "About the site", URL: "https://wiki.example.com/about", Host: "wiki.example.com"}}, r.About(t.Context(), "wiki", "")); d != "" {
		t.Error(d)
	}
	// A site that is gone from the file, and a user of whom little is known.
	got = r.Shares(t.Context(), "gone", &store.User{Name: "bob", Claims: store.UserClaims{Address: store.Address{Formatted: "A street\nOslo\n"}}}, "openid groups address", "")
	if len(got) != 3 || got[1].Detail != "A street, Oslo" || got[2].Detail != "at present none that it may see" || got[0].New {
		t.Errorf("%+v", got)
	}
}

// A scope cannot pass for a claim or a resource, for none holds a quotation mark.
func TestConsentItemsAreNotConfused(t *testing.T) {
	if got := ConsentItems("email openid email", []string{"email"}, []string{"https://a"}); got != `openid email claim"email resource"https://a` {
		t.Error(got)
	}
	if got := ConsentItems("", nil, nil); got != "openid" {
		t.Errorf("a token says whose it is, so nothing is %q", got)
	}
	if c := (&store.Client{ClientID: "a", Scope: `openid claim"email`}); checkScopeSyntax(c) == nil {
		t.Error("a scope with a quotation mark is taken")
	}
}
