package oidc

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/policy"
)

// only are the claims of these names.
func only(claims map[string]any, names ...string) map[string]any {
	claims = maps.Clone(claims)
	maps.DeleteFunc(claims, func(name string, _ any) bool { return !slices.Contains(names, name) })
	return claims
}

// What is asked for one by one comes, in the place where it is asked for, from
// then on at every refresh, and nothing else comes with it.
func TestClaimsAreGivenWhereTheyAreAskedFor(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", "staff")
	about := []string{"sub", "name", "preferred_username", "email", "email_verified", "groups", "updated_at", "nickname", "hat"}
	b := w.loggedIn("alice")
	for name, c := range map[string]struct {
		scope, claims     string
		userinfo, idToken map[string]any
	}{
		"essential":           {"openid", `{"userinfo":{"name":{"essential":true}}}`, map[string]any{"name": "Full alice"}, nil},
		"null":                {"openid", `{"id_token":{"email":null}}`, nil, map[string]any{"email": "alice@example.com"}},
		"beside a scope":      {"openid email", `{"id_token":{"groups":null},"userinfo":{"name":null}}`, map[string]any{"email": "alice@example.com", "email_verified": true, "name": "Full alice"}, map[string]any{"groups": []any{"staff"}}},
		"of another value":    {"openid", `{"userinfo":{"name":{"value":"Bob"},"email":{"values":["a@b","c@d"]}}}`, map[string]any{"name": "Full alice", "email": "alice@example.com"}, nil},
		"unknown":             {"openid", `{"userinfo":{"hat":null,"name":{"size":7}},"third":{"name":null}}`, map[string]any{"name": "Full alice"}, nil},
		"not known of a user": {"openid", `{"userinfo":{"nickname":{"essential":true}}}`, nil, nil},
		"nothing":             {"openid", `{}`, nil, nil},
		"empty members":       {"openid", `{"userinfo":null,"id_token":{}}`, nil, nil},
		"always there":        {"openid", `{"id_token":{"auth_time":{"essential":true},"acr":null,"sub":null}}`, nil, nil},
	} {
		wantInfo, wantID := map[string]any{"sub": u.ID}, map[string]any{"sub": u.ID}
		maps.Copy(wantInfo, c.userinfo)
		maps.Copy(wantID, c.idToken)
		a := b.tokens("wiki", "scope", c.scope, "claims", c.claims)
		for _, when := range []string{"code", "refresh"} {
			if diff := cmp.Diff(wantInfo, only(w.askUserinfo(a.str("access_token")).json(), about...)); diff != "" {
				t.Errorf("%s, %s: userinfo %s", name, when, diff)
			}
			id := w.claimsOf(a.str("id_token"))
			if diff := cmp.Diff(wantID, only(id, about...)); diff != "" {
				t.Errorf("%s, %s: ID token %s", name, when, diff)
			}
			if id["auth_time"] == nil || id["acr"] != "1" {
				t.Errorf("%s, %s: ID token %v", name, when, id)
			}
			a = w.api("wiki", "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
		}
	}
}

// A client gets by claims what it may ask for by scope, and no more; and what is
// taken from it ends at once.
func TestClaimsStayWithinTheClientsScope(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "staff")
	w.client("wiki").Scope = "openid profile email"
	all := `{"userinfo":{"email":{"essential":true},"groups":{"essential":true},"phone_number":null},"id_token":{"email":null,"groups":null}}`
	a := w.loggedIn("alice").tokens("wiki", "scope", "openid", "claims", all)
	for name, claims := range map[string]map[string]any{"userinfo": w.askUserinfo(a.str("access_token")).json(), "ID token": w.claimsOf(a.str("id_token"))} {
		if claims["email"] == nil || claims["groups"] != nil || claims["phone_number"] != nil {
			t.Errorf("%s: %v", name, claims)
		}
	}
	w.client("wiki").Scope = "openid profile groups"
	if claims := w.askUserinfo(a.str("access_token")).json(); claims["email"] != nil || claims["groups"] != nil {
		t.Errorf("after the scope was changed: %v", claims)
	}
}

// A client that is shown some groups is shown no others by asking otherwise.
func TestGroupsByClaimsAreFilteredToo(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "staff", "wiki-admins")
	w.client("wiki").Groups = []string{"wiki-*"}
	id := w.claimsOf(w.loggedIn("alice").tokens("wiki", "scope", "openid", "claims", `{"id_token":{"groups":null}}`).str("id_token"))
	if diff := cmp.Diff([]any{"wiki-admins"}, id["groups"]); diff != "" {
		t.Error(diff)
	}
}

