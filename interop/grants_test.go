//go:build interop

package interop_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
	"idp/internal/oidc/rptest"
)

const (
	deviceGrant = `"urn:ietf:params:oauth:grant-type:device_code"`
	bearerGrant = `"urn:ietf:params:oauth:grant-type:jwt-bearer"`
)

// onADevice: a program that cannot open a page shows a code (RFC 8628); bob allows
// one device and refuses another.
func onADevice(t *testing.T, start program) {
	t.Helper()
	r := register(t, registration{ID: "cli", Method: "none", Alg: "ES256", Grants: deviceGrant + ", refresh_token"})
	idp := openFor(t, "", r)
	start(t, idp, r)
	type shown struct {
		Link string `json:"verification_uri_complete"`
	}
	bob, allowed, denied := newVisitor(t, idp), newVisitor(t, idp), newVisitor(t, idp)
	first := reads[shown](t, allowed.post(r.URL+"/device", nil), http.StatusOK)
	second := reads[shown](t, denied.post(r.URL+"/device", nil), http.StatusOK)
	answers := func(field *idptest.Page, answer string) { // what the link has filled in is sent
		bob.consents(bob.typesCode(field, field.Request.URL.Query().Get("user_code")), answer)
	}
	answers(bob.logIn(bob.open(first.Link), "bob", stage.BobPassword), "allow")
	answers(bob.open(second.Link), "deny")
	var refused *idptest.Page
	var wait sync.WaitGroup // both wait as long as they were told, before they ask
	wait.Go(func() { refused = denied.post(r.URL+"/allowed", nil) })
	p := allowed.post(r.URL+"/allowed", nil)
	wait.Wait()
	reads[told](t, p, http.StatusOK).isBob(t, idp, r)
	refusedAt(t, refused, "access_denied")
	reads[told](t, allowed.post(r.URL+"/refresh", nil), http.StatusOK).isBob(t, idp, r)
	bob.submit(bob.open(idp.Issuer+"/end_session"), "form_token", nil)
	refusedAt(t, allowed.post(r.URL+"/refresh", nil), "invalid_grant")
}

// bringsAJWT: a token for a JWT (RFC 7523 §2.1), signed with the client's own key
// or by the platform that runs it, which is told apart by iss and sub.
func bringsAJWT(t *testing.T, file string) {
	t.Helper()
	const platform, job = "https://ci.example", "repo:org/app:ref:refs/heads/main"
	own := register(t, registration{ID: "own", Method: "private_key_jwt", Alg: "RS256", Key: rptest.NewKey(t, "ES256"), Grants: bearerGrant})
	own.Meta = map[string]any{"jwks": own.Key.JWKS()}
	run := register(t, registration{ID: "run", Method: "none", Alg: "RS256", Key: rptest.NewKey(t, "RS256"), Grants: bearerGrant})
	run.Meta = map[string]any{"trusted_assertions": []map[string]string{{"issuer": platform, "subject": job, "jwks_uri": run.URL + "/jwks"}}}
	idp := openFor(t, "", own, run)
	for r, about := range map[*registration][2]string{own: {own.ID, own.ID}, run: {platform, job}} {
		t.Run(r.ID, func(t *testing.T) {
			startNode(t, file, idp, r)
			v := newVisitor(t, idp)
			claims := map[string]any{"iss": about[0], "sub": about[1]}
			assertion := func() string { return r.Key.Assertion(t, r.ID, idp.Issuer, time.Now(), claims) }
			w := reads[told](t, v.send(http.MethodPost, r.URL+"/bearer", assertion(), ""), http.StatusOK)
			if got := part[idToken](t, w.Access, 1); got.Sub != r.ID {
				t.Errorf("a token for %q, want one for %s", got.Sub, r.ID)
			}
			claims["sub"] = "bob"
			refusedAt(t, v.send(http.MethodPost, r.URL+"/bearer", assertion(), ""), "invalid_grant")
		})
	}
}
