package oidc

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/audit"
	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/grant"
	"idp/internal/oidc/rptest"
	"idp/internal/oidc/tokens"
	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

const (
	exchangeGrantType = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType   = "urn:ietf:params:oauth:token-type:access_token"
	idTokenType       = "urn:ietf:params:oauth:token-type:id_token"
	jwtType           = "urn:ietf:params:oauth:token-type:jwt"
)

// newExchange is a world in which wiki asks the ledger for its users, and the ledger
// the archive for whoever asks it.
func newExchange(t testing.TB, database string) *world {
	t.Helper()
	w := newWorldOn(t, database)
	w.client("wiki").Exchange = []store.Exchange{{Audience: testLedger, Scopes: []string{"read", "write"}, Lifetime: store.Duration(2 * time.Minute)}}
	w.client(testLedger).Exchange = []store.Exchange{{Audience: testArchive, Scopes: []string{"read", "delete"}, From: []string{testLedger, "reports.example.com"}}}
	w.client(testLedger).Scope = "read profile"
	for _, id := range []string{"wiki", testLedger} {
		if problems := clients.Check(w.client(id)); problems != nil {
			t.Fatalf("%s: %v", id, problems)
		}
	}
	return w
}

// tokenFor is a token of a code that was asked for with a resource.
func (b *browser) tokenFor(client, resource string) string {
	b.w.t.Helper()
	a := b.w.api(client, "/token", codeForm(b.codeFor(client, resource)))
	if a.Code != http.StatusOK {
		b.w.t.Fatalf("a token for %s: %d %s", resource, a.Code, a.Body)
	}
	return a.str("access_token")
}

func exchangeForm(token, audience string, pairs ...string) url.Values {
	return changed(url.Values{"grant_type": {exchangeGrantType}, "subject_token": {token}, "subject_token_type": {accessTokenType}, "audience": {audience}}, pairs)
}

// exchange posts an exchange that has to work, and returns the token.
func (w *world) exchange(client, token, audience string, pairs ...string) string {
	w.t.Helper()
	a := w.api(client, "/token", exchangeForm(token, audience, pairs...))
	if a.Code != http.StatusOK {
		w.t.Fatalf("exchange by %s for %s: %d %s", client, audience, a.Code, a.Body)
	}
	return a.str("access_token")
}

// wantRefused checks an exchange that must not work.
func (w *world) wantRefused(name, client string, form url.Values, code, why string) {
	w.t.Helper()
	a := w.api(client, "/token", form)
	if a.Code != http.StatusBadRequest || a.str("error") != code || !strings.Contains(a.str("error_description"), why) {
		w.t.Errorf("%s: %d %s, want %s with %q in it", name, a.Code, a.Body, code, why)
	}
}

