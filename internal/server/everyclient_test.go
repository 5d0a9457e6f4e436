package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/idptest"
	"idp/internal/oidc/rptest"
)

// adaYAML is a user with every standard claim (OIDC Core §5.1).
const adaYAML = `  - name: ada
    password_file: bob.txt
    full_name: Ada M. King
    email: ada@example.com
    email_verified: true
    groups: [staff]
    claims:
      given_name: Ada
      family_name: King
      middle_name: M.
      nickname: Countess
      profile: https://ada.example.com/
      picture: https://ada.example.com/ada.png
      website: https://engine.example.com/
      gender: female
      birthdate: "1815-12-10"
      zoneinfo: Europe/London
      locale: en-GB
      phone_number: "+44 20 7946 0000"
      phone_number_verified: true
      address: {formatted: "12 St James's Sq\nLondon", street_address: 12 St James's Sq, locality: London, region: Greater London, postal_code: SW1Y 4LB, country: GB}
`

// ada is what userinfo says of her, but for sub and updated_at.
var ada = map[string]any{
	"name": "Ada M. King", "given_name": "Ada", "family_name": "King", "middle_name": "M.", "nickname": "Countess", "preferred_username": "ada",
	"profile": "https://ada.example.com/", "picture": "https://ada.example.com/ada.png", "website": "https://engine.example.com/", "gender": "female",
	"birthdate": "1815-12-10", "zoneinfo": "Europe/London", "locale": "en-GB", "email": "ada@example.com", "email_verified": true,
	"phone_number": "+44 20 7946 0000", "phone_number_verified": true, "groups": []any{"staff"},
	"address": map[string]any{"formatted": "12 St James's Sq\nLondon", "street_address": "12 St James's Sq", "locality": "London", "region": "Greater London",
		"postal_code": "SW1Y 4LB", "country": "GB"},
}

// anySite is a relying party with a method of its own to say who it is.
type anySite struct {
	id, method, redirect string
	key                  *rptest.Key // signs assertions
	dpop                 *rptest.Key // binds tokens; nil: bearer tokens
	pushes               bool
	yaml                 string // beside what all have
}

func (s *anySite) config() string {
	return fmt.Sprintf("  - client_id: %s\n    redirect_uris: [%q]\n    token_endpoint_auth_method: %s\n    scope: openid profile email phone address groups\n%s",
		s.id, s.redirect, s.method, s.yaml)
}

// prove adds who asks to a form, and the header where it goes into one.
func (s *anySite) prove(t *testing.T, node *idptest.Server, form url.Values) (authorization string) {
	t.Helper()
	switch s.method {
	case "client_secret_basic":
		return idptest.Basic(s.id, idptest.WikiSecret)
	case "client_secret_post":
		form.Set("client_secret", idptest.WikiSecret)
	case "private_key_jwt":
		form.Set("client_assertion_type", rptest.AssertionType)
		form.Set("client_assertion", s.key.Assertion(t, s.id, node.Issuer, time.Now(), nil))
	}
	form.Set("client_id", s.id)
	return ""
}

// post sends a form as the site, with a DPoP proof where tokens are bound, and once
// more with the nonce that it is told (RFC 9449 §8).
func (s *anySite) post(t *testing.T, node *idptest.Server, endpoint string, form url.Values) (int, map[string]any) {
	t.Helper()
	nonce := ""
	for range 2 {
		authorization := s.prove(t, node, form)
		header := http.Header{}
		if authorization != "" {
			header.Set("Authorization", authorization)
		}
		if s.dpop != nil {
			header.Set("DPoP", s.dpop.Proof(t, http.MethodPost, endpoint, nonce, time.Now(), nil))
		}
		p := node.Program(t).Once(http.MethodPost, endpoint, form, header)
		answer := map[string]any{}
		if err := json.Unmarshal([]byte(p.Body), &answer); err != nil {
			t.Fatalf("%s: %d %s", endpoint, p.StatusCode, p.Body)
		}
		if nonce = p.Header.Get("DPoP-Nonce"); answer["error"] != "use_dpop_nonce" {
			return p.StatusCode, answer
		}
	}
	t.Fatalf("%s: no nonce is good", endpoint)
	return 0, nil
}

// authorizeURL is where the site sends a browser; by way of a pushed request where it
// has to.
func (s *anySite) authorizeURL(t *testing.T, node *idptest.Server, auth *idptest.Auth, discovery map[string]any) string {
	t.Helper()
	endpoint, there := discovery["pushed_authorization_request_endpoint"].(string)
	if !s.pushes || !there {
		return auth.URL()
	}
	status, pushed := s.post(t, node, endpoint, auth.Query)
	if status != http.StatusCreated {
		t.Fatalf("pushed request: %d %v", status, pushed)
	}
	return "/authorize?" + url.Values{"client_id": {s.id}, "request_uri": {fmt.Sprint(pushed["request_uri"])}}.Encode()
}

