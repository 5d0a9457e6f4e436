package oidc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/grant"
	"idp/internal/oidc/rptest"
	"idp/internal/oidc/wire"
	"idp/internal/store"
)

const tokenURL = testIssuer + "/token"

// prove adds a proof with a fresh nonce to a request.
func (w *world) prove(r *http.Request, key *rptest.Key, changes map[string]any) *http.Request {
	r.Header.Add("DPoP", key.Proof(w.t, r.Method, testIssuer+r.URL.Path, w.auth.Nonces.Issue(w.now()), w.now(), changes))
	return r
}

func (w *world) byNative(form url.Values, key *rptest.Key) *answer {
	form.Set("client_id", "native")
	r := postForm("/token", form)
	if key != nil {
		w.prove(r, key, nil)
	}
	return w.do(r)
}

func TestDPoPBindsAccessTokensToAKey(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	b := w.loggedIn("alice")
	for _, alg := range []string{"ES256", "RS256", "PS256", "EdDSA"} {
		key := rptest.NewKey(t, alg)
		a := w.byNative(codeForm(b.code("native")), key)
		if a.Code != http.StatusOK || a.str("token_type") != "DPoP" {
			t.Fatalf("%s: %d %s", alg, a.Code, a.Body)
		}
		token := a.str("access_token")
		want := map[string]any{"jkt": key.Thumbprint(t)}
		if d := cmp.Diff(want, w.claimsOf(token)["cnf"]); d != "" {
			t.Errorf("%s: cnf %s", alg, d)
		}
		if a := w.boundUserinfo(token, key, nil); a.Code != http.StatusOK || a.str("sub") != u.ID {
			t.Errorf("%s: userinfo %d %s", alg, a.Code, a.Body)
		}
	}
}

// boundUserinfo asks with a token and a proof about it.
func (w *world) boundUserinfo(token string, key *rptest.Key, changes map[string]any) *answer {
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	r.Header.Set("Authorization", "DPoP "+token)
	all := map[string]any{"ath": rptest.TokenHash(token)}
	for name, v := range changes {
		all[name] = v
	}
	return w.do(w.prove(r, key, all))
}

// A bound token that is stolen is worth nothing: without the key, with another's,
// as a bearer token, or with a proof that was for something else.
func TestStolenBoundTokenIsWorthNothing(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	key, thief := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "ES256")
	token := w.byNative(codeForm(w.loggedIn("alice").code("native")), key).str("access_token")
	get := func(scheme string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
		r.Header.Set("Authorization", scheme+" "+token)
		return r
	}
	ath := map[string]any{"ath": rptest.TokenHash(token)}
	spent := w.prove(get("DPoP"), key, ath)
	if a := w.do(spent.Clone(t.Context())); a.Code != http.StatusOK {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	twice := w.prove(w.prove(get("DPoP"), key, ath), key, ath)
	for name, c := range map[string]struct {
		r    *http.Request
		code string
	}{
		"as a bearer token":             {get("Bearer"), "invalid_token"},
		"as a bearer token, with proof": {w.prove(get("Bearer"), key, ath), "invalid_token"},
		"in a form":                     {postForm("/userinfo", url.Values{"access_token": {token}}), "invalid_token"},
		"without a proof":               {get("DPoP"), "invalid_dpop_proof"},
		"by another key":                {w.prove(get("DPoP"), thief, ath), "invalid_dpop_proof"},
		"about another token":           {w.prove(get("DPoP"), key, map[string]any{"ath": rptest.TokenHash("x")}), "invalid_dpop_proof"},
		"about none":                    {w.prove(get("DPoP"), key, nil), "invalid_dpop_proof"},
		"for another method":            {w.prove(get("DPoP"), key, map[string]any{"ath": ath["ath"], "htm": "POST"}), "invalid_dpop_proof"},
		"for another URL":               {w.prove(get("DPoP"), key, map[string]any{"ath": ath["ath"], "htu": tokenURL}), "invalid_dpop_proof"},
		"old nonce":                     {w.prove(get("DPoP"), key, map[string]any{"ath": ath["ath"], "nonce": w.auth.Nonces.Issue(w.now().Add(-time.Hour))}), "use_dpop_nonce"},
		"no nonce":                      {w.prove(get("DPoP"), key, map[string]any{"ath": ath["ath"], "nonce": nil}), "use_dpop_nonce"},
		"a second time":                 {spent, "invalid_dpop_proof"},
		"two proofs":                    {twice, "invalid_dpop_proof"},
	} {
		a := w.do(c.r)
		challenge := strings.Join(a.Header().Values("WWW-Authenticate"), ", ")
		if a.Code != http.StatusUnauthorized || !strings.Contains(challenge, "DPoP ") || !strings.Contains(challenge, `error="`+c.code+`"`) || !strings.Contains(challenge, `algs="ES256 `) {
			t.Errorf("%s: %d %s", name, a.Code, challenge)
		}
	}
	plain := w.loggedIn("alice").tokens("wiki").str("access_token")
	if a := w.boundUserinfo(plain, thief, nil); a.Code != http.StatusUnauthorized {
		t.Errorf("a bearer token is taken as a bound one: %d", a.Code)
	}
}

