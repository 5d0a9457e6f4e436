package oidc

import (
	"encoding/base64"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Requirements of the standards that no other test shows; docs/standards.md says
// which test shows which.

// tokenHeader is the first part of a JWT.
func tokenHeader(t *testing.T, jwt string) map[string]any {
	t.Helper()
	first, _, _ := strings.Cut(jwt, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	must(t, err)
	header := map[string]any{}
	must(t, json.Unmarshal(raw, &header))
	return header
}

// nameOf is the name of a function that is called, without its package or receiver.
func nameOf(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3: %x20-21 / %x23-5B / %x5D-7E. What is
// filled in are names of parameters and numbers, never what somebody sent.
func TestErrorDescriptionsHaveOnlyTheAllowedCharacters(t *testing.T) {
	found := 0
	check := func(at token.Position, e ast.Expr) {
		ast.Inspect(e, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			must(t, err)
			found++
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) || strings.Contains(text, "%q") {
				t.Errorf("%s: %q", at, text)
			}
			return true
		})
	}
	// What is put in by %s or %v comes from these, but for numbers and names of ours.
	describe := map[string]int{"WithDescription": 0, "refuse": 0, "invalidTarget": 0, "invalidGrant": 1}
	files := token.NewFileSet()
	must(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				at, ok := describe[nameOf(n.Fun)]
				if ok && len(n.Args) > at {
					check(files.Position(n.Pos()), n.Args[at])
				} else if path == filepath.Join("proof", "key.go") && slices.Contains([]string{"New", "Errorf"}, nameOf(n.Fun)) {
					check(files.Position(n.Pos()), n.Args[0])
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Description" {
					check(files.Position(n.Pos()), n.Value)
				}
			}
			return true
		})
		return nil
	}))
	if found < 120 {
		t.Errorf("%d descriptions found: this test would pass with anything", found)
	}
}

// RFC 9700 §2.6: browsers are sent there, scripts have nothing to read.
func TestAuthorizationAndSignOutAreClosedToScripts(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	for _, method := range []string{http.MethodOptions, http.MethodGet} {
		for _, target := range []string{authorizeURL("wiki"), "/end_session"} {
			r := httptest.NewRequest(method, target, nil)
			r.Header.Set("Origin", "https://spa.example")
			r.Header.Set("Access-Control-Request-Method", http.MethodGet)
			if a := b.do(r); a.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: %v", method, target, a.Header())
			}
		}
	}
}

// RFC 9700 §4.16: a page in somebody's frame is clicked without being seen.
func TestNoAnswerCanBeFramed(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	for _, target := range []string{"/end_session", authorizeURL("nobody"), authorizeURL("wiki"), "/userinfo", "/nowhere"} {
		h := b.get(target).Header()
		if h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %q, %q", target, h.Get("X-Frame-Options"), h.Get("Content-Security-Policy"))
		}
	}
}

// OIDC Core §2 and §10.1, RFC 9068 §2.1: kid names a published key, typ says what
// it is, and no header brings a key along.
func TestTokenHeadersNameTheirKeyAndType(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	published := map[string]string{}
	for _, key := range w.do(httptest.NewRequest(http.MethodGet, "/jwks", nil)).json()["keys"].([]any) {
		key := key.(map[string]any)
		kid, _ := key["kid"].(string)
		if published[kid] != "" {
			t.Errorf("two keys are called %s", kid)
		}
		published[kid], _ = key["alg"].(string)
		if n, _ := key["n"].(string); key["kty"] == "RSA" && len(n)*6 < 2048 {
			t.Errorf("the RSA key has %d bits", len(n)*6)
		}
	}
	a := w.loggedIn("alice").tokens("wiki")
	for name, typ := range map[string]string{"id_token": "JWT", "access_token": "at+jwt"} {
		header := tokenHeader(t, a.str(name))
		if diff := cmp.Diff([]string{"alg", "kid", "typ"}, sortedKeys(header)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		kid, _ := header["kid"].(string)
		if header["typ"] != typ || header["alg"] != published[kid] || published[kid] == "" {
			t.Errorf("%s: %v, published %v", name, header, published)
		}
	}
}

// RFC 6749 §5.1, RFC 6750 §4, OIDC Core §5.3.2.
func TestAnswersWithTokensAndClaimsAreWellFormed(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	a := w.loggedIn("alice").tokens("wiki")
	if got := a.json(); got["token_type"] != "Bearer" || got["expires_in"] != 300.0 || got["scope"] != "openid profile email groups" {
		t.Errorf("%s", a.Body)
	}
	info := w.askUserinfo(a.str("access_token"))
	for name, h := range map[string]http.Header{"token": a.Header(), "userinfo": info.Header()} {
		if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
			t.Errorf("%s: %v", name, h)
		}
	}
}