func (s *anySite) userinfo(t *testing.T, node *idptest.Server, endpoint, token string) (int, map[string]any) {
	t.Helper()
	nonce := ""
	for {
		header := http.Header{"Authorization": {"Bearer " + token}}
		if s.dpop != nil {
			header = http.Header{"Authorization": {"DPoP " + token}, "Dpop": {s.dpop.Proof(t, http.MethodGet, endpoint, nonce, time.Now(), map[string]any{"ath": rptest.TokenHash(token)})}}
		}
		p := node.Program(t).Once(http.MethodGet, endpoint, nil, header)
		if again := p.Header.Get("DPoP-Nonce"); p.StatusCode == http.StatusUnauthorized && nonce == "" && again != "" {
			nonce = again
			continue
		}
		claims := map[string]any{}
		if err := json.Unmarshal([]byte(p.Body), &claims); err != nil {
			t.Fatalf("userinfo: %d %s", p.StatusCode, p.Body)
		}
		return p.StatusCode, claims
	}
}

// One file is all it takes: a user with every standard claim, and a relying party of
// every method. Each logs ada in, gets its tokens and reads all of her claims.
func TestEveryMethodAndEveryClaimFromTheFileAlone(t *testing.T) {
	t.Parallel()
	pasted, spelt, fetched, fapi := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "EdDSA"), rptest.NewKey(t, "PS256"), rptest.NewKey(t, "ES256")
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(fetched.JWKS()) }))
	defer keys.Close()
	filed, filedAt := rptest.NewKey(t, "ES256"), filepath.Join(t.TempDir(), "filed.jwks")
	if err := os.WriteFile(filedAt, filed.JWKS(), 0o600); err != nil {
		t.Fatal(err)
	}
	const secretFile = "    client_secret_file: wiki.secret\n"
	sites := []*anySite{
		{id: "nobody", method: "none", redirect: "http://127.0.0.1/cb"},
		{id: "basic", method: "client_secret_basic", redirect: "https://basic.example.com/cb", yaml: secretFile},
		{id: "post", method: "client_secret_post", redirect: "https://post.example.com/cb", yaml: secretFile},
		{id: "pasted", method: "private_key_jwt", redirect: "https://pasted.example.com/cb", key: pasted, yaml: "    jwks: " + string(pasted.JWKS()) + "\n"},
		{id: "spelt", method: "private_key_jwt", redirect: "https://spelt.example.com/cb", key: spelt, yaml: "    jwks: '" + string(spelt.JWKS()) + "'\n"},
		{id: "filed", method: "private_key_jwt", redirect: "https://filed.example.com/cb", key: filed, yaml: "    jwks_file: " + filedAt + "\n"},
		{id: "fetched", method: "private_key_jwt", redirect: "https://fetched.example.com/cb", key: fetched, yaml: "    jwks_uri: " + keys.URL + "/jwks\n"},
		{id: "fapi", method: "private_key_jwt", redirect: "https://fapi.example.com/cb", key: fapi, dpop: rptest.NewKey(t, "ES256"), pushes: true,
			yaml: "    profile: fapi2\n    jwks: " + string(fapi.JWKS()) + "\n"},
	}
	var clients strings.Builder
	for _, s := range sites {
		clients.WriteString(s.config())
	}
	node := idptest.Start(t, idptest.Options{Users: adaYAML, Clients: clients.String()})
	discovery := discovered(t, node)
	for _, s := range sites {
		b := node.Browser(t)
		auth := idptest.NewAuth(s.id, s.redirect)
		auth.Query.Set("scope", "openid profile email phone address groups")
		code := auth.Code(t, node, b.LogIn(b.Get(s.authorizeURL(t, node, auth, discovery)), "ada", idptest.BobPassword))
		status, tokens := s.post(t, node, fmt.Sprint(discovery["token_endpoint"]), url.Values{"grant_type": {"authorization_code"}, "code": {code},
			"redirect_uri": {s.redirect}, "code_verifier": {auth.Verifier}})
		if status != http.StatusOK || tokens["id_token"] == nil || tokens["token_type"] != map[bool]string{true: "DPoP", false: "Bearer"}[s.dpop != nil] {
			t.Errorf("%s: tokens %d %v", s.id, status, tokens)
			continue
		}
		status, claims := s.userinfo(t, node, fmt.Sprint(discovery["userinfo_endpoint"]), fmt.Sprint(tokens["access_token"]))
		updated, _ := claims["updated_at"].(float64)
		if status != http.StatusOK || claims["sub"] != node.User("ada").ID || updated == 0 {
			t.Errorf("%s: userinfo %d %v", s.id, status, claims)
		}
		delete(claims, "sub")
		delete(claims, "updated_at")
		if d := cmp.Diff(ada, claims); d != "" {
			t.Errorf("%s: %s", s.id, d)
		}
	}
}
