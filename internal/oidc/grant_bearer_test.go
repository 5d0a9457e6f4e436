package oidc

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/rptest"
	"idp/internal/store"
)

const bearerGrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"

func bearerForm(assertion string, pairs ...string) url.Values {
	return changed(url.Values{"grant_type": {bearerGrantType}, "assertion": {assertion}}, pairs)
}

// robot registers a client that may use the grant with a key of its own.
func (w *world) robot(id string, key *rptest.Key, change func(*store.Client)) {
	w.t.Helper()
	w.signing(id, key, func(c *store.Client) {
		c.GrantTypes, c.RedirectURIs = []string{bearerGrantType}, nil
		if change != nil {
			change(c)
		}
	})
}

func TestClientGetsATokenForItselfByItsAssertion(t *testing.T) {
	w := newWorld(t)
	for _, alg := range []string{"ES256", "RS256", "PS256", "EdDSA"} {
		key, id := rptest.NewKey(t, alg), "robot-"+alg
		w.robot(id, key, nil)
		sign := func() string { return key.Assertion(t, id, testIssuer, w.now(), nil) }
		for name, form := range map[string]url.Values{
			"alone":                      bearerForm(sign()),
			"with client_id":             bearerForm(sign(), "client_id", id),
			"with client authentication": bearerForm(sign(), "client_assertion_type", rptest.AssertionType, "client_assertion", sign()),
			"for the token endpoint":     bearerForm(key.Assertion(t, id, testIssuer+"/token", w.now(), nil)),
		} {
			a := w.do(postForm("/token", form))
			if a.Code != http.StatusOK || a.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s, %s: %d %s", alg, name, a.Code, a.Body)
				continue
			}
			c := w.claimsOf(a.str("access_token"))
			if c["sub"] != id || c["client_id"] != id || c["scope"] != "read" || a.json()["id_token"] != nil || a.json()["refresh_token"] != nil || c["grant"] != nil {
				t.Errorf("%s, %s: %s", alg, name, a.Body)
			}
			if a := w.askUserinfo(a.str("access_token")); a.Code == http.StatusOK {
				t.Errorf("userinfo knows a client: %s", a.Body)
			}
		}
	}
	// A client with a secret that has a key as well.
	key := rptest.NewKey(t, "ES256")
	wiki := w.client("wiki")
	wiki.JWKS, wiki.GrantTypes = key.JWKS(), append(wiki.GrantTypes, bearerGrantType)
	for _, scope := range []string{"read", "read openid", ""} {
		form := bearerForm(key.Assertion(t, "wiki", testIssuer, w.now(), nil), "scope", scope)
		if a := w.api("wiki", "/token", form); a.Code != http.StatusOK || !strings.HasPrefix(a.str("scope"), "read") || strings.Contains(a.str("scope"), "openid") {
			t.Errorf("scope %q: %d %s", scope, a.Code, a.Body)
		}
	}
	w.api("wiki", "/token", bearerForm(key.Assertion(t, "wiki", testIssuer, w.now(), nil), "scope", "root")).wantError(400, "invalid_scope")
	w.api("other", "/token", bearerForm(key.Assertion(t, "wiki", testIssuer, w.now(), nil))).wantError(400, "invalid_grant")
	form := bearerForm(key.Assertion(t, "wiki", testIssuer, w.now(), nil))
	r := postForm("/token", form)
	r.SetBasicAuth("wiki", "wrong") // the grant does not mend a wrong secret
	w.do(r).wantError(401, "invalid_client")
	form.Set("client_secret", "wrong")
	form.Set("client_id", "post")
	w.do(postForm("/token", form)).wantError(401, "invalid_client")
}