// OIDC Core §12.2.
func TestRefreshedIDTokenIsOfTheSameLogin(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	a := w.loggedIn("alice").tokens("wiki")
	first := w.claimsOf(a.str("id_token"))
	w.pass(time.Minute)
	second := w.claimsOf(w.api("wiki", "/token", refreshForm(a.str("refresh_token"))).str("id_token"))
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "sid", "acr"} {
		if first[name] == nil || first[name] != second[name] {
			t.Errorf("%s: %v, then %v", name, first[name], second[name])
		}
	}
	if second["iat"] != first["iat"].(float64)+60 || second["nonce"] != nil || second["azp"] != nil {
		t.Errorf("%v", second)
	}
}

// OIDC Discovery §3 and §4.2, RFC 8414 §2 and §3.2.
func TestDiscoveryHoldsWhatIsRequired(t *testing.T) {
	w := newWorld(t)
	a := w.do(httptest.NewRequest(http.MethodGet, "/.well-known/openid-configuration", nil))
	if a.Code != http.StatusOK || a.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", a.Code, a.Header().Get("Content-Type"))
	}
	d := a.json()
	for _, name := range []string{"issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "response_types_supported",
		"subject_types_supported", "id_token_signing_alg_values_supported", "scopes_supported", "claims_supported", "end_session_endpoint"} {
		if d[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for name, value := range d {
		if list, ok := value.([]any); value == nil || value == "" || (ok && len(list) == 0) {
			t.Errorf("%s is empty, and must be left out", name)
		}
	}
	if algs, _ := json.Marshal(d["id_token_signing_alg_values_supported"]); !strings.Contains(string(algs), `"RS256"`) || strings.Contains(string(algs), "none") {
		t.Errorf("algorithms of ID tokens: %s", algs)
	}
	if scopes, _ := json.Marshal(d["scopes_supported"]); !strings.Contains(string(scopes), `"openid"`) {
		t.Errorf("scopes: %s", scopes)
	}
}

// OIDC Core §2, FAPI 2.0 Security Profile §5.3.2.2: 64 characters at least; here as
// many as a request has room for.
func TestNoncesOfEveryLengthComeBackUnchanged(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	for _, nonce := range []string{"n", strings.Repeat("n", 64), "ö & \\" + strings.Repeat("n", 2000)} {
		if id := w.claimsOf(b.tokens("wiki", "nonce", nonce).str("id_token")); id["nonce"] != nonce {
			t.Errorf("%q: %v", nonce, id["nonce"])
		}
	}
}

// RFC 6749 §10.10: 2^-160 at most. 43 characters are 256 random bits; a refresh
// token ends in a MAC of 256 bits; a jti has 128 bits and is no credential.
func TestWhatIsIssuedCannotBeGuessed(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	seen := map[string]bool{}
	for range 10 {
		code := b.code("wiki")
		a := w.api("wiki", "/token", codeForm(code))
		claims := w.claimsOf(a.str("access_token"))
		jti, _ := claims["jti"].(string)
		if sub, _ := claims["sub"].(string); len(sub) != 22 {
			t.Errorf("sub %q", sub)
		}
		for value, length := range map[string]int{code: 43, a.str("refresh_token"): 75, jti: 22} {
			if len(value) != length || seen[value] || url.QueryEscape(value) != value {
				t.Errorf("%q: %d characters, seen before: %v", value, len(value), seen[value])
			}
			seen[value] = true
		}
	}
}

// RFC 7009 §2.1 and RFC 7662 §2.1: a hint that is wrong must not hide a token.
func TestATokenTypeHintHidesNothing(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	a := w.loggedIn("alice").tokens("wiki")
	for token, wrong := range map[string]string{"access_token": "refresh_token", "refresh_token": "access_token"} {
		form := url.Values{"token": {a.str(token)}, "token_type_hint": {wrong}}
		if got := w.api("wiki", "/introspect", form).json(); got["active"] != true {
			t.Errorf("introspection of the %s: %v", token, got)
		}
		if done := w.api("wiki", "/revoke", form); done.Code != http.StatusOK || w.active("wiki", a.str(token)) {
			t.Errorf("revocation of the %s: %d %s", token, done.Code, done.Body)
		}
		a = w.loggedIn("alice").tokens("wiki")
	}
	for _, path := range []string{"/introspect", "/revoke"} {
		if a := w.do(httptest.NewRequest(http.MethodGet, path+"?token=x", nil)); a.Code != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", path, a.Code)
		}
	}
}