func TestDPoPNonceIsAskedForAndTold(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	key := rptest.NewKey(t, "ES256")
	form := codeForm(w.loggedIn("alice").code("native"))
	form.Set("client_id", "native")
	first := postForm("/token", form)
	first.Header.Set("DPoP", key.Proof(t, "POST", tokenURL, "", w.now(), nil))
	first.Header.Set("Origin", "https://spa.example")
	a := w.do(first)
	a.wantError(http.StatusBadRequest, "use_dpop_nonce")
	nonce := a.Header().Get("DPoP-Nonce")
	if nonce == "" || len(a.Header().Values("DPoP-Nonce")) != 1 || !strings.Contains(a.Header().Get("Access-Control-Expose-Headers"), "DPoP-Nonce") {
		t.Errorf("nonce %q, exposed %q", nonce, a.Header().Get("Access-Control-Expose-Headers"))
	}
	again := postForm("/token", form) // the code is good still
	again.Header.Set("DPoP", key.Proof(t, "POST", tokenURL, nonce, w.now(), nil))
	if a := w.do(again); a.Code != http.StatusOK || a.Header().Get("DPoP-Nonce") == "" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

// An assertion that came with a proof which only lacks the nonce is not used up.
func TestAMissingNonceUsesNoAssertionUp(t *testing.T) {
	w := newWorld(t)
	key := rptest.NewKey(t, "ES256")
	w.signing("bank", key, func(c *store.Client) { c.Profile = clients.ProfileFAPI2 })
	form := assertionForm(key.Assertion(t, "bank", testIssuer, w.now(), nil))
	w.do(postForm("/token", form)).wantError(http.StatusBadRequest, "invalid_dpop_proof") // it has to send one
	r := postForm("/token", form)
	r.Header.Set("DPoP", key.Proof(t, "POST", tokenURL, "", w.now(), nil))
	w.do(r).wantError(http.StatusBadRequest, "use_dpop_nonce")
	if a := w.do(w.prove(postForm("/token", form), key, nil)); a.Code != http.StatusOK || a.str("token_type") != "DPoP" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

func TestCodeIsBoundToDPoPKey(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	key, thief := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "ES256")
	code := b.code("native", "dpop_jkt", key.Thumbprint(t))
	w.byNative(codeForm(code), thief).wantError(http.StatusBadRequest, "invalid_grant")
	w.byNative(codeForm(code), nil).wantError(http.StatusBadRequest, "invalid_grant")
	if a := w.byNative(codeForm(code), key); a.Code != http.StatusOK { // nothing was used up
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if back := b.get(authorizeURL("native", "dpop_jkt", "short")).back(); back.Get("error") != "invalid_request" {
		t.Errorf("%v", back)
	}
}

func TestRefreshTokenOfAPublicClientIsBoundToItsKey(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	key, thief := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "ES256")
	token := w.byNative(codeForm(w.loggedIn("alice").code("native")), key).str("refresh_token")
	w.byNative(refreshForm(token), thief).wantError(http.StatusBadRequest, "invalid_grant")
	w.byNative(refreshForm(token), nil).wantError(http.StatusBadRequest, "invalid_grant")
	a := w.byNative(refreshForm(token), key)
	if a.Code != http.StatusOK || a.str("token_type") != "DPoP" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

func TestIntrospectionTellsTheKey(t *testing.T) {
	w := newWorld(t)
	key := rptest.NewKey(t, "ES256")
	r := postForm("/token", url.Values{"grant_type": {"client_credentials"}})
	r.SetBasicAuth("machine", "secret")
	token := w.do(w.prove(r, key, nil)).str("access_token")
	a := w.api("machine", "/introspect", url.Values{"token": {token}}).json()
	if d := cmp.Diff(map[string]any{"jkt": key.Thumbprint(t)}, a["cnf"]); d != "" || a["token_type"] != "DPoP" {
		t.Errorf("%v %s", a["token_type"], d)
	}
}

// FAPI 2.0 Security Profile §5.3.2.1: no rotation; the token is the client's, by
// its key.
func TestRefreshTokenOfAFAPIClientStays(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	key := rptest.NewKey(t, "ES256")
	w.signing("bank", key, func(c *store.Client) { c.Profile = clients.ProfileFAPI2 })
	row := store.Session{UserID: u.ID, ID: w.loggedIn("alice").sid()}
	a := &authreq.Request{Client: w.client("bank"), Redirect: testRedirect, Scope: "openid", Challenge: challengeFor(testVerifier), Params: wire.Params{}}
	code := w.codeRow(a, &row, "a code")
	must(t, w.Store.FinishAuthorization(t.Context(), store.Finish{SessionID: row.ID, Code: code}))
	ask := func(f url.Values, proof *rptest.Key) *answer {
		f.Set("client_assertion_type", rptest.AssertionType)
		f.Set("client_assertion", key.Assertion(t, "bank", testIssuer, w.now(), nil))
		return w.do(w.prove(postForm("/token", f), proof, nil))
	}
	first := ask(codeForm("a code"), key)
	if first.Code != http.StatusOK {
		t.Fatalf("%d %s", first.Code, first.Body)
	}
	rsa := rptest.NewKey(t, "PS256") // §5.4.1: the same key with RS256 is not taken, at userinfo either
	bound := ask(refreshForm(first.str("refresh_token")), rsa).str("access_token")
	if a := w.boundUserinfo(bound, rsa, nil); a.Code != http.StatusOK {
		t.Errorf("PS256: %d %s", a.Code, a.Body)
	}
	rsa.Alg = "RS256"
	if a := w.boundUserinfo(bound, rsa, nil); a.Code != http.StatusUnauthorized {
		t.Errorf("RS256: %d %s", a.Code, a.Body)
	}
	for range 3 {
		w.pass(grant.RefreshGrace + time.Second)
		if next := ask(refreshForm(first.str("refresh_token")), key); next.Code != http.StatusOK || next.str("refresh_token") != first.str("refresh_token") {
			t.Fatalf("%d %s", next.Code, next.Body)
		}
	}
}

// RFC 9449 §5.2, FAPI 2.0 Security Profile §5.3.2.1: who is registered for bound
// tokens gets no others, and at the token endpoint only is the proof missed.
func TestClientRegisteredForBoundTokensGetsNoOthers(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.client("wiki").DPoPBoundAccessTokens = true
	code := w.loggedIn("alice").code("wiki")
	w.api("wiki", "/token", codeForm(code)).wantError(http.StatusBadRequest, "invalid_dpop_proof")
	r := postForm("/token", codeForm(code))
	r.SetBasicAuth("wiki", "secret")
	a := w.do(w.prove(r, rptest.NewKey(t, "ES256"), nil))
	if a.Code != http.StatusOK || a.str("token_type") != "DPoP" || w.claimsOf(a.str("access_token"))["cnf"] == nil {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	w.api("wiki", "/token", refreshForm(a.str("refresh_token"))).wantError(http.StatusBadRequest, "invalid_dpop_proof")
}