func TestTokenIsExchangedForABackEnd(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, database string) {
		w := newExchange(t, database)
		u := w.user("alice")
		mine := w.loggedIn("alice").tokens("wiki", "scope", "openid profile").str("access_token")
		w.pass(time.Second)
		a := w.api("wiki", "/token", exchangeForm(mine, testLedger, "scope", "read"))
		got := a.json()
		token := a.str("access_token")
		delete(got, "access_token")
		want := map[string]any{"issued_token_type": accessTokenType, "token_type": "Bearer", "expires_in": float64(120), "scope": "read"}
		if d := cmp.Diff(want, got); d != "" || a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %v", d, a.Header())
		}
		claims, was := w.claimsOf(token), w.claimsOf(mine)
		if claims["jti"] == was["jti"] || claims["jti"] == nil {
			t.Errorf("jti %v, was %v", claims["jti"], was["jti"])
		}
		delete(claims, "jti")
		at := float64(testStart/1000 + 1)
		if d := cmp.Diff(map[string]any{"iss": testIssuer, "sub": u.ID, "aud": testLedger, "client_id": "wiki", "scope": "read", "act": map[string]any{"sub": "wiki"},
			"iat": at, "exp": at + 120, "preferred_username": "alice", "grant": was["grant"], "sid": was["sid"], "auth_time": was["auth_time"], "acr": "1", "amr": []any{"pwd"}}, claims); d != "" {
			t.Error(d)
		}
		if alg := w.algOf(token); alg != keys.RS256 {
			t.Errorf("signed with %s, the resource wants RS256", alg)
		}
		if a := w.askUserinfo(token); a.Code != http.StatusUnauthorized {
			t.Errorf("userinfo takes it: %d", a.Code)
		}
		for _, asks := range []string{"wiki", testLedger} {
			a := w.api(asks, "/introspect", url.Values{"token": {token}})
			if d := cmp.Diff(map[string]any{"sub": "wiki"}, a.json()["act"]); d != "" || a.json()["active"] != true || a.str("username") != "alice" || a.str("scope") != "read" {
				t.Errorf("introspection by %s: %s", asks, a.Body)
			}
		}
		if w.active("other", token) {
			t.Error("another client learns of it")
		}
		w.recorded(store.Entry{Actor: "client:wiki", UserID: u.ID, Name: "alice", ClientID: "wiki", SessionID: was["sid"].(string),
			Detail: `{"audience":"` + testLedger + `","scope":"read","from":"wiki","for":"` + testIssuer + `","chain":["wiki"]}`})
		if a := w.api("wiki", "/revoke", url.Values{"token": {token}}); a.Code != http.StatusOK || w.active("wiki", token) || !w.active("wiki", mine) {
			t.Errorf("after it was given back: %d, active %v, and the other %v", a.Code, w.active("wiki", token), w.active("wiki", mine))
		}
	})
}

// recorded checks the newest audit entry of an exchange.
func (w *world) recorded(want store.Entry) {
	w.t.Helper()
	all, err := w.Store.Entries(w.t.Context(), store.Filter{Event: audit.TokenExchanged})
	must(w.t, err)
	if len(all) == 0 {
		w.t.Fatal("no audit entry")
	}
	got := all[0]
	got.ID, got.At, got.Event, got.Address, got.RequestID = "", 0, "", "", ""
	if d := cmp.Diff(want, got); d != "" {
		w.t.Errorf("audit entry: %s", d)
	}
}