func TestClaimsThatNameAnotherUserAreNotAnsweredAboutThisOne(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user("alice"), w.user("bob")
	b := w.loggedIn("alice")
	request := func(text string, args ...string) string {
		for _, a := range args {
			text = strings.Replace(text, "%", a, 1)
		}
		return text
	}
	for name, c := range map[string]struct {
		claims string
		ok     bool
	}{
		"herself":             {request(`{"id_token":{"sub":{"value":"%"}}}`, alice.ID), true},
		"one of two":          {request(`{"id_token":{"sub":{"values":["%","%"]}}}`, bob.ID, alice.ID), true},
		"another":             {request(`{"id_token":{"sub":{"value":"%"}}}`, bob.ID), false},
		"another at userinfo": {request(`{"userinfo":{"sub":{"value":"%"}}}`, bob.ID), false},
		"in one, not both":    {request(`{"userinfo":{"sub":{"value":"%"}},"id_token":{"sub":{"value":"%"}}}`, alice.ID, bob.ID), false},
		"nobody at all":       {`{"id_token":{"sub":{"values":[]}}}`, false},
		"a number":            {`{"id_token":{"sub":{"value":5}}}`, false},
		"anybody":             {`{"id_token":{"sub":{"essential":true}}}`, true},
	} {
		back := b.get(authorizeURL("wiki", "prompt", "none", "claims", c.claims)).back()
		if back.Has("code") != c.ok || (!c.ok && back.Get("error") != "login_required") {
			t.Errorf("%s: %v", name, back)
		}
	}
	path, row := b.row(b.get(authorizeURL("wiki", "claims", request(`{"id_token":{"sub":{"value":"%"}}}`, bob.ID))))
	if path != "/login" {
		t.Errorf("sent to %s, want the form", path)
	}
	b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}})
	if back := b.get("/authorize/resume?login=" + row.ID).back(); back.Get("error") != "login_required" {
		t.Errorf("alice again: %v", back)
	}
	b.logIn(url.Values{"user": {"bob"}, "login": {row.ID}})
	if back := b.get("/authorize/resume?login=" + row.ID).back(); !back.Has("code") {
		t.Errorf("bob: %v", back)
	}
}

func TestEssentialACRIsMetOrRefusedAndNeverALoop(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	needs := func(how string) string { return `{"id_token":{"acr":{"essential":true,` + how + `}}}` }
	for name, c := range map[string]struct {
		changes []string
		err     string
	}{
		"one factor":            {[]string{"claims", needs(`"value":"1"`)}, ""},
		"one factor will do":    {[]string{"claims", needs(`"values":["phr","1"]`)}, ""},
		"cannot be met":         {[]string{"claims", needs(`"values":["gold"]`)}, "unmet_authentication_requirements"},
		"no level at all":       {[]string{"claims", needs(`"values":[]`)}, "unmet_authentication_requirements"},
		"essential, any":        {[]string{"claims", `{"id_token":{"acr":{"essential":true}}}`}, ""},
		"only a wish":           {[]string{"claims", `{"id_token":{"acr":{"value":"gold"}}}`}, ""},
		"acr_values are a wish": {[]string{"acr_values", "gold silver"}, ""},
		"with one that is met":  {[]string{"acr_values", "phr 1"}, ""},
	} {
		back := w.loggedIn("alice").get(authorizeURL("wiki", c.changes...)).back()
		if back.Get("error") != c.err || back.Has("code") != (c.err == "") {
			t.Errorf("%s, with a session: %v", name, back)
		}
		b := w.browser()
		if c.err != "" { // nobody is asked to log in for what no login reaches
			if back := b.get(authorizeURL("wiki", c.changes...)).back(); back.Get("error") != c.err {
				t.Errorf("%s, without a session: %v", name, back)
			}
			continue
		}
		_, row := b.row(b.get(authorizeURL("wiki", c.changes...)))
		b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}})
		back = b.get("/authorize/resume?login=" + row.ID).back()
		if !back.Has("code") {
			t.Errorf("%s, after a login: %v", name, back)
		}
		if id := w.claimsOf(w.api("wiki", "/token", codeForm(back.Get("code"))).str("id_token")); id["acr"] != "1" {
			t.Errorf("%s: acr %v", name, id["acr"])
		}
	}
}

// A level that a login can reach is asked of somebody who has not reached it, and of
// nobody else; and the token tells the level that was asked for.
func TestAStrongerLevelIsAskedFor(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	needed := `{"id_token":{"acr":{"essential":true,"value":"mfa"}}}`
	b := w.loggedIn("alice")
	if back := b.get(authorizeURL("wiki", "claims", needed, "prompt", "none")).back(); back.Get("error") != "login_required" {
		t.Errorf("prompt=none: %v", back)
	}
	if back := b.get(authorizeURL("wiki", "acr_values", "mfa", "prompt", "none")).back(); !back.Has("code") {
		t.Errorf("prompt=none, and only a wish: %v", back)
	}
	for _, change := range [][2]string{{"claims", needed}, {"acr_values", "phr mfa"}} {
		path, row := b.row(b.get(authorizeURL("wiki", change[0], change[1])))
		if path != policy.PathFactor || row.ACR != "mfa" {
			t.Errorf("%s: sent to %s for %q, want %s for mfa", change[0], path, row.ACR, policy.PathFactor)
		}
		b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}})
		if path, row = b.row(b.get("/authorize/resume?login=" + row.ID)); path != policy.PathFactor || row.ACR != "mfa" {
			t.Errorf("%s, one factor again: sent to %s for %q", change[0], path, row.ACR)
		}
	}
	b.logIn(url.Values{"user": {"alice"}, "acr": {"mfa"}})
	for _, c := range []struct{ acrValues, claims, want string }{
		{"", needed, "mfa"}, {"1", "", "1"}, {"mfa 1", "", "mfa"}, {"gold", "", "mfa"}, {"1", needed, "mfa"}, {"", "", "mfa"},
	} {
		id := w.claimsOf(b.tokens("wiki", "acr_values", c.acrValues, "claims", c.claims).str("id_token"))
		if id["acr"] != c.want {
			t.Errorf("acr_values %q, claims %q: acr %v, want %s", c.acrValues, c.claims, id["acr"], c.want)
		}
	}
}