// unsigned is an assertion with a header of its own and no signature.
func unsigned(assertion, header string) string {
	_, rest, _ := strings.Cut(assertion, ".")
	claims, _, _ := strings.Cut(rest, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + claims + "."
}

func TestAssertionGrantsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	key, other := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "ES256")
	w.robot("robot", key, nil)
	w.robot("another", other, nil)
	w.signing("signs", key, nil) // not registered for the grant
	sign := func(changes map[string]any) string { return key.Assertion(t, "robot", testIssuer, w.now(), changes) }
	now := w.now()
	for name, form := range map[string]url.Values{
		"no assertion":         bearerForm(""),
		"no JWT":               bearerForm("x"),
		"another's key":        bearerForm(other.Assertion(t, "robot", testIssuer, now, nil)),
		"another's name":       bearerForm(sign(nil), "client_id", "another"),
		"another issuer":       bearerForm(sign(map[string]any{"iss": "another", "sub": "another"})),
		"an unknown issuer":    bearerForm(sign(map[string]any{"iss": "https://evil.example"})),
		"a user by name":       bearerForm(sign(map[string]any{"sub": "alice"})),
		"a user by sub":        bearerForm(sign(map[string]any{"sub": alice.ID})),
		"another client":       bearerForm(sign(map[string]any{"sub": "another"})),
		"no sub":               bearerForm(sign(map[string]any{"sub": nil})),
		"no jti":               bearerForm(sign(map[string]any{"jti": nil})),
		"no exp":               bearerForm(sign(map[string]any{"exp": nil})),
		"expired":              bearerForm(sign(map[string]any{"exp": now.Add(-2 * time.Minute).Unix()})),
		"not yet":              bearerForm(sign(map[string]any{"nbf": now.Add(5 * time.Minute).Unix()})),
		"good for a day":       bearerForm(sign(map[string]any{"exp": now.Add(24 * time.Hour).Unix()})),
		"another audience":     bearerForm(sign(map[string]any{"aud": "https://other.example"})),
		"this and another":     bearerForm(sign(map[string]any{"aud": []string{testIssuer, "https://other.example"}})),
		"for another endpoint": bearerForm(sign(map[string]any{"aud": testIssuer + "/introspect"})),
		"alg none":             bearerForm(unsigned(sign(nil), `{"alg":"none"}`)),
		"HS256":                bearerForm(unsigned(sign(nil), `{"alg":"HS256","kid":"rp-ES256"}`) + "AAAA"),
		"a proof for DPoP":     bearerForm(unsigned(sign(nil), `{"alg":"ES256","typ":"dpop+jwt"}`)),
		"a request object":     bearerForm(unsigned(sign(nil), `{"alg":"ES256","typ":"oauth-authz-req+jwt"}`)),
		"a token of ours":      bearerForm(w.loggedIn("alice").tokens("wiki").str("id_token")),
		"an access token":      bearerForm(w.api("machine", "/token", url.Values{"grant_type": {"client_credentials"}}).str("access_token")),
	} {
		a := w.do(postForm("/token", form))
		want := "invalid_grant"
		if name == "no assertion" {
			want = "invalid_request"
		}
		if a.Code != http.StatusBadRequest || a.str("error") != want || a.str("error_description") == "" {
			t.Errorf("%s: %d %s, want 400 %s with a hint", name, a.Code, a.Body, want)
		}
		if strings.HasPrefix(name, "a user") && !strings.Contains(a.str("error_description"), "never for a user") {
			t.Errorf("%s: %s", name, a.Body)
		}
	}
	w.do(postForm("/token", bearerForm(key.Assertion(t, "signs", testIssuer, now, nil)))).wantError(400, "unauthorized_client")
	a := w.api("wiki", "/token", bearerForm(sign(nil))) // somebody else's proof beside it
	a.wantError(400, "invalid_grant")
}

// A grant counts where grants are given, and proves nothing elsewhere.
func TestAssertionGrantIsNoAuthenticationElsewhere(t *testing.T) {
	w := newWorld(t)
	key := rptest.NewKey(t, "ES256")
	w.robot("robot", key, nil)
	for _, path := range []string{"/introspect", "/revoke", "/device_authorization"} {
		for _, audience := range []string{testIssuer, testIssuer + path} {
			form := bearerForm(key.Assertion(t, "robot", audience, w.now(), nil), "token", "x")
			w.do(postForm(path, form)).wantError(401, "invalid_client")
		}
	}
}