func TestExchangeRequests(t *testing.T) {
	w := newExchange(t, storetest.SQLite(t))
	w.user("alice")
	mine := w.loggedIn("alice").tokens("wiki").str("access_token")
	for name, c := range map[string]struct {
		pairs      []string
		scope, typ string
	}{
		"as it is":          {nil, "read write", accessTokenType},
		"by resource":       {[]string{"audience", "", "resource", testLedger}, "read write", accessTokenType},
		"less":              {[]string{"scope", "write"}, "write", accessTokenType},
		"the same type":     {[]string{"requested_token_type", accessTokenType}, "read write", accessTokenType},
		"a JWT":             {[]string{"requested_token_type", jwtType}, "read write", jwtType},
		"unknown parameter": {[]string{"flavour", "sweet"}, "read write", accessTokenType},
	} {
		a := w.api("wiki", "/token", exchangeForm(mine, testLedger, c.pairs...))
		if a.Code != http.StatusOK || a.str("scope") != c.scope || a.str("issued_token_type") != c.typ || w.claimsOf(a.str("access_token"))["aud"] != testLedger {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
	w.client("wiki").Exchange[0].Scopes = nil
	if a := w.api("wiki", "/token", exchangeForm(mine, testLedger)); a.Code != http.StatusOK || a.str("scope") != "" || !w.active("wiki", a.str("access_token")) {
		t.Errorf("a policy without scopes: %d %s", a.Code, a.Body)
	}
	w.client("wiki").Exchange[0].Scopes = []string{"read", "write"}
	for name, c := range map[string]struct {
		pairs     []string
		code, why string
	}{
		"no token":           {[]string{"subject_token", ""}, "invalid_request", "subject_token is missing"},
		"no type":            {[]string{"subject_token_type", ""}, "invalid_request", "subject_token_type is missing"},
		"an unknown type":    {[]string{"subject_token_type", "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request", "not supported"},
		"a refresh token":    {[]string{"subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request", "not supported"},
		"an actor":           {[]string{"actor_token", mine, "actor_token_type", accessTokenType}, "invalid_request", "actor_token"},
		"an actor's type":    {[]string{"actor_token_type", accessTokenType}, "invalid_request", "actor_token"},
		"nonsense":           {[]string{"subject_token", "nonsense"}, "invalid_request", "not of this issuer"},
		"no audience":        {[]string{"audience", ""}, "invalid_target", "name one"},
		"two audiences":      {[]string{"resource", testArchive}, "invalid_target", "name one"},
		"two in one":         {[]string{"audience", testLedger + " " + testArchive}, "invalid_target", "name one"},
		"for a SAML token":   {[]string{"requested_token_type", "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request", "requested_token_type"},
		"for a refresh":      {[]string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request", "requested_token_type"},
		"a scope of nothing": {[]string{"scope", " "}, "invalid_scope", "scope holds more"},
	} {
		w.wantRefused(name, "wiki", exchangeForm(mine, testLedger, c.pairs...), c.code, c.why)
	}
	w.wantRefused("a client without a policy", "other", exchangeForm(mine, testLedger), "unauthorized_client", "")
	w.client("native").Exchange = w.client("wiki").Exchange // which clients.Check refuses
	form := exchangeForm(w.byNative(codeForm(w.loggedIn("alice").code("native")), nil).str("access_token"), testLedger, "client_id", "native")
	w.do(postForm("/token", form)).wantError(http.StatusBadRequest, "invalid_target")
}

func TestChainOfExchangesNamesWhoeverActs(t *testing.T) {
	w := newExchange(t, storetest.SQLite(t))
	u := w.user("alice")
	first := w.exchange("wiki", w.loggedIn("alice").tokens("wiki").str("access_token"), testLedger)
	second := w.exchange(testLedger, first, testArchive)
	claims := w.claimsOf(second)
	if d := cmp.Diff(map[string]any{"sub": testLedger, "act": map[string]any{"sub": "wiki"}}, claims["act"]); d != "" || claims["sub"] != u.ID || claims["aud"] != testArchive ||
		claims["client_id"] != testLedger || claims["preferred_username"] != "alice" || claims["scope"] != "read" {
		t.Errorf("%v %s", claims, d)
	}
	if !w.active(testLedger, second) {
		t.Error("it is not active")
	}
	// As long as they may be, and no longer.
	policy := w.client(testLedger).Exchange
	w.client(testLedger).Exchange = []store.Exchange{{Audience: testLedger, Scopes: []string{"read"}, From: []string{testLedger}}}
	token := first
	for range grant.MaxChain - 1 {
		token = w.exchange(testLedger, token, testLedger)
	}
	w.wantRefused("one more", testLedger, exchangeForm(token, testLedger), "invalid_request", "as many clients")
	// Who was on the way and is gone takes the token along.
	w.client(testLedger).Exchange = policy
	archive := []store.Exchange{{Audience: testLedger, Scopes: []string{"read"}, From: []string{testArchive}}}
	w.client("other").Exchange = archive
	third := w.exchange("other", second, testLedger)
	if !w.active("other", third) {
		t.Error("the third is not active")
	}
	w.reload(testLedger, func(c *store.Client) { c.ClientID = "gone" })
	w.client("other").Exchange = archive
	if w.active("other", third) {
		t.Error("it is active, though nobody knows who was in the middle any more")
	}
}

// Whatever the client's own configuration says, its policy does not have it.
func TestHoleExchangeForAnAudienceOutsideThePolicy(t *testing.T) {
	w := newExchange(t, storetest.SQLite(t))
	w.user("alice")
	mine := w.loggedIn("alice").tokens("wiki").str("access_token")
	w.wantRefused("another resource", "wiki", exchangeForm(mine, testArchive), "invalid_target", "may not exchange")
	w.wantRefused("an unknown one", "wiki", exchangeForm(mine, "https://unknown.example.com"), "invalid_target", "no resource")
	w.wantRefused("almost this one", "wiki", exchangeForm(mine, testLedger+"/"), "invalid_target", "no resource")
	w.wantRefused("this issuer", "wiki", exchangeForm(mine, testIssuer), "invalid_target", "no resource")
	policy := w.client("wiki").Exchange[0]
	for name, audience := range map[string]string{"an unknown one, by the policy": "https://unknown.example.com", "this issuer, by the policy": testIssuer} {
		w.client("wiki").Exchange[0].Audience = audience
		w.wantRefused(name, "wiki", exchangeForm(mine, audience), "invalid_target", "no resource")
	}
	w.client("wiki").Exchange[0] = policy
	// A resource that is not for this client (resources: clients).
	w.client(testLedger).Exchange[0].Audience = testPayroll
	w.wantRefused("another's resource", testLedger, exchangeForm(w.exchange("wiki", mine, testLedger), testPayroll), "invalid_target", "not for this client")
}

func TestHoleExchangeWidensTheScope(t *testing.T) {
	w := newExchange(t, storetest.SQLite(t))
	w.user("alice")
	b := w.loggedIn("alice")
	mine := b.tokens("wiki").str("access_token")
	w.wantRefused("more than the policy", "wiki", exchangeForm(mine, testLedger, "scope", "read delete"), "invalid_scope", "more than")
	w.wantRefused("what is for userinfo", "wiki", exchangeForm(mine, testLedger, "scope", "openid"), "invalid_scope", "more than")
	reads := w.exchange("wiki", mine, testLedger, "scope", "read")
	writes := w.exchange("wiki", mine, testLedger, "scope", "write")
	// The ledger may pass delete on, where it was given it.
	w.wantRefused("more than the token", testLedger, exchangeForm(reads, testArchive, "scope", "delete"), "invalid_scope", "more than")
	w.wantRefused("nothing of the token", testLedger, exchangeForm(writes, testArchive), "invalid_scope", "none of the scopes")
	if got := w.claimsOf(w.exchange(testLedger, reads, testArchive))["scope"]; got != "read" {
		t.Errorf("scope %v", got)
	}
	// By an exchange with itself.
	w.client("wiki").Exchange = append(w.client("wiki").Exchange, store.Exchange{Audience: testArchive, Scopes: []string{"read", "write", "delete"}})
	w.wantRefused("its own, once narrowed", "wiki", exchangeForm(reads, testArchive, "scope", "write"), "invalid_scope", "more than")
	// A token that was asked for at /authorize, for a resource, has the scope that the user allowed.
	code := b.tokenFor("wiki", testLedger) // openid profile email groups
	w.wantRefused("a token of a code", "wiki", exchangeForm(code, testArchive), "invalid_scope", "none of the scopes")
	w.wantRefused("a token of a code, by the back end", testLedger, exchangeForm(code, testArchive), "invalid_scope", "none of the scopes")
	// The policy has changed since.
	w.client("wiki").Exchange[0].Scopes = []string{"write"}
	if w.active("wiki", reads) || !w.active("wiki", writes) {
		t.Error("what the policy does not have any more is still good")
	}
}

func TestHoleExchangeOutlivesItsSubject(t *testing.T) {
	w := newExchange(t, storetest.SQLite(t))
	w.user("alice")
	mine := w.loggedIn("alice").tokens("wiki").str("access_token")
	end := w.claimsOf(mine)["exp"]
	w.pass(4 * time.Minute)
	w.client("wiki").Exchange[0].Lifetime = store.Duration(time.Hour)
	a := w.api("wiki", "/token", exchangeForm(mine, testLedger))
	if got := w.claimsOf(a.str("access_token"))["exp"]; got != end || a.json()["expires_in"] != float64(60) {
		t.Errorf("it ends at %v, and its subject at %v: %s", got, end, a.Body)
	}
	if got := w.claimsOf(w.exchange(testLedger, a.str("access_token"), testArchive))["exp"]; got != end {
		t.Errorf("the next ends at %v, and its subject at %v", got, end)
	}
	w.pass(time.Minute)
	w.wantRefused("expired", "wiki", exchangeForm(mine, testLedger), "invalid_request", "has expired")
	if w.active("wiki", a.str("access_token")) {
		t.Error("it is active after its end")
	}
}

// Whoever has got hold of a token makes no other of it.
func TestHoleExchangeOfAnotherClientsToken(t *testing.T) {
	w := newExchange(t, storetest.SQLite(t))
	w.user("alice")
	b := w.loggedIn("alice")
	others := b.tokens("other").str("access_token")
	w.wantRefused("another's", "wiki", exchangeForm(others, testLedger), "invalid_request", "another client")
	w.wantRefused("one for the ledger, by the front end that may not take it", "wiki", exchangeForm(b.tokenFor("other", testLedger), testLedger),
		"invalid_request", "another client")
	w.client("wiki").Exchange[0].From = []string{testIssuer, "other"}
	w.wantRefused("another's for userinfo, though the policy says so", "wiki", exchangeForm(others, testLedger), "invalid_request", "another client")
	w.wantRefused("one for another back end", testLedger, exchangeForm(b.tokenFor("wiki", testPayroll), testArchive),
		"invalid_request", "another client")
	w.client("wiki").Exchange = append(w.client("wiki").Exchange, store.Exchange{Audience: testArchive, Scopes: []string{"read"}, From: []string{testLedger}})
	w.wantRefused("what another entry of the policy lets in", "wiki", exchangeForm(b.tokenFor("other", testLedger), testLedger),
		"invalid_request", "another client")
	own := w.api("wiki", "/token", url.Values{"grant_type": {"client_credentials"}}).str("access_token")
	w.wantRefused("a client's own", "wiki", exchangeForm(own, testLedger), "invalid_request", "no user")
}

func TestHoleIDTokenAsSubject(t *testing.T) {
	w := newExchange(t, storetest.SQLite(t))
	w.user("alice")
	id := w.loggedIn("alice").tokens("wiki").str("id_token")
	w.wantRefused("by its name", "wiki", exchangeForm(id, testLedger, "subject_token_type", idTokenType), "invalid_request", "ID token")
	w.wantRefused("as an access token", "wiki", exchangeForm(id, testLedger), "invalid_request", "not of that type")
	w.client("wiki").Exchange[0].From = []string{"wiki"} // whose audience it is
	w.wantRefused("as an assertion", "wiki", exchangeForm(id, testLedger, "subject_token_type", jwtType), "invalid_request", "not of that type")
}

// What was got for a token ends when that is given back, and what a client got when an
// administrator revokes all that it got; neither brings anything back.
func TestHoleExchangeOutlivesARevocation(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, database string) {
		w := newExchange(t, database)
		w.user("alice")
		w.add("middle", func(c *store.Client) {
			c.GrantTypes, c.RedirectURIs = []string{exchangeGrantType}, nil
			c.Exchange = []store.Exchange{{Audience: testArchive, Scopes: []string{"read"}, From: []string{testLedger}}}
		})
		w.client("other").Exchange = []store.Exchange{{Audience: testLedger, Scopes: []string{"read"}, From: []string{testArchive}}}
		b := w.loggedIn("alice")
		chain := func(mine string) (all [3]string) { // of what is got one for the other, by three clients
			all[0] = w.exchange("wiki", mine, testLedger)
			all[1] = w.exchange("middle", all[0], testArchive)
			all[2] = w.exchange("other", all[1], testLedger)
			return all
		}
		active := func(name string, tokens [3]string, want ...bool) {
			t.Helper()
			w.pass(time.Second)
			for i, client := range []string{"wiki", "middle", "other"} {
				if w.active(client, tokens[i]) != want[i] {
					t.Errorf("%s: token %d of the chain is active: %v", name, i+1, !want[i])
				}
			}
		}
		mine := b.tokens("wiki").str("access_token")
		first, second := chain(mine), chain(mine)
		active("to begin with", first, true, true, true)
		w.api("wiki", "/revoke", url.Values{"token": {first[0]}})
		active("the first given back", first, false, false, false)
		active("what was got for the same", second, true, true, true)
		w.wantRefused("the second, when the first was given back", "other", exchangeForm(first[1], testLedger), "invalid_request", "revoked")
		w.set("middle", true, func(*store.Client) {})
		active("all revoked that the second client got", second, true, false, false)
		w.wantRefused("what the second client got", "other", exchangeForm(second[1], testLedger), "invalid_request", "revoked")
		w.pass(time.Second)
		third := chain(mine)
		active("what it gets later", third, true, true, true)
		w.api("wiki", "/revoke", url.Values{"token": {mine}})
		active("the login's own given back", third, false, false, false)
	})
}

// Nothing is got for somebody who is gone, and what was got ends within a second.
func TestHoleExchangeForWhoIsGone(t *testing.T) {
	for name, end := range map[string]func(w *world, u *store.User, claims map[string]any) error{
		"disabled": func(w *world, u *store.User, _ map[string]any) error {
			return w.Store.SetDisabled(w.t.Context(), u.ID, true, store.Entry{Actor: "test"})
		},
		"signed out": func(w *world, _ *store.User, claims map[string]any) error {
			return w.Store.EndSession(w.t.Context(), claims["sid"].(string), store.Entry{Actor: "test"})
		},
		"everywhere": func(w *world, u *store.User, _ map[string]any) error {
			_, err := w.Store.EndLogins(w.t.Context(), u.ID, "", store.Entry{Actor: "test"})
			return err
		},
		"revoked": func(w *world, _ *store.User, claims map[string]any) error {
			return w.Store.RevokeGrant(w.t.Context(), claims["grant"].(string), store.Entry{Actor: "test"})
		},
		"not theirs any more": func(w *world, _ *store.User, _ map[string]any) error {
			w.client("wiki").AllowGroups = []string{"finance"}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.EachURL(t, func(t *testing.T, database string) {
				w := newExchange(t, database)
				u := w.user("alice")
				mine := w.loggedIn("alice").tokens("wiki").str("access_token")
				first := w.exchange("wiki", mine, testLedger)
				second := w.exchange(testLedger, first, testArchive)
				must(t, end(w, u, w.claimsOf(mine)))
				w.pass(time.Second)
				w.wantRefused("exchange", "wiki", exchangeForm(mine, testLedger), "invalid_request", "")
				w.wantRefused("the next", testLedger, exchangeForm(first, testArchive), "invalid_request", "")
				if w.active("wiki", first) || w.active(testLedger, second) {
					t.Error("what was exchanged before is active")
				}
			})
		})
	}
	w := newExchange(t, storetest.SQLite(t))
	w.user("alice")
	mine := w.loggedIn("alice").tokens("wiki").str("access_token")
	first := w.exchange("wiki", mine, testLedger)
	second := w.exchange(testLedger, first, testArchive)
	w.client(testLedger).AllowGroups = []string{"finance"}
	w.wantRefused("at the exchanging client", testLedger, exchangeForm(first, testArchive), "invalid_request", "may not use")
	if w.active(testLedger, second) || !w.active("wiki", first) {
		t.Error("the user may not use the client that exchanged it, and it is active")
	}
	w.client(testLedger).AllowGroups = nil
	w.api("wiki", "/revoke", url.Values{"token": {mine}})
	w.wantRefused("given back", "wiki", exchangeForm(mine, testLedger), "invalid_request", "revoked")
	w.client("wiki").Exchange[0].Scopes = nil
	bare := w.exchange("wiki", w.loggedIn("alice").tokens("wiki").str("access_token"), testLedger) // which no scope takes along
	w.client("wiki").Exchange = nil
	if w.active("wiki", first) || w.active("wiki", bare) {
		t.Error("the policy is gone, and the token is active")
	}
}

func TestExchangeOfABoundTokenNeedsItsKey(t *testing.T) {
	w := newExchange(t, storetest.SQLite(t))
	w.user("alice")
	key, thief := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "ES256")
	bound := w.do(w.prove(postAs("wiki", "/token", codeForm(w.loggedIn("alice").code("wiki"))), key, nil)).str("access_token")
	w.wantRefused("without a proof", "wiki", exchangeForm(bound, testLedger), "invalid_request", "DPoP")
	w.do(w.prove(postAs("wiki", "/token", exchangeForm(bound, testLedger)), thief, nil)).wantError(http.StatusBadRequest, "invalid_request")
	a := w.do(w.prove(postAs("wiki", "/token", exchangeForm(bound, testLedger)), key, nil))
	cnf, _ := w.claimsOf(a.str("access_token"))["cnf"].(map[string]any)
	if a.str("token_type") != "DPoP" || cnf["jkt"] != w.claimsOf(bound)["cnf"].(map[string]any)["jkt"] {
		t.Errorf("%s: cnf %v", a.Body, cnf)
	}
	w.client("wiki").DPoPBoundAccessTokens = true
	w.api("wiki", "/token", exchangeForm(bound, testLedger)).wantError(http.StatusBadRequest, "invalid_dpop_proof")
}

// Whoever registers itself gives itself no policy.
func TestHoleSelfRegisteredExchange(t *testing.T) {
	w := registering(t)
	c := w.register(`{"redirect_uris":["https://app.example.com/cb"],"grant_types":["authorization_code","` + exchangeGrantType + `"],
		"exchange":[{"audience":"` + testLedger + `","scopes":["read"]}],"ticket_exchange":["` + testLedger + `"]}`).wantCreated()
	kept, err := w.Store.ClientByID(t.Context(), c["client_id"].(string))
	must(t, err)
	if len(kept.Exchange) != 0 || len(kept.TicketExchange) != 0 || clients.MayUse(kept, exchangeGrantType) {
		t.Errorf("%+v", kept)
	}
}

// What a ticket gave rests on no session, and on the registration of its client.
func TestHoleTicketsTokenOutlivesItsRegistration(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, database string) {
		w := newExchange(t, database)
		u := w.user("alice")
		post := w.client("post")
		post.TicketExchange = []string{testLedger}
		g := store.Grant{ID: secret.ID(), ClientID: "post", UserID: u.ID, Scope: "openid", Resource: testLedger, CreatedAt: w.now().UnixMilli(), ExpiresAt: w.now().Add(time.Hour).UnixMilli()}
		must(t, w.Store.GiveGrant(t.Context(), store.Give{Grant: g, Login: true, Check: func(store.Standing) error { return nil }}))
		body, err := w.tokens.Respond(tokens.Response{Client: post, Grant: &g, User: u, Scope: "openid", Audience: testLedger})
		must(t, err)
		var got struct {
			Token string `json:"access_token"`
		}
		must(t, json.Unmarshal(body, &got))
		next := w.exchange("wiki", w.loggedIn("alice").tokens("wiki").str("access_token"), testLedger)
		if !w.active(testLedger, got.Token) || !w.active(testLedger, next) {
			t.Fatal("they are not active")
		}
		post.TicketExchange = nil
		if w.active(testLedger, got.Token) || !w.active(testLedger, next) {
			t.Error("the client may not show tickets any more, and the token of one is active; or one of a session is not")
		}
	})
}

// The rules that say what people must show for a client hold for what it gets by an
// exchange, too.
func TestHoleExchangeBesideTheFactorRules(t *testing.T) {
	w := newExchange(t, storetest.SQLite(t))
	w.user("alice")
	shown := w.exchange("wiki", w.loggedIn("alice").tokens("wiki", "scope", "openid profile").str("access_token"), testLedger)
	w.Policy.Rules = policy.Rules{{Networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, Clients: []string{testLedger}, ACR: policy.ACROneFactor}, {Clients: []string{testLedger}, ACR: policy.ACRMultiFactor}}
	w.wantRefused("one factor", testLedger, exchangeForm(shown, testArchive, "scope", "read"), "invalid_request", "acr mfa")
}
