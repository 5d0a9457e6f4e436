package oidc

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/rptest"
	"idp/internal/store"
)

// signing registers a client that authenticates by a key of its own.
func (w *world) signing(id string, key *rptest.Key, change func(*store.Client)) {
	w.t.Helper()
	c := store.Client{ClientID: id, TokenEndpointAuthMethod: "private_key_jwt", JWKS: key.JWKS(), RedirectURIs: []string{testRedirect},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"}, Scope: "openid profile email groups read"}
	if change != nil {
		change(&c)
	}
	if problems := clients.Check(&c); problems != nil {
		w.t.Fatal(problems)
	}
	must(w.t, w.Store.AddClient(w.t.Context(), c, store.Entry{Actor: "test"}))
}

func (w *world) now() time.Time { return time.UnixMilli(w.clock.Load()) }

func assertionForm(assertion string, pairs ...string) url.Values {
	return changed(url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {rptest.AssertionType}, "client_assertion": {assertion}}, pairs)
}

func TestClientProvesItselfByItsKey(t *testing.T) {
	w := newWorld(t)
	for _, alg := range []string{"ES256", "RS256", "PS256", "EdDSA"} {
		key := rptest.NewKey(t, alg)
		w.signing("signs-"+alg, key, nil)
		for _, audience := range []string{testIssuer, testIssuer + "/token"} {
			a := w.do(postForm("/token", assertionForm(key.Assertion(t, "signs-"+alg, audience, w.now(), nil))))
			if a.Code != http.StatusOK {
				t.Errorf("%s for %s: %d %s", alg, audience, a.Code, a.Body)
			}
		}
	}
}

func TestClientAssertionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	key, other := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "ES256")
	w.signing("signs", key, nil)
	w.signing("picky", key, func(c *store.Client) { c.TokenEndpointAuthAlg = "PS256" })
	w.signing("bank", key, func(c *store.Client) { c.Profile = clients.ProfileFAPI2 })
	w.signing("far", key, func(c *store.Client) { c.JWKS, c.JWKSURI = nil, "https://192.0.2.1/jwks" })
	good := func(client, audience string, changes map[string]any) url.Values {
		return assertionForm(key.Assertion(t, client, audience, w.now(), changes))
	}
	for name, form := range map[string]url.Values{
		"another's key":            assertionForm(other.Assertion(t, "signs", testIssuer, w.now(), nil)),
		"another audience":         good("signs", "https://evil.example", nil),
		"too late":                 good("signs", testIssuer, map[string]any{"exp": w.now().Add(-2 * time.Minute).Unix()}),
		"no jti":                   good("signs", testIssuer, map[string]any{"jti": nil}),
		"about another":            good("signs", testIssuer, map[string]any{"sub": "wiki"}),
		"of another client":        good("signs", testIssuer, map[string]any{"iss": "wiki", "sub": "wiki"}),
		"another client_id":        assertionForm(key.Assertion(t, "signs", testIssuer, w.now(), nil), "client_id", "wiki"),
		"another algorithm":        good("picky", testIssuer, nil),
		"FAPI: token endpoint":     good("bank", testIssuer+"/token", nil),
		"unknown client":           good("nobody", testIssuer, nil),
		"another type":             assertionForm(key.Assertion(t, "signs", testIssuer, w.now(), nil), "client_assertion_type", "x"),
		"type alone":               assertionForm("", "client_id", "signs"),
		"keys cannot be had":       good("far", testIssuer, nil),
		"no JWT":                   assertionForm("abc"),
		"by a client with secrets": assertionForm(key.Assertion(t, "wiki", testIssuer, w.now(), nil)),
	} {
		a := w.do(postForm("/token", form))
		if a.Code != http.StatusUnauthorized || a.str("error") != "invalid_client" || a.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
	withSecret := assertionForm(key.Assertion(t, "signs", testIssuer, w.now(), nil), "client_secret", "secret")
	w.do(postForm("/token", withSecret)).wantError(http.StatusBadRequest, "invalid_request")
	basic := postForm("/token", assertionForm(key.Assertion(t, "signs", testIssuer, w.now(), nil)))
	basic.SetBasicAuth("signs", "secret")
	w.do(basic).wantError(http.StatusBadRequest, "invalid_request")
}

// What an admin registered may be on this machine; what registered itself is not
// even asked. An unknown kid makes us ask again, and not as often as somebody likes.
func TestClientKeysByURL(t *testing.T) {
	w := newWorld(t)
	old, next := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "PS256")
	var current atomic.Pointer[rptest.Key]
	current.Store(old)
	site := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(current.Load().JWKS()) }))
	defer site.Close()
	roots := x509.NewCertPool()
	roots.AddCert(site.Certificate())
	fetchers, err := clients.NewFetchers(roots)
	must(t, err)
	w.auth.Keys = clients.NewKeySources(fetchers)
	w.signing("far", old, func(c *store.Client) { c.JWKS, c.JWKSURI = nil, site.URL+"/jwks" })
	w.signing("stranger by url", old, func(c *store.Client) {
		c.ClientID, c.JWKS, c.JWKSURI, c.Registered = "registered", nil, site.URL+"/jwks", true
	})
	ask := func(client string, key *rptest.Key) int {
		return w.do(postForm("/token", assertionForm(key.Assertion(t, client, testIssuer, w.now(), nil)))).Code
	}
	if got := ask("far", old); got != http.StatusOK {
		t.Errorf("by URL: %d", got)
	}
	if got := ask("registered", old); got != http.StatusUnauthorized {
		t.Errorf("a client that registered itself made us ask this machine: %d", got)
	}
	current.Store(next)
	if got := ask("far", next); got != http.StatusUnauthorized { // asked a moment ago: once a minute
		t.Errorf("the URL is asked as often as somebody likes: %d", got)
	}
}
