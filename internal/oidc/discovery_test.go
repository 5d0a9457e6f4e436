package oidc

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/rptest"
	"idp/internal/oidc/tokens"
	"idp/internal/secret"
	"idp/internal/store"
)

func (w *world) discovered() map[string]any {
	w.t.Helper()
	return w.do(httptest.NewRequest(http.MethodGet, "/.well-known/openid-configuration", nil)).json()
}

// Every entry of the document is proven by using it; an entry that nothing here
// proves fails the test.
func TestDiscoveryIsTrueToTheLastEntry(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "staff")
	for name, value := range w.discovered() {
		prove := proofs[name]
		if prove == nil {
			t.Errorf("%s: nothing proves it", name)
			continue
		}
		t.Run(name, func(t *testing.T) { prove(t, w, value) })
	}
	for name := range proofs {
		if _, ok := w.discovered()[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestBothWellKnownDocumentsAreOne(t *testing.T) {
	w := newWorld(t)
	openID := w.do(httptest.NewRequest(http.MethodGet, "/.well-known/openid-configuration", nil))
	oauth := w.do(httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server", nil))
	if oauth.Code != http.StatusOK || openID.Body.String() != oauth.Body.String() || openID.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %s, %s", oauth.Code, openID.Body, oauth.Body)
	}
}

type entryProof = func(t *testing.T, w *world, value any)

var proofs = map[string]entryProof{
	"issuer": func(t *testing.T, w *world, value any) {
		if id := w.claimsOf(w.loggedIn("alice").tokens("wiki").str("id_token")); value != testIssuer || id["iss"] != value {
			t.Errorf("%v, tokens say %v", value, id["iss"])
		}
	},
	"authorization_endpoint": func(t *testing.T, w *world, value any) {
		if back := w.loggedIn("alice").get(local(value) + "?" + authParams("wiki").Encode()).back(); !back.Has("code") {
			t.Errorf("%v", back)
		}
	},
	"pushed_authorization_request_endpoint": func(t *testing.T, w *world, value any) {
		if a := w.api("wiki", local(value), authParams("wiki")); a.Code != http.StatusCreated {
			t.Errorf("%d %s", a.Code, a.Body)
		}
	},
	"token_endpoint": func(t *testing.T, w *world, value any) {
		if a := w.api("machine", local(value), url.Values{"grant_type": {"client_credentials"}}); a.Code != http.StatusOK {
			t.Errorf("%d %s", a.Code, a.Body)
		}
	},
	"userinfo_endpoint": func(t *testing.T, w *world, value any) {
		r := httptest.NewRequest(http.MethodGet, local(value), nil)
		r.Header.Set("Authorization", "Bearer "+w.loggedIn("alice").tokens("wiki").str("access_token"))
		if a := w.do(r); a.Code != http.StatusOK {
			t.Errorf("%d %s", a.Code, a.Body)
		}
	},
	"jwks_uri": func(t *testing.T, w *world, value any) {
		var set struct{ Keys []jose.JSONWebKey }
		decode(t, w.do(httptest.NewRequest(http.MethodGet, local(value), nil)), &set)
		token, err := jose.ParseSignedCompact(w.loggedIn("alice").tokens("wiki").str("id_token"), []jose.SignatureAlgorithm{jose.RS256})
		must(t, err)
		if _, err := token.Verify(jose.JSONWebKeySet{Keys: set.Keys}); err != nil {
			t.Error(err)
		}
	},
	"introspection_endpoint": func(t *testing.T, w *world, value any) {
		token := w.loggedIn("alice").tokens("wiki").str("access_token")
		if a := w.api("wiki", local(value), url.Values{"token": {token}}); a.json()["active"] != true {
			t.Errorf("%d %s", a.Code, a.Body)
		}
	},
	"revocation_endpoint": func(t *testing.T, w *world, value any) {
		token := w.loggedIn("alice").tokens("wiki").str("access_token")
		if a := w.api("wiki", local(value), url.Values{"token": {token}}); a.Code != http.StatusOK || w.active("wiki", token) {
			t.Errorf("%d %s", a.Code, a.Body)
		}
	},
	"device_authorization_endpoint": func(t *testing.T, w *world, value any) {
		if a := w.do(postForm(local(value), url.Values{"client_id": {"tv"}, "scope": {"openid"}})); a.Code != http.StatusOK || a.str("user_code") == "" {
			t.Errorf("%d %s", a.Code, a.Body)
		}
	},
	"end_session_endpoint": func(t *testing.T, w *world, value any) {
		b := w.loggedIn("alice")
		b.get(local(value) + "?" + url.Values{"id_token_hint": {b.tokens("wiki").str("id_token")}}.Encode())
		if back := b.get(authorizeURL("wiki", "prompt", "none")).back(); back.Get("error") != "login_required" {
			t.Errorf("%v", back)
		}
	},
	"scopes_supported": func(t *testing.T, w *world, value any) {
		all := strings.Join(list(t, value), " ")
		scope := w.client("wiki").Scope
		w.client("wiki").Scope = all
		defer func() { w.client("wiki").Scope = scope }()
		if a := w.loggedIn("alice").tokens("wiki", "scope", all); a.str("scope") != all {
			t.Errorf("granted %q of %q", a.str("scope"), all)
		}
	},
	"response_types_supported": func(t *testing.T, w *world, value any) {
		for _, responseType := range list(t, value) {
			if back := w.loggedIn("alice").get(authorizeURL("wiki", "response_type", responseType)).back(); !back.Has("code") {
				t.Errorf("%s: %v", responseType, back)
			}
		}
	},
	"response_modes_supported": func(t *testing.T, w *world, value any) {
		for _, mode := range list(t, value) {
			a := w.loggedIn("alice").get(authorizeURL("wiki", "response_mode", mode))
			_, fields := a.posted()
			if !a.location().Query().Has("code") && !fields.Has("code") {
				t.Errorf("%s: %d %s", mode, a.Code, a.Body)
			}
		}
	},
	"grant_types_supported": func(t *testing.T, w *world, value any) {
		before := w.client("wiki").GrantTypes
		defer func() { w.client("wiki").GrantTypes = before }()
		w.client("wiki").GrantTypes = list(t, value)
		jwks := rptest.NewKey(t, "ES256").JWKS()
		for _, grant := range list(t, value) {
			if problems := clients.Check(&store.Client{ClientID: "c", SecretHashes: [][]byte{{1}}, RedirectURIs: []string{testRedirect}, GrantTypes: []string{grant}, JWKS: jwks,
				Exchange: []store.Exchange{{Audience: testLedger}}}); problems != nil {
				t.Errorf("%s: no client can be registered for it: %v", grant, problems)
			}
			if a := w.api("wiki", "/token", url.Values{"grant_type": {grant}}); a.Code != http.StatusOK && a.str("error") != "invalid_request" {
				t.Errorf("%s: %d %s", grant, a.Code, a.Body)
			}
		}
		w.api("wiki", "/token", url.Values{"grant_type": {"password"}}).wantError(http.StatusBadRequest, "unsupported_grant_type")
	},
	"acr_values_supported": func(t *testing.T, w *world, value any) {
		for _, acr := range list(t, value) {
			claims := `{"id_token":{"acr":{"essential":true,"value":"` + acr + `"}}}`
			b := w.browser()
			b.logIn(url.Values{"user": {"alice"}, "acr": {acr}})
			if id := w.claimsOf(b.tokens("wiki", "claims", claims).str("id_token")); id["acr"] != acr {
				t.Errorf("%s: the token says %v", acr, id["acr"])
			}
		}
	},
	"subject_types_supported": func(t *testing.T, w *world, value any) {
		b := w.loggedIn("alice")
		one, two := w.claimsOf(b.tokens("wiki").str("id_token")), w.claimsOf(b.tokens("other").str("id_token"))
		if diff := cmp.Diff([]string{"public"}, list(t, value)); diff != "" || one["sub"] != two["sub"] {
			t.Errorf("%s; two clients see %v and %v", diff, one["sub"], two["sub"])
		}
	},
	"id_token_signing_alg_values_supported": func(t *testing.T, w *world, value any) {
		before := w.client("wiki").IDTokenAlg
		defer func() { w.client("wiki").IDTokenAlg = before }()
		for _, alg := range list(t, value) {
			w.client("wiki").IDTokenAlg = alg
			if problems := clients.Check(w.client("wiki")); problems != nil {
				t.Errorf("%s: %v", alg, problems)
			}
			if got := w.algOf(w.loggedIn("alice").tokens("wiki").str("id_token")); got != alg {
				t.Errorf("signed with %q, want %s", got, alg)
			}
		}
		if !slices.Contains(list(t, value), keys.RS256) {
			t.Error("RS256 is missing (OIDC Discovery §3)")
		}
	},
	"token_endpoint_auth_methods_supported":      provesAuthMethods("/token"),
	"revocation_endpoint_auth_methods_supported": provesAuthMethods("/revoke"),
	"introspection_endpoint_auth_methods_supported": func(t *testing.T, w *world, value any) {
		provesAuthMethods("/introspect")(t, w, value)
		if slices.Contains(list(t, value), "none") {
			t.Error("a public client may not ask")
		}
	},
	"token_endpoint_auth_signing_alg_values_supported":         provesAuthAlgs("/token"),
	"revocation_endpoint_auth_signing_alg_values_supported":    provesAuthAlgs("/revoke"),
	"introspection_endpoint_auth_signing_alg_values_supported": provesAuthAlgs("/introspect"),
	"userinfo_signing_alg_values_supported": func(t *testing.T, w *world, value any) {
		defer func() { w.client("wiki").UserinfoAlg = "" }()
		for _, alg := range list(t, value) {
			w.client("wiki").UserinfoAlg = strings.TrimPrefix(alg, "none") // none: a plain object
			a := w.askUserinfo(w.loggedIn("alice").tokens("wiki").str("access_token"))
			if plain := a.Header().Get("Content-Type") == "application/json"; plain != (alg == "none") || (!plain && w.algOf(a.Body.String()) != alg) {
				t.Errorf("%s: %s", alg, a.Body)
			}
		}
	},
	"dpop_signing_alg_values_supported": func(t *testing.T, w *world, value any) {
		for _, alg := range list(t, value) {
			key := rptest.NewKey(t, alg)
			r := postForm("/token", url.Values{"grant_type": {"client_credentials"}})
			r.SetBasicAuth("machine", "secret")
			if a := w.do(w.prove(r, key, nil)); a.str("token_type") != "DPoP" {
				t.Errorf("%s: %s", alg, a.Body)
			}
		}
	},
	"backchannel_logout_supported":          provesBackchannel,
	"backchannel_logout_session_supported":  provesBackchannel,
	"frontchannel_logout_supported":         provesFrontchannel,
	"frontchannel_logout_session_supported": provesFrontchannel,
	"claim_types_supported": func(t *testing.T, w *world, value any) {
		if diff := cmp.Diff([]string{"normal"}, list(t, value)); diff != "" {
			t.Error(diff)
		}
	},
	"claims_supported": func(t *testing.T, w *world, value any) {
		token := w.claimsOf(w.loggedIn("alice").tokens("wiki").str("id_token"))
		for _, name := range list(t, value) {
			about := slices.ContainsFunc(tokens.UserClaims, func(c tokens.UserClaim) bool { return c.Name == name }) // TestUserinfoTellsEveryStandardClaim
			if _, ok := token[name]; !ok && !about {
				t.Errorf("%s is nowhere", name)
			}
		}
	},
	"claims_parameter_supported": func(t *testing.T, w *world, value any) {
		token := w.claimsOf(w.loggedIn("alice").tokens("wiki", "scope", "openid", "claims", `{"id_token":{"name":null}}`).str("id_token"))
		if value != true || token["name"] != "Full alice" {
			t.Errorf("%v: %v", value, token)
		}
	},
	"request_parameter_supported":     refused("request", "a.b.c", "request_not_supported"),
	"request_uri_parameter_supported": refused("request_uri", "https://wiki.example.com/r", "request_uri_not_supported"),
	"require_pushed_authorization_requests": func(t *testing.T, w *world, value any) {
		if back := w.loggedIn("alice").get(authorizeURL("wiki")).back(); value != false || !back.Has("code") {
			t.Errorf("%v: %v", value, back)
		}
	},
	"code_challenge_methods_supported": func(t *testing.T, w *world, value any) {
		for _, method := range []string{"S256", "plain", "S512"} {
			back := w.loggedIn("alice").get(authorizeURL("wiki", "code_challenge_method", method)).back()
			if back.Has("code") != slices.Contains(list(t, value), method) {
				t.Errorf("%s: %v", method, back)
			}
		}
	},
	"prompt_values_supported": func(t *testing.T, w *world, value any) {
		for _, prompt := range append(list(t, value), "create") {
			b := w.loggedIn("alice")
			taken := b.get(authorizeURL("wiki", "prompt", prompt)).location().Query().Get("error") != "invalid_request"
			if taken != (prompt != "create") {
				t.Errorf("%s: taken %v", prompt, taken)
			}
		}
	},
	"authorization_response_iss_parameter_supported": func(t *testing.T, w *world, value any) {
		if back := w.loggedIn("alice").get(authorizeURL("wiki")).back(); value != true || back.Get("iss") != testIssuer {
			t.Errorf("%v: %v", value, back)
		}
	},
}

// refused proves that a parameter is not supported, which the document says, for
// left out it could mean the opposite.
func refused(name, text, code string) entryProof {
	return func(t *testing.T, w *world, value any) {
		if back := w.loggedIn("alice").get(authorizeURL("wiki", name, text)).back(); value != false || back.Get("error") != code {
			t.Errorf("%v: %v", value, back)
		}
	}
}

// provesAuthMethods proves a list by a client of each method.
func provesAuthMethods(path string) entryProof {
	return func(t *testing.T, w *world, value any) {
		token := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "token": {"x"}}
		of := map[string]func() *answer{
			"client_secret_basic": func() *answer { return w.api("wiki", path, token) },
			"client_secret_post": func() *answer {
				form := url.Values{"client_id": {"post"}, "client_secret": {"secret"}}
				for name := range token {
					form.Set(name, token.Get(name))
				}
				return w.do(postForm(path, form))
			},
			"private_key_jwt": func() *answer { return w.asserted(path, "ES256", token) },
			"none": func() *answer {
				form := url.Values{"client_id": {"native"}}
				for name := range token {
					form.Set(name, token.Get(name))
				}
				return w.do(postForm(path, form))
			},
		}
		for _, method := range list(t, value) {
			if of[method] == nil {
				t.Errorf("%s: nothing proves it", method)
			} else if a := of[method](); a.Code == http.StatusUnauthorized {
				t.Errorf("%s: %s", method, a.Body)
			}
		}
	}
}

// provesAuthAlgs proves a list by a client of each algorithm.
func provesAuthAlgs(path string) entryProof {
	return func(t *testing.T, w *world, value any) {
		if algs := list(t, value); !slices.Contains(algs, keys.RS256) || slices.Contains(algs, "none") {
			t.Errorf("%v", algs)
		}
		for _, alg := range list(t, value) {
			if a := w.asserted(path, alg, url.Values{"grant_type": {"client_credentials"}, "token": {"x"}}); a.Code != http.StatusOK {
				t.Errorf("%s: %d %s", alg, a.Code, a.Body)
			}
		}
	}
}

// asserted posts a form as a new client that proves itself by a key.
func (w *world) asserted(path, alg string, form url.Values) *answer {
	w.t.Helper()
	key, id := rptest.NewKey(w.t, alg), secret.ID()
	w.signing(id, key, nil)
	form = maps.Clone(form)
	form.Set("client_assertion_type", rptest.AssertionType)
	form.Set("client_assertion", key.Assertion(w.t, id, testIssuer, w.now(), nil))
	return w.do(postForm(path, form))
}

// provesBackchannel: the end of a session queues a token that names it, for the
// relying parties it has visited (package backchannel posts them).
func provesBackchannel(t *testing.T, w *world, value any) {
	b := w.loggedIn("alice")
	a := b.tokens("wiki")
	sid := w.claimsOf(a.str("id_token"))["sid"]
	b.get(logoutURL("id_token_hint", a.str("id_token")))
	queued, err := w.Store.LogoutDeliveries(t.Context(), "wiki", 100)
	must(t, err)
	if value != true || !slices.ContainsFunc(queued, func(d store.LogoutDelivery) bool { return d.SessionID == sid }) {
		t.Errorf("%v: %v is not among %v", value, sid, queued)
	}
}

// provesFrontchannel: the page behind a sign-out has a frame that names the session.
func provesFrontchannel(t *testing.T, w *world, value any) {
	b := w.loggedIn("alice")
	hint, sid := b.visitFramed()
	page := b.get(b.get(logoutURL("id_token_hint", hint)).Header().Get("Location"))
	if page.wantFrames(sid); value != true {
		t.Errorf("%v", value)
	}
}

func local(endpoint any) string {
	text, _ := endpoint.(string)
	return strings.TrimPrefix(text, testIssuer)
}

func list(t *testing.T, value any) (texts []string) {
	t.Helper()
	values, ok := value.([]any)
	if !ok || len(values) == 0 {
		t.Fatalf("%v is no list, or empty", value)
	}
	for _, v := range values {
		texts = append(texts, v.(string))
	}
	return texts
}

func decode(t *testing.T, a *answer, v any) {
	t.Helper()
	must(t, json.Unmarshal(a.Body.Bytes(), v))
}
