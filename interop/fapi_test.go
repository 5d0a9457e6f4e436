//go:build interop

package interop_test

import (
	"fmt"
	"net/http"
	"testing"

	"idp/examples/demo/stage"
	"idp/internal/oidc/rptest"
)

// bank is a client of FAPI 2.0: it signs with its key, pushes its requests, and
// its tokens are bound to a key that it proves to hold, all with one algorithm.
func bank(t *testing.T, alg, resource string) *registration {
	t.Helper()
	key := rptest.NewKey(t, alg)
	r := register(t, registration{
		ID: "bank-" + alg, Method: "private_key_jwt", Alg: alg, Key: key, TLS: true, Grants: "authorization_code, refresh_token, client_credentials",
		Meta: map[string]any{"profile": "fapi2", "userinfo_signed_response_alg": alg},
		Site: map[string]any{"dpop": alg, "require_pushed_authorization_requests": true, "resource": resource},
	})
	r.Meta["jwks_uri"] = r.URL + "/jwks"
	return r
}

// fapi is bob at sites that are clients of FAPI 2.0 (Security Profile §5.3.3).
func fapi(t *testing.T, file string) {
	t.Helper()
	ledger := newLedger(t)
	var banks []*registration
	for _, alg := range []string{"ES256", "PS256", "EdDSA"} {
		banks = append(banks, bank(t, alg, ledger.ID))
	}
	idp := openFor(t, ledger.resource("PS256"), append(banks, ledger.registration)...)
	startNode(t, "ledger.mjs", idp, ledger.registration)
	for _, r := range banks {
		t.Run(r.Alg, func(t *testing.T) {
			startNode(t, file, idp, r)
			visit(t, idp, r, webSite(r))
			v := newVisitor(t, idp)
			first := reads[told](t, bobLogsIn(v, r), http.StatusOK)
			first.isBound(t)
			second := reads[told](t, v.post(r.URL+"/refresh?another_key=yes", nil), http.StatusOK)
			second.isBound(t)
			if second.Refresh != first.Refresh || keyOf(t, second.Access) == keyOf(t, first.Access) {
				t.Error("want the same refresh token, and an access token for the new key")
			}
			ledger.takes(t, v, r, "PS256", "DPoP")
			refusedAt(t, v.post(r.URL+"/as-bearer", nil), "invalid_token")
			gone(t, v, r)
			actsForItself(t, v, r)
			refusedAt(t, v.open(r.URL+r.Login+"?par=no"), "invalid_request")
			refusedAt(t, v.logIn(v.open(r.URL+r.Login+"?dpop=no&prompt=login"), "bob", stage.BobPassword), "invalid_dpop_proof")
		})
	}
}

// isBound: the access token is good with its key's proof only (RFC 9449 §5).
func (w told) isBound(t *testing.T) {
	t.Helper()
	if w.Type != "dpop" || keyOf(t, w.Access) == "" { // the libraries write types in lower case
		t.Errorf("token_type %q, bound to key %q", w.Type, keyOf(t, w.Access))
	}
}

// keyOf is the thumbprint of the key that an access token is bound to.
func keyOf(t *testing.T, token string) string {
	t.Helper()
	return part[struct {
		Confirmation struct {
			JKT string `json:"jkt"`
		} `json:"cnf"`
	}](t, token, 1).Confirmation.JKT
}

// ledger is a service that takes access tokens made for it (RFC 8707).
type ledger struct{ *registration }

func newLedger(t *testing.T) ledger {
	t.Helper()
	r := register(t, registration{Method: "client_secret_basic", Alg: "RS256", Grants: "client_credentials", TLS: true})
	r.ID = r.URL + "/entries"
	return ledger{r}
}

// resource is the service in idp's file; alg signs the tokens for it.
func (l ledger) resource(alg string) string {
	return fmt.Sprintf("resources: [{uri: %q, access_token_alg: %s}]\n", l.ID, alg)
}

// takes: a site gets a token for the service, and the service verifies it, with the
// proof of its key where it is bound, and asks idp whether it counts.
func (l ledger) takes(t *testing.T, v *visitor, r *registration, alg, kind string) {
	t.Helper()
	type claims struct {
		Aud      string `json:"aud"`
		ClientID string `json:"client_id"`
		Active   bool   `json:"active"`
		Type     string `json:"token_type"`
	}
	got := reads[struct {
		Alg                   string
		Claims, Introspection claims
	}](t, v.post(r.URL+"/at-resource", nil), http.StatusOK)
	if got.Alg != alg || got.Claims.Aud != l.ID || got.Claims.ClientID != r.ID || !got.Introspection.Active || got.Introspection.Aud != l.ID || got.Introspection.Type != kind {
		t.Errorf("%+v, want a %s token of %s for %s, signed with %s", got, kind, r.ID, l.ID, alg)
	}
}
