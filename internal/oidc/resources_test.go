package oidc

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
)

// codeFor runs a silent authorization for resources.
func (b *browser) codeFor(client string, resources ...string) string {
	b.w.t.Helper()
	q := authParams(client)
	q["resource"] = resources
	code := b.get("/authorize?" + q.Encode()).back().Get("code")
	if code == "" {
		b.w.t.Fatalf("no code for %v", resources)
	}
	return code
}

func with(form url.Values, resources ...string) url.Values {
	form["resource"] = resources
	return form
}

// algOf is the algorithm that signed a token.
func (w *world) algOf(token string) string {
	w.t.Helper()
	for _, alg := range keys.Algorithms {
		if _, _, err := w.Keys.Verify(token, alg); err == nil {
			return alg
		}
	}
	return ""
}

func TestAccessTokenIsForTheResourceThatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	b := w.loggedIn("alice")
	a := w.api("wiki", "/token", codeForm(b.codeFor("wiki", testLedger)))
	token := a.str("access_token")
	claims := w.claimsOf(token)
	for name, want := range map[string]any{"iss": testIssuer, "sub": u.ID, "aud": testLedger, "client_id": "wiki", "scope": "openid profile email groups",
		"acr": "1", "auth_time": float64(testStart / 1000), "exp": float64(testStart/1000 + 300), "iat": float64(testStart / 1000)} {
		if claims[name] != want {
			t.Errorf("%s = %v, want %v", name, claims[name], want)
		}
	}
	if diff := cmp.Diff([]any{"pwd"}, claims["amr"]); diff != "" || claims["jti"] == nil || claims["groups"] != nil {
		t.Errorf("claims %v: %s", claims, diff)
	}
	if alg := w.algOf(token); alg != keys.RS256 {
		t.Errorf("signed with %s, the resource wants RS256", alg)
	}
	if a := w.askUserinfo(token); a.Code != http.StatusUnauthorized {
		t.Errorf("userinfo with a token for the ledger: %d", a.Code)
	}
	if id := w.claimsOf(a.str("id_token")); id["aud"] != "wiki" {
		t.Errorf("ID token for %v", id["aud"])
	}
	w.client("wiki").Profile = clients.ProfileFAPI2
	if _, err := w.tokens.Targets(w.client("wiki"), wire.Params{"resource": testLedger}); err == nil {
		t.Error("a client of FAPI gets what RS256 signs")
	}
	w.client("wiki").Profile = ""
	// The resource server, which has a client_id of its own, may ask about it.
	if !w.active(testLedger, token) || w.active("other", token) {
		t.Error("introspection: the resource server alone may know")
	}
	if got := w.api(testLedger, "/introspect", url.Values{"token": {token}}).json(); got["aud"] != testLedger || got["sub"] != u.ID || got["scope"] != claims["scope"] {
		t.Errorf("introspection: %v", got)
	}
	if mine := b.tokens("wiki").str("access_token"); w.active(testLedger, mine) || w.algOf(mine) != keys.ES256 {
		t.Error("a token for this issuer is not the ledger's to ask about")
	}
}

