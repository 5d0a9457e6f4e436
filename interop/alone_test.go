//go:build interop

package interop_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"idp/examples/demo/stage"
	"idp/internal/oidc/rptest"
	"idp/internal/secret"
)

// asksOtherwise: the ways to ask, each by itself: with the answer posted, pushed,
// for single claims, for a token that is for a service.
func asksOtherwise(t *testing.T, file string) {
	t.Helper()
	ledger := newLedger(t)
	r := register(t, registration{ID: "site", Method: "client_secret_basic", Alg: "RS256", TLS: true, Site: map[string]any{"resource": ledger.ID}})
	idp := openFor(t, ledger.resource("RS256"), r, ledger.registration)
	startNode(t, file, idp, r)
	startNode(t, "ledger.mjs", idp, ledger.registration)
	v := newVisitor(t, idp)
	p := v.submit(v.logIn(v.open(r.URL+r.Login+"?response_mode=form_post"), "bob", stage.BobPassword), "code", nil)
	posted := reads[told](t, p, http.StatusOK)
	posted.isBob(t, idp, r)
	if posted.Callback != http.MethodPost {
		t.Errorf("the answer came by %s, want POST", posted.Callback)
	}
	ledger.takes(t, v, r, "RS256", "Bearer")

	p = v.open(r.URL + r.Login + "?par=yes")
	reads[told](t, p, http.StatusOK).isBob(t, idp, r)
	if q := queryOf(t, p, "/authorize"); q.Get("request_uri") == "" || q.Has("scope") {
		t.Errorf("asked with %v, want a request_uri alone", q)
	}

	claims := url.Values{"claims": {`{"id_token":{"email":{"essential":true},"auth_time":null}}`}}
	asked := reads[told](t, v.open(r.URL+r.Login+"?"+claims.Encode()), http.StatusOK)
	if got := asked.claims(t).Email; got != "bob@example.com" {
		t.Errorf("email in the ID token: %q", got)
	}
	p = v.submit(v.open(r.URL+r.Login+"?response_mode=form_post&prompt=none&max_age=0"), "error", nil)
	refusedAt(t, p, "login_required")
}

// byItsKey: the site signs with a key of its own, which idp finds at its jwks_uri.
func byItsKey(t *testing.T, file string) {
	t.Helper()
	r := register(t, registration{
		ID: "site", Method: "private_key_jwt", Alg: "RS256", Key: rptest.NewKey(t, "RS256"),
		Grants: "authorization_code, refresh_token, client_credentials", Meta: map[string]any{"userinfo_signed_response_alg": "RS256"},
	})
	r.Meta["jwks_uri"] = r.URL + "/jwks"
	idp := openFor(t, "", r)
	startNode(t, file, idp, r)
	v := newVisitor(t, idp)
	reads[told](t, bobLogsIn(v, r), http.StatusOK).isBob(t, idp, r)
	gone(t, v, r)
	actsForItself(t, v, r)
}

// consents: people are asked whether a site that is not trusted may know them.
func consents(t *testing.T, file string) {
	t.Helper()
	r := register(t, registration{ID: "site", Method: "client_secret_basic", Alg: "RS256", More: "trusted: false"})
	idp := openFor(t, "", r)
	startNode(t, file, idp, r)
	v := newVisitor(t, idp)
	refusedAt(t, v.consents(bobLogsIn(v, r), "deny"), "access_denied")
	refusedAt(t, v.open(r.URL+r.Login+"?prompt=none"), "interaction_required")
	page := v.open(r.URL + r.Login)
	reads[told](t, v.consents(page, "allow"), http.StatusOK).isBob(t, idp, r)
	reads[told](t, v.open(r.URL+r.Login), http.StatusOK).isBob(t, idp, r) // and is not asked again
	page = v.open(r.URL + r.Login + "?prompt=consent")
	reads[told](t, v.consents(page, "allow"), http.StatusOK).isBob(t, idp, r)
}

// registersItself: what idp knows of the site is what the site has told it
// (RFC 7591). It is not trusted, and sees no groups.
func registersItself(t *testing.T, file string) {
	t.Helper()
	token := secret.ID()
	name := filepath.Join(t.TempDir(), "initial.token")
	must(t, os.WriteFile(name, []byte(token+"\n"), 0o600))
	idp := openFor(t, fmt.Sprintf("registration: {initial_access_token_file: %q}\n", name))
	for _, r := range []registration{
		{Method: "client_secret_basic", Alg: "RS256"},
		{Method: "client_secret_post", Alg: "ES256"},
		{Method: "private_key_jwt", Alg: "EdDSA", Key: rptest.NewKey(t, "ES256")},
	} {
		t.Run(r.Method, func(t *testing.T) {
			r.TLS = true
			r := register(t, r)
			r.Secret = "" // the answer to its registration has one
			r.Site = map[string]any{"initial_access_token": token}
			startNode(t, file, idp, r)
			v := newVisitor(t, idp)
			p := v.consents(bobLogsIn(v, r), "allow")
			first := reads[told](t, p, http.StatusOK)
			if u := first.Userinfo; u.Name != "bob" || u.Email != "bob@example.com" || u.Groups != nil || first.claims(t).Alg != r.Alg {
				t.Errorf("%+v, want bob without his groups, and %s", first, r.Alg)
			}
			if second := reads[told](t, v.post(r.URL+"/refresh", nil), http.StatusOK); second.Access == first.Access {
				t.Error("after the refresh the tokens are still the old ones")
			}
			webSite(r).signOut(t, v)
		})
	}
}