// An assertion counts once, as whatever it is shown.
func TestHoleClientAssertionShownAgainAsAGrant(t *testing.T) {
	w := newWorld(t)
	key := rptest.NewKey(t, "ES256")
	w.robot("robot", key, func(c *store.Client) { c.GrantTypes = append(c.GrantTypes, "client_credentials") })
	seen := key.Assertion(t, "robot", testIssuer, w.now(), nil)
	if a := w.do(postForm("/token", assertionForm(seen))); a.Code != http.StatusOK {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	w.do(postForm("/token", bearerForm(seen))).wantError(400, "invalid_grant")
	seen = key.Assertion(t, "robot", testIssuer, w.now(), nil)
	if a := w.do(postForm("/token", bearerForm(seen))); a.Code != http.StatusOK {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	w.do(postForm("/token", bearerForm(seen))).wantError(400, "invalid_grant")
	w.do(postForm("/token", assertionForm(seen))).wantError(401, "invalid_client")
	both := key.Assertion(t, "robot", testIssuer, w.now(), nil)
	w.do(postForm("/token", bearerForm(both, "client_assertion_type", rptest.AssertionType, "client_assertion", both))).wantError(400, "invalid_grant")
}

// A grant that only lacks a DPoP nonce is not used up.
func TestAssertionGrantWithDPoP(t *testing.T) {
	w := newWorld(t)
	key, bound := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "ES256")
	w.robot("robot", key, func(c *store.Client) { c.DPoPBoundAccessTokens = true })
	form := bearerForm(key.Assertion(t, "robot", testIssuer, w.now(), nil))
	w.do(postForm("/token", form)).wantError(400, "invalid_dpop_proof")
	r := postForm("/token", form)
	r.Header.Set("DPoP", bound.Proof(t, "POST", testIssuer+"/token", "", w.now(), nil))
	w.do(r).wantError(400, "use_dpop_nonce")
	a := w.do(w.prove(postForm("/token", form), bound, nil))
	if a.Code != http.StatusOK || a.str("token_type") != "DPoP" {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	if d := cmp.Diff(map[string]any{"jkt": bound.Thumbprint(t)}, w.claimsOf(a.str("access_token"))["cnf"]); d != "" {
		t.Error(d)
	}
}

const (
	actions  = "https://token.actions.githubusercontent.com"
	workflow = "repo:org/app:ref:refs/heads/main"
)

// platform is an issuer of tokens for workloads, such as GitHub Actions or a
// Kubernetes cluster.
type platform struct {
	key   *rptest.Key
	url   string
	asked atomic.Int64
}

func newPlatform(t *testing.T, alg string) *platform {
	p := &platform{key: rptest.NewKey(t, alg)}
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		_, _ = rw.Write(p.key.JWKS())
	}))
	t.Cleanup(site.Close)
	p.url = site.URL + "/jwks"
	return p
}

// token is what the platform gives a workload.
func (p *platform) token(w *world, changes map[string]any) string {
	claims := map[string]any{"iss": actions, "sub": workflow, "jti": nil, "ref": "refs/heads/main"}
	for name, value := range changes {
		claims[name] = value
	}
	return p.key.Assertion(w.t, "", testIssuer, w.now(), claims)
}

// deploy registers clients that have no credentials but the platform's tokens.
func (w *world) deploy(p *platform) {
	w.t.Helper()
	for _, c := range []store.Client{
		{ClientID: "deploy", TokenEndpointAuthMethod: "none", TrustedAssertions: []store.TrustedAssertion{
			{Issuer: actions, JWKSURI: p.url, Subject: workflow},
			{Issuer: actions, JWKSURI: p.url, Subject: "repo:org/app:environment:production", Audience: "https://deploy.example"},
		}},
		{ClientID: "neighbour", TokenEndpointAuthMethod: "none", TrustedAssertions: []store.TrustedAssertion{{Issuer: actions, JWKSURI: p.url, Subject: "repo:org/other:ref:refs/heads/main"}}},
	} {
		c.GrantTypes, c.Scope = []string{bearerGrantType}, "openid deploy"
		if problems := clients.Check(&c); problems != nil {
			w.t.Fatal(problems)
		}
		must(w.t, w.Store.AddClient(w.t.Context(), c, store.Entry{Actor: "test"}))
	}
}

