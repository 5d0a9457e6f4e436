package oidc

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/audit"
	"idp/internal/keys"
	"idp/internal/oidc/rptest"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// assertion is what forward auth tells an application.
func (w *world) assertion(typ string, changes map[string]any) string {
	w.t.Helper()
	claims := map[string]any{"iss": testIssuer, "aud": "reports.example.com", "iat": w.now().Unix(), "exp": w.now().Unix() + 60, "acr": "1"}
	for name, value := range changes {
		claims[name] = value
	}
	raw, err := json.Marshal(claims)
	must(w.t, err)
	token, err := w.Keys.Sign(keys.ES256, typ, raw)
	must(w.t, err)
	return token
}

func siteForm(token string, pairs ...string) url.Values {
	return exchangeForm(token, testArchive, slices.Concat([]string{"subject_token_type", jwtType}, pairs)...)
}

func TestAssertionOfForwardAuthIsExchanged(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, database string) {
		w := newExchange(t, database)
		u := w.user("alice")
		was := w.claimsOf(w.loggedIn("alice").tokens("wiki").str("access_token"))
		for name, c := range map[string]struct{ grant, sid any }{
			"of a browser":                {was["grant"], was["sid"]},
			"of a session without grant":  {nil, was["sid"]},
			"of a program with a ticket":  {nil, nil},
			"of a program, the next time": {nil, nil},
		} {
			shown := w.assertion(keys.TypeAssertion, map[string]any{"sub": u.ID, "grant": c.grant, "sid": c.sid, "auth_time": testStart / 1000, "acr": "1", "amr": []string{"wia"}})
			a := w.api(testLedger, "/token", siteForm(shown))
			if a.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", name, a.Code, a.Body)
			}
			token := a.str("access_token")
			claims := w.claimsOf(token)
			if d := cmp.Diff(map[string]any{"sub": testLedger}, claims["act"]); d != "" || claims["sub"] != u.ID || claims["sid"] != c.sid || claims["preferred_username"] != "alice" ||
				claims["scope"] != "read delete" || claims["exp"] != float64(w.now().Unix()+60) || claims["grant"] == nil {
				t.Errorf("%s: %v %s", name, claims, d)
			}
			if c.grant == nil && cmp.Diff([]any{"wia"}, claims["amr"]) != "" {
				t.Errorf("%s: amr %v", name, claims["amr"])
			}
			if !w.active(testLedger, token) {
				t.Errorf("%s: it is not active", name)
			}
			defer func() {
				if w.active(testLedger, token) {
					t.Errorf("%s: the user is disabled, and it is active", name)
				}
				w.wantRefused(name, testLedger, siteForm(shown), "invalid_request", "disabled")
			}()
		}
		w.recorded(store.Entry{Actor: "client:" + testLedger, UserID: u.ID, Name: "alice", ClientID: testLedger, SessionID: w.lastSession(),
			Detail: `{"audience":"` + testArchive + `","scope":"read delete","from":"reports.example.com","for":"reports.example.com","chain":["` + testLedger + `"]}`})
		must(t, w.Store.SetDisabled(t.Context(), u.ID, true, store.Entry{Actor: "test"}))
		w.pass(time.Second)
	})
}

func (w *world) lastSession() string {
	w.t.Helper()
	all, err := w.Store.Entries(w.t.Context(), store.Filter{Event: audit.TokenExchanged})
	must(w.t, err)
	return all[0].SessionID
}

// What is no assertion of ours, for whom the policy says, gets nothing.
func TestHoleForgedAssertion(t *testing.T) {
	w := newExchange(t, storetest.SQLite(t))
	u, other := w.user("alice"), w.user("bob")
	was := w.claimsOf(w.loggedIn("alice").tokens("wiki").str("access_token"))
	good := map[string]any{"sub": u.ID, "grant": was["grant"], "sid": was["sid"]}
	with := func(changes ...any) map[string]any {
		all := map[string]any{}
		for i := 0; i < len(changes); i += 2 {
			all[changes[i].(string)] = changes[i+1]
		}
		for name, v := range good {
			if _, ok := all[name]; !ok {
				all[name] = v
			}
		}
		return all
	}
	for name, c := range map[string]struct {
		token, why string
	}{
		"an access token":   {w.assertion(keys.TypeAccessToken, good), "not of that type"},
		"a logout token":    {w.assertion(keys.TypeLogoutToken, good), "not of that type"},
		"a JWT":             {w.assertion(keys.TypeIDToken, good), "not of that type"},
		"another issuer's":  {w.assertion(keys.TypeAssertion, with("iss", "https://evil.example")), "not of this issuer"},
		"for another site":  {w.assertion(keys.TypeAssertion, with("aud", "wiki.example.com")), "audience"},
		"for several":       {w.assertion(keys.TypeAssertion, with("aud", []string{"reports.example.com", "x"})), "not of this issuer"},
		"for this issuer":   {w.assertion(keys.TypeAssertion, with("aud", testIssuer)), "audience"},
		"expired":           {w.assertion(keys.TypeAssertion, with("exp", w.now().Unix())), "expired"},
		"without an end":    {w.assertion(keys.TypeAssertion, with("exp", nil)), "expired"},
		"about another":     {w.assertion(keys.TypeAssertion, with("sub", other.ID)), "revoked"},
		"about nobody":      {w.assertion(keys.TypeAssertion, with("sub", "nobody", "grant", nil, "sid", nil)), "revoked"},
		"another's session": {w.assertion(keys.TypeAssertion, with("sub", other.ID, "grant", nil)), "revoked"},
		"an ended session":  {w.assertion(keys.TypeAssertion, with("sid", "over", "grant", nil)), "revoked"},
		"another's key":     {rptest.NewKey(t, "ES256").Assertion(t, testIssuer, "reports.example.com", w.now(), map[string]any{"sub": u.ID}), "not of this issuer"},
		"unsigned":          {unsigned(w.assertion(keys.TypeAssertion, good), `{"alg":"none","typ":"assertion+jwt"}`), "not of this issuer"},
	} {
		w.wantRefused(name, testLedger, siteForm(c.token), "invalid_request", c.why)
	}
	w.wantRefused("an assertion as an access token", testLedger, exchangeForm(w.assertion(keys.TypeAssertion, good), testArchive), "invalid_request", "not of that type")
	if a := w.askUserinfo(w.assertion(keys.TypeAssertion, with("aud", testIssuer, "client_id", "wiki", "scope", "openid"))); a.Code != http.StatusUnauthorized {
		t.Errorf("userinfo takes an assertion: %d", a.Code)
	}
	w.wantRefused("at a client that takes none", "wiki", exchangeForm(w.assertion(keys.TypeAssertion, good), testLedger, "subject_token_type", jwtType), "invalid_request", "audience")
	if a := w.api(testLedger, "/token", siteForm(w.assertion(keys.TypeAssertion, good))); a.Code != http.StatusOK {
		t.Errorf("the good one: %d %s", a.Code, a.Body)
	}
}