func TestResourceAtTheTokenEndpointIsOneOfThoseGranted(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	for name, c := range map[string]struct {
		granted, asked []string
		aud, err       string
	}{
		"none, none":          {nil, nil, testIssuer, ""},
		"none, the issuer":    {nil, []string{testIssuer}, testIssuer, ""},
		"none, one":           {nil, []string{testLedger}, "", "invalid_target"},
		"one, none":           {[]string{testLedger}, nil, testLedger, ""},
		"one, the same":       {[]string{testLedger}, []string{testLedger}, testLedger, ""},
		"one twice, none":     {[]string{testLedger, testLedger}, nil, testLedger, ""},
		"one, another":        {[]string{testLedger}, []string{testPayroll}, "", "invalid_target"},
		"one, the issuer":     {[]string{testLedger}, []string{testIssuer}, "", "invalid_target"},
		"several, none":       {[]string{testIssuer, testLedger}, nil, "", "invalid_target"},
		"several, the first":  {[]string{testIssuer, testLedger}, []string{testIssuer}, testIssuer, ""},
		"several, the second": {[]string{testIssuer, testPayroll}, []string{testPayroll}, testPayroll, ""},
		"several, both":       {[]string{testIssuer, testLedger}, []string{testIssuer, testLedger}, "", "invalid_target"},
		"one, nonsense":       {[]string{testLedger}, []string{"ledger"}, "", "invalid_target"},
	} {
		code := b.codeFor("wiki", c.granted...)
		a := w.api("wiki", "/token", with(codeForm(code), c.asked...))
		if c.err != "" {
			a.wantError(http.StatusBadRequest, c.err)
			target := testIssuer
			if len(c.granted) > 0 {
				target = c.granted[0]
			}
			if a = w.api("wiki", "/token", with(codeForm(code), target)); a.Code != http.StatusOK {
				t.Errorf("%s: the refusal used the code up: %s", name, a.Body)
			}
			continue
		}
		if a.Code != http.StatusOK || w.claimsOf(a.str("access_token"))["aud"] != c.aud {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
}

func TestRefreshChoosesAmongTheGrantedResources(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	a := w.api("wiki", "/token", with(codeForm(w.loggedIn("alice").codeFor("wiki", testIssuer, testLedger)), testLedger))
	refresh := func(resources ...string) *answer {
		return w.api("wiki", "/token", with(refreshForm(a.str("refresh_token")), resources...))
	}
	refused := refresh()
	refused.wantError(http.StatusBadRequest, "invalid_target")
	if text := refused.str("error_description"); text != "name one of "+testIssuer+", "+testLedger {
		t.Errorf("the hint says %q", text)
	}
	refresh(testPayroll).wantError(http.StatusBadRequest, "invalid_target")
	for _, resource := range []string{testIssuer, testLedger} { // what was refused used nothing up
		next := refresh(resource)
		if next.Code != http.StatusOK || w.claimsOf(next.str("access_token"))["aud"] != resource {
			t.Fatalf("%s: %d %s", resource, next.Code, next.Body)
		}
		a = next
	}
	if got := w.askUserinfo(refresh(testIssuer).str("access_token")); got.Code != http.StatusOK {
		t.Errorf("userinfo: %d", got.Code)
	}
}

// What the configuration takes from a client, its refresh tokens do not give.
func TestResourceTakenFromAClientEndsItsRefreshTokens(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	a := w.api("wiki", "/token", codeForm(w.loggedIn("alice").codeFor("wiki", testPayroll)))
	if a.Code != http.StatusOK {
		t.Fatal(a.Body)
	}
	code := w.loggedIn("alice").codeFor("wiki", testPayroll)
	w.tokens.Resources = testResources[:1]
	w.api("wiki", "/token", refreshForm(a.str("refresh_token"))).wantError(http.StatusBadRequest, "invalid_target")
	w.api("wiki", "/token", codeForm(code)).wantError(http.StatusBadRequest, "invalid_target")
	w.tokens.Resources = testResources
	if a := w.api("wiki", "/token", codeForm(code)); a.Code != http.StatusOK {
		t.Errorf("the refusal used the code up: %s", a.Body)
	}
}

func TestClientCredentialsForAResource(t *testing.T) {
	w := newWorld(t)
	form := func(resources ...string) url.Values {
		return with(url.Values{"grant_type": {"client_credentials"}}, resources...)
	}
	for name, c := range map[string]struct {
		client string
		asked  []string
		aud    string
	}{
		"none":         {"machine", nil, testIssuer},
		"the issuer":   {"machine", []string{testIssuer}, testIssuer},
		"a resource":   {"machine", []string{testLedger}, testLedger},
		"its own":      {"wiki", []string{testPayroll}, testPayroll},
		"of others":    {"machine", []string{testPayroll}, ""},
		"unknown":      {"machine", []string{"https://x.example"}, ""},
		"two":          {"machine", []string{testIssuer, testLedger}, ""},
		"no URI":       {"machine", []string{"ledger"}, ""},
		"in two parts": {"machine", []string{testLedger + " " + testIssuer}, ""},
	} {
		a := w.api(c.client, "/token", form(c.asked...))
		if c.aud == "" {
			a.wantError(http.StatusBadRequest, "invalid_target")
			continue
		}
		if claims := w.claimsOf(a.str("access_token")); claims["aud"] != c.aud || claims["sub"] != c.client {
			t.Errorf("%s: %v", name, claims)
		}
	}
}

// A description is printable ASCII without quotes (RFC 6749 §5.2), whatever was sent.
func TestDescriptionsHoldNothingThatWasSent(t *testing.T) {
	w := newWorld(t)
	a := w.api("machine", "/token", with(url.Values{"grant_type": {"client_credentials"}}, "https://x.example/\"\\ü"))
	if text := a.str("error_description"); strings.ContainsAny(text, "\"\\ü") || strings.Contains(text, "x.example") {
		t.Errorf("%q", text)
	}
}