func TestWorkloadGetsATokenByItsPlatformsAssertion(t *testing.T) {
	w := newWorld(t)
	p := newPlatform(t, "RS256")
	w.deploy(p)
	token := p.token(w, map[string]any{"aud": []string{testIssuer}, "exp": w.now().Add(12 * time.Hour).Unix()})
	for range 3 { // a pod shows the same token again and again
		a := w.do(postForm("/token", bearerForm(token, "client_id", "deploy")))
		if a.Code != http.StatusOK {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
		if c := w.claimsOf(a.str("access_token")); c["sub"] != "deploy" || c["client_id"] != "deploy" || c["scope"] != "deploy" || a.json()["id_token"] != nil || a.json()["refresh_token"] != nil {
			t.Errorf("%s", a.Body)
		}
	}
	form := bearerForm(p.token(w, map[string]any{"sub": "repo:org/app:environment:production", "aud": "https://deploy.example"}), "client_id", "deploy")
	if a := w.do(postForm("/token", form)); a.Code != http.StatusOK {
		t.Errorf("the second entry: %d %s", a.Code, a.Body)
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("its keys were asked for %d times", n)
	}
	w.pass(13 * time.Hour)
	w.do(postForm("/token", bearerForm(token, "client_id", "deploy"))).wantError(400, "invalid_grant")
}

func TestWorkloadAssertionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	p, evil := newPlatform(t, "ES256"), newPlatform(t, "ES256")
	w.deploy(p)
	key := rptest.NewKey(t, "ES256")
	w.robot("robot", key, nil)
	token := func(changes map[string]any) string { return p.token(w, changes) }
	good := token(nil)
	for name, form := range map[string]url.Values{
		"no client":                    bearerForm(good),
		"another client":               bearerForm(good, "client_id", "neighbour"),
		"a client that trusts nobody":  bearerForm(good, "client_id", "robot"),
		"an unknown client":            bearerForm(good, "client_id", "nobody"),
		"another issuer":               bearerForm(token(map[string]any{"iss": "https://token.actions.githubusercontent.com/"}), "client_id", "deploy"),
		"another branch":               bearerForm(token(map[string]any{"sub": "repo:org/app:ref:refs/heads/evil"}), "client_id", "deploy"),
		"a longer subject":             bearerForm(token(map[string]any{"sub": workflow + "/x"}), "client_id", "deploy"),
		"a pattern":                    bearerForm(token(map[string]any{"sub": "repo:org/app:*"}), "client_id", "deploy"),
		"the client itself as subject": bearerForm(token(map[string]any{"sub": "deploy"}), "client_id", "deploy"),
		"a user":                       bearerForm(token(map[string]any{"sub": alice.ID}), "client_id", "deploy"),
		"for another audience":         bearerForm(token(map[string]any{"aud": "https://sts.amazonaws.com"}), "client_id", "deploy"),
		"for us and another":           bearerForm(token(map[string]any{"aud": []string{testIssuer, "https://vault.example"}}), "client_id", "deploy"),
		"for the token endpoint":       bearerForm(token(map[string]any{"aud": testIssuer + "/token"}), "client_id", "deploy"),
		"another entry's audience":     bearerForm(token(map[string]any{"aud": "https://deploy.example"}), "client_id", "deploy"),
		"no audience":                  bearerForm(token(map[string]any{"aud": nil}), "client_id", "deploy"),
		"expired":                      bearerForm(token(map[string]any{"exp": w.now().Add(-2 * time.Minute).Unix()}), "client_id", "deploy"),
		"without end":                  bearerForm(token(map[string]any{"exp": nil}), "client_id", "deploy"),
		"good for a week":              bearerForm(token(map[string]any{"exp": w.now().Add(7 * 24 * time.Hour).Unix()}), "client_id", "deploy"),
		"by another key":               bearerForm(evil.token(w, nil), "client_id", "deploy"),
		"by a client's own key":        bearerForm(key.Assertion(t, actions, testIssuer, w.now(), map[string]any{"sub": workflow}), "client_id", "deploy"),
		"a client's own, unregistered": bearerForm(key.Assertion(t, "deploy", testIssuer, w.now(), nil), "client_id", "deploy"),
		"alg none":                     bearerForm(unsigned(good, `{"alg":"none"}`), "client_id", "deploy"),
		"HS256":                        bearerForm(unsigned(good, `{"alg":"HS256","kid":"rp-ES256"}`)+"AAAA", "client_id", "deploy"),
		"an access token (RFC 9068)":   bearerForm(unsigned(good, `{"alg":"ES256","typ":"at+jwt"}`), "client_id", "deploy"),
	} {
		a := w.do(postForm("/token", form))
		if a.Code != http.StatusBadRequest || a.str("error") != "invalid_grant" || a.str("error_description") == "" {
			t.Errorf("%s: %d %s, want 400 invalid_grant with a hint", name, a.Code, a.Body)
		}
	}
	if evil.asked.Load() != 0 {
		t.Error("somebody's assertion made us ask a URL")
	}
	// It is no authentication for anything else.
	asClient := assertionForm(good, "client_id", "deploy")
	w.do(postForm("/token", asClient)).wantError(401, "invalid_client")
	w.do(postForm("/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"deploy"}, "assertion": {good}})).wantError(400, "unauthorized_client")
	if a := w.do(postForm("/token", bearerForm(good, "client_id", "deploy"))); a.Code != http.StatusOK {
		t.Errorf("the good one: %d %s", a.Code, a.Body)
	}
}
