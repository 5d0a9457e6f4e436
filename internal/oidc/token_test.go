package oidc

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/audit"
	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/grant"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func TestTokenResponseHoldsWhatTheSpecsSay(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", "staff")
	b := w.loggedIn("alice")
	loginAt := w.clock.Load() / 1000
	w.pass(time.Minute)
	a := b.tokens("wiki")
	if a.Header().Get("Cache-Control") != "no-store" || a.Header().Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", a.Header())
	}
	now := float64(w.clock.Load() / 1000)
	access := w.claimsOf(a.str("access_token"))
	id := w.claimsOf(a.str("id_token"))
	if diff := cmp.Diff([]string{"acr", "amr", "aud", "auth_time", "client_id", "exp", "grant", "iat", "iss", "jti", "scope", "sid", "sub"}, sortedKeys(access)); diff != "" {
		t.Error("access token:", diff)
	}
	if diff := cmp.Diff([]string{"acr", "amr", "at_hash", "aud", "auth_time", "exp", "iat", "iss", "nonce", "sid", "sub"}, sortedKeys(id)); diff != "" {
		t.Error("ID token:", diff)
	}
	for name, want := range map[string]any{"iss": testIssuer, "sub": u.ID, "aud": "wiki", "exp": now + 300, "iat": now, "nonce": "n0nce",
		"auth_time": float64(loginAt), "acr": "1", "at_hash": keys.HalfHash(keys.RS256, a.str("access_token"))} {
		if id[name] != want {
			t.Errorf("ID token: %s = %v, want %v", name, id[name], want)
		}
	}
	for name, want := range map[string]any{"iss": testIssuer, "sub": u.ID, "aud": testIssuer, "client_id": "wiki", "exp": now + 300,
		"scope": "openid profile email groups", "sid": id["sid"]} {
		if access[name] != want {
			t.Errorf("access token: %s = %v, want %v", name, access[name], want)
		}
	}
	for token, alg := range map[string]string{a.str("id_token"): "RS256", a.str("access_token"): "ES256", b.tokens("other").str("id_token"): "ES256"} {
		head, _, _ := strings.Cut(token, ".")
		raw, err := base64.RawURLEncoding.DecodeString(head)
		if err != nil || !strings.Contains(string(raw), `"alg":"`+alg+`"`) {
			t.Errorf("header %s, want alg %s", raw, alg)
		}
	}
}

func TestWithoutOpenIDThereIsNoIDToken(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	a := w.loggedIn("alice").tokens("wiki", "scope", "read write unknown")
	if a.str("id_token") != "" || a.str("scope") != "read write" {
		t.Errorf("%s", a.Body)
	}
}

func TestClaimsInIDTokenOnlyWhereRegistered(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "staff")
	a := w.loggedIn("alice").tokens("other")
	for name, token := range map[string]string{
		"code":    a.str("id_token"),
		"refresh": w.api("other", "/token", refreshForm(a.str("refresh_token"))).str("id_token"),
	} {
		c := w.claimsOf(token)
		if c["preferred_username"] != "alice" || c["email"] != "alice@example.com" || c["name"] != "Full alice" || len(c["groups"].([]any)) != 1 {
			t.Errorf("%s: %v", name, c)
		}
	}
}

// A failed check consumes nothing: the right client can still redeem the code.
func TestCodeIsBoundToClientRedirectURIAndVerifier(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	code := b.code("wiki")
	change := func(name, value string) url.Values {
		f := codeForm(code)
		f.Set(name, value)
		return f
	}
	for name, c := range map[string]struct {
		client string
		form   url.Values
		want   string
	}{
		"another client":         {"other", codeForm(code), "invalid_grant"},
		"another redirect URI":   {"wiki", change("redirect_uri", "https://other.example.com/cb"), "invalid_grant"},
		"no redirect URI":        {"wiki", change("redirect_uri", ""), "invalid_request"},
		"no verifier":            {"wiki", change("code_verifier", ""), "invalid_grant"},
		"a wrong verifier":       {"wiki", change("code_verifier", strings.Repeat("x", 43)), "invalid_grant"},
		"challenge as verifier":  {"wiki", change("code_verifier", challengeFor(testVerifier)), "invalid_grant"},
		"a short verifier":       {"wiki", change("code_verifier", "x"), "invalid_grant"},
		"verifier with a NUL":    {"wiki", change("code_verifier", testVerifier+"\x00"), "invalid_request"},
		"another code":           {"wiki", change("code", "x"), "invalid_grant"},
		"no code":                {"wiki", change("code", ""), "invalid_request"},
		"no grant_type":          {"wiki", change("grant_type", ""), "invalid_request"},
		"an unknown grant_type":  {"wiki", change("grant_type", "password"), "unsupported_grant_type"},
		"a grant not registered": {"machine", codeForm(code), "unauthorized_client"},
		"a resource":             {"wiki", change("resource", "https://ledger.example.com"), "invalid_target"},
	} {
		w.api(c.client, "/token", c.form).wantError(http.StatusBadRequest, c.want)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	if a := w.api("wiki", "/token", codeForm(code)); a.Code != http.StatusOK {
		t.Errorf("the code was consumed by a failed check: %s", a.Body)
	}
}

// PKCE downgrade: a challenge without a verifier fails above; so must a verifier
// where the code had no challenge, for that code was injected (RFC 9700 §4.8).
func TestVerifierWithoutAChallengeIsRefused(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	code := b.code("old", "code_challenge", "", "code_challenge_method", "")
	w.api("old", "/token", codeForm(code)).wantError(http.StatusBadRequest, "invalid_grant")
	form := codeForm(code)
	form.Del("code_verifier")
	if a := w.api("old", "/token", form); a.Code != http.StatusOK {
		t.Errorf("without: %s", a.Body)
	}
}

func TestCodeUsedTwiceRevokesWhatItGave(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	code := w.loggedIn("alice").code("wiki")
	first := w.api("wiki", "/token", codeForm(code))
	w.api("other", "/token", codeForm(code)).wantError(http.StatusBadRequest, "invalid_grant")
	if !w.active("wiki", first.str("access_token")) {
		t.Fatal("another client's attempt revoked the tokens")
	}
	w.api("wiki", "/token", codeForm(code)).wantError(http.StatusBadRequest, "invalid_grant")
	if w.active("wiki", first.str("access_token")) || w.active("wiki", first.str("refresh_token")) {
		t.Error("what the code gave is still active")
	}
	w.api("wiki", "/token", refreshForm(first.str("refresh_token"))).wantError(http.StatusBadRequest, "invalid_grant")
	entries, err := w.Store.Entries(t.Context(), store.Filter{Event: audit.CodeReused, Limit: 5})
	if err != nil || len(entries) != 1 || entries[0].ClientID != "wiki" {
		t.Errorf("audit: %v, %v", entries, err)
	}
}

func TestCodeExpires(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	code := w.loggedIn("alice").code("wiki")
	w.pass(time.Minute + time.Millisecond)
	w.api("wiki", "/token", codeForm(code)).wantError(http.StatusBadRequest, "invalid_grant")
}

func TestOneOf64RedeemsACode(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := newWorldOn(t, url)
		w.user("alice")
		code := w.loggedIn("alice").code("wiki")
		statuses := race(64, func(int) int { return w.api("wiki", "/token", codeForm(code)).Code })
		if diff := cmp.Diff(map[int]int{200: 1, 400: 63}, statuses); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCodeOfADisabledUserOrEndedSessionIsWorthNothing(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	b := w.loggedIn("alice")
	code := b.code("wiki")
	must(t, w.Store.SetDisabled(t.Context(), u.ID, true, store.Entry{Actor: "test"}))
	w.api("wiki", "/token", codeForm(code)).wantError(http.StatusBadRequest, "invalid_grant")
	must(t, w.Store.SetDisabled(t.Context(), u.ID, false, store.Entry{Actor: "test"}))
	b = w.loggedIn("alice")
	code = b.code("wiki")
	w.loggedIn("alice")                                                           // another session of hers does not count
	must(t, w.Store.EndSession(t.Context(), b.sid(), store.Entry{Actor: "test"})) // the code is fresh still
	w.api("wiki", "/token", codeForm(code)).wantError(http.StatusBadRequest, "invalid_grant")
}

func TestClientAuthentication(t *testing.T) {
	w := newWorld(t)
	form := func(pairs ...string) url.Values {
		f := url.Values{"grant_type": {"client_credentials"}}
		for i := 0; i < len(pairs); i += 2 {
			f.Add(pairs[i], pairs[i+1])
		}
		return f
	}
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for name, c := range map[string]struct {
		header string
		form   url.Values
		status int
		err    string
	}{
		"basic":                       {basic("wiki", "secret"), form(), 200, ""},
		"basic, lower case scheme":    {"b" + basic("wiki", "secret")[1:], form(), 200, ""},
		"basic, form-encoded":         {basic("wik%69", "secre%74"), form(), 200, ""},
		"basic and its client_id":     {basic("wiki", "secret"), form("client_id", "wiki"), 200, ""},
		"post":                        {"", form("client_id", "post", "client_secret", "secret"), 200, ""},
		"another scheme beside post":  {"Negotiate YII=", form("client_id", "post", "client_secret", "secret"), 200, ""},
		"basic and another client_id": {basic("wiki", "secret"), form("client_id", "other"), 400, "invalid_request"},
		"basic and post":              {basic("wiki", "secret"), form("client_id", "wiki", "client_secret", "secret"), 400, "invalid_request"},
		"nothing":                     {"", form(), 401, "invalid_client"},
		"unknown client":              {basic("nobody", "secret"), form(), 401, "invalid_client"},
		"wrong secret":                {basic("wiki", "Secret"), form(), 401, "invalid_client"},
		"no secret":                   {basic("wiki", ""), form(), 401, "invalid_client"},
		"no colon":                    {"Basic " + base64.StdEncoding.EncodeToString([]byte("wiki")), form(), 401, "invalid_client"},
		"no base64":                   {"Basic %%%", form(), 401, "invalid_client"},
		"bad encoding":                {basic("wiki", "%zz"), form(), 401, "invalid_client"},
		"basic where post is due":     {basic("post", "secret"), form(), 401, "invalid_client"},
		"post where basic is due":     {"", form("client_id", "wiki", "client_secret", "secret"), 401, "invalid_client"},
		"confidential without secret": {"", form("client_id", "wiki"), 401, "invalid_client"},
		"public with a secret":        {"", form("client_id", "native", "client_secret", "x"), 401, "invalid_client"},
		"public, client_credentials":  {"", form("client_id", "native"), 400, "unauthorized_client"},
		"assertion":                   {"", form("client_id", "wiki", "client_assertion", "x"), 401, "invalid_client"},
		"secret twice":                {"", form("client_id", "post", "client_secret", "secret", "client_secret", "x"), 400, "invalid_request"},
	} {
		r := postForm("/token", c.form)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		a := w.do(r)
		if a.Code != c.status || a.str("error") != c.err {
			t.Errorf("%s: %d %s, want %d %s", name, a.Code, a.Body, c.status, c.err)
		}
		if challenged := strings.HasPrefix(a.Header().Get("WWW-Authenticate"), "Basic "); challenged != (a.Code == 401) {
			t.Errorf("%s: WWW-Authenticate %q", name, a.Header().Get("WWW-Authenticate"))
		}
		if a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: may be cached", name)
		}
	}
}

// TestBasicTakesASecretAsItWasSent: RFC 6749 §2.3.1 has it form-encoded, and curl -u
// and many libraries send it as it is.
func TestBasicTakesASecretAsItWasSent(t *testing.T) {
	w := newWorld(t)
	const odd, broken = "a+b%41/c=", "a+b%41/c=%" // the second cannot be decoded
	w.client("wiki").SecretHashes = [][]byte{secret.Hash(broken), secret.Hash(odd)}
	for _, c := range []struct {
		sent   string
		status int
	}{
		{odd, 200}, {url.QueryEscape(odd), 200}, {broken, 200}, {url.QueryEscape(broken), 200},
		{"a b%41/c=", 401}, {"a+bA/c=", 401}, {"a bA/c=", 401}, {"a bA/c=%", 401},
		{url.QueryEscape(url.QueryEscape(odd)), 401}, {"", 401}, {"%", 401},
	} {
		r := postForm("/token", url.Values{"grant_type": {"client_credentials"}})
		r.SetBasicAuth("wiki", c.sent)
		if a := w.do(r); a.Code != c.status {
			t.Errorf("%q: %d %s, want %d", c.sent, a.Code, a.Body, c.status)
		}
	}
}

func TestTokenEndpointTakesPostAndBodyOnly(t *testing.T) {
	w := newWorld(t)
	good := url.Values{"grant_type": {"client_credentials"}, "client_id": {"post"}, "client_secret": {"secret"}}.Encode()
	for name, c := range map[string]struct {
		method, target, contentType, body string
		status                            int
	}{
		"post":            {"POST", "/token", "application/x-www-form-urlencoded; charset=UTF-8", good, 200},
		"get":             {"GET", "/token?" + good, "", "", 405},
		"url":             {"POST", "/token?" + good, "application/x-www-form-urlencoded", "", 400},
		"url and body":    {"POST", "/token?client_secret=x", "application/x-www-form-urlencoded", good, 400},
		"json":            {"POST", "/token", "application/json", `{"grant_type":"client_credentials"}`, 400},
		"no content type": {"POST", "/token", "", good, 400},
		"1 MB":            {"POST", "/token", "application/x-www-form-urlencoded", good + "&state=" + strings.Repeat("x", 1<<20), 413},
		"10,000 names":    {"POST", "/token", "application/x-www-form-urlencoded", strings.Repeat("a=b&", 10_000), 400},
		"not UTF-8":       {"POST", "/token", "application/x-www-form-urlencoded", good + "&scope=%ff", 400},
	} {
		r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
		if c.contentType != "" {
			r.Header.Set("Content-Type", c.contentType)
		}
		if a := w.do(r); a.Code != c.status || (c.status != 200 && a.str("error") != "invalid_request") {
			t.Errorf("%s: %d %s, want %d", name, a.Code, a.Body, c.status)
		}
	}
}

func TestScriptsOfOtherSitesNeverGetCredentials(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/token", "/userinfo", "/revoke"} {
		r := httptest.NewRequest(http.MethodOptions, path, nil)
		r.Header.Set("Origin", "https://spa.example")
		r.Header.Set("Access-Control-Request-Method", "POST")
		a := w.do(r)
		if a.Code != http.StatusNoContent || a.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: preflight %d %v", path, a.Code, a.Header())
		}
		r = postForm(path, url.Values{})
		r.Header.Set("Origin", "https://spa.example")
		if b := w.do(r); b.Header().Get("Access-Control-Allow-Origin") != "*" || b.Header().Get("Access-Control-Allow-Credentials") != "" || a.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", path, b.Header())
		}
	}
	r := postForm("/introspect", url.Values{})
	r.Header.Set("Origin", "https://spa.example")
	if a := w.do(r); a.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("introspection is open to scripts")
	}
}

func TestPublicClientUsesPKCEAlone(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	loopback := "http://127.0.0.1:49152/cb"
	code := b.code("native", "redirect_uri", loopback)
	form := codeForm(code)
	form.Set("client_id", "native")
	w.do(postForm("/token", form)).wantError(http.StatusBadRequest, "invalid_grant")
	form.Set("redirect_uri", loopback)
	a := w.do(postForm("/token", form))
	if a.Code != http.StatusOK || a.str("refresh_token") == "" {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	refresh := refreshForm(a.str("refresh_token"))
	refresh.Set("client_id", "native")
	next := w.do(postForm("/token", refresh))
	rotated := next.str("refresh_token")
	if next.Code != http.StatusOK || rotated == "" || rotated == refresh.Get("refresh_token") {
		t.Fatalf("refresh: %d %s", next.Code, next.Body)
	}
	w.pass(grant.RefreshGrace + time.Second)
	for _, token := range []string{refresh.Get("refresh_token"), rotated} { // the old one again ends both
		refresh.Set("refresh_token", token)
		w.do(postForm("/token", refresh)).wantError(http.StatusBadRequest, "invalid_grant")
	}
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

func TestRefreshRotatesAndReuseKillsTheFamily(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	first := w.loggedIn("alice").tokens("wiki")
	t0 := first.str("refresh_token")
	a := w.api("wiki", "/token", refreshForm(t0))
	t1 := a.str("refresh_token")
	if a.Code != http.StatusOK || t1 == t0 || a.str("id_token") == "" {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	if c := w.claimsOf(a.str("id_token")); c["nonce"] != nil || c["sub"] == nil || c["auth_time"] == nil {
		t.Errorf("refreshed ID token: %v", c)
	}
	if again := w.api("wiki", "/token", refreshForm(t0)).str("refresh_token"); again != t1 {
		t.Errorf("within the grace the successor is another one")
	}
	w.api("other", "/token", refreshForm(t1)).wantError(http.StatusBadRequest, "invalid_grant")
	t2 := w.api("wiki", "/token", refreshForm(t1)).str("refresh_token")
	if t2 == "" || w.active("wiki", t1) || !w.active("wiki", t2) {
		t.Error("only the newest token is active")
	}
	w.pass(grant.RefreshGrace + time.Second)
	w.api("wiki", "/token", refreshForm(t1)).wantError(http.StatusBadRequest, "invalid_grant")
	w.api("wiki", "/token", refreshForm(t2)).wantError(http.StatusBadRequest, "invalid_grant")
	if w.active("wiki", first.str("access_token")) {
		t.Error("after reuse the access token is still active")
	}
}

func TestRefreshScopeOnlyNarrows(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	token := w.loggedIn("alice").tokens("wiki", "scope", "openid email read").str("refresh_token")
	form := refreshForm(token)
	form.Set("scope", "openid write")
	w.api("wiki", "/token", form).wantError(http.StatusBadRequest, "invalid_scope")
	form.Set("scope", "read")
	a := w.api("wiki", "/token", form)
	if a.str("scope") != "read" || a.str("id_token") != "" {
		t.Errorf("narrowed: %s", a.Body)
	}
	if a := w.api("wiki", "/token", refreshForm(a.str("refresh_token"))); a.str("scope") != "openid email read" {
		t.Errorf("the narrowing stuck: %s", a.Body)
	}
}

// A request that is refused uses nothing up: a retry long after the grace must
// not look like a stolen token.
func TestRefusedRefreshKeepsTheToken(t *testing.T) {
	for name, c := range map[string]struct {
		scope, want string
		groups      []string
	}{
		"too wide a scope": {"openid write", "invalid_scope", nil},
		"left the group":   {"", "invalid_grant", []string{"wiki-users"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.user("alice")
			token := w.loggedIn("alice").tokens("wiki", "scope", "openid read").str("refresh_token")
			form := refreshForm(token)
			form.Set("scope", c.scope)
			w.client("wiki").AllowGroups = c.groups
			w.api("wiki", "/token", form).wantError(http.StatusBadRequest, c.want)
			w.client("wiki").AllowGroups = nil
			w.pass(grant.RefreshGrace + time.Second)
			if !w.active("wiki", token) {
				t.Error("the token was used up by a request that got nothing")
			}
			if a := w.api("wiki", "/token", refreshForm(token)); a.Code != http.StatusOK {
				t.Errorf("retry: %d %s", a.Code, a.Body)
			}
		})
	}
}

func TestRefreshEndsWithSessionUserGroupAndClient(t *testing.T) {
	for name, end := range map[string]func(w *world, u *store.User, b *browser){
		"signed out": func(w *world, _ *store.User, b *browser) {
			must(w.t, w.Store.EndSession(w.t.Context(), b.sid(), store.Entry{Actor: "test"}))
		},
		"session idle": func(w *world, _ *store.User, _ *browser) { w.pass(8*time.Hour + time.Minute) },
		"disabled": func(w *world, u *store.User, _ *browser) {
			must(w.t, w.Store.SetDisabled(w.t.Context(), u.ID, true, store.Entry{Actor: "test"}))
		},
		"left the group": func(w *world, u *store.User, _ *browser) {
			must(w.t, w.Store.SetProfile(w.t.Context(), u.ID, "", "", []string{"staff"}, store.Entry{Actor: "test"}))
			c := w.client("wiki")
			c.AllowGroups = []string{"wiki-users"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.user("alice", "wiki-users")
			b := w.loggedIn("alice")
			a := b.tokens("wiki")
			end(w, u, b)
			w.api("wiki", "/token", refreshForm(a.str("refresh_token"))).wantError(http.StatusBadRequest, "invalid_grant")
		})
	}
}

// sid is the session id of the browser's last tokens.
func (b *browser) sid() string {
	b.w.t.Helper()
	sid, _ := b.w.claimsOf(b.tokens("wiki").str("id_token"))["sid"].(string)
	return sid
}

// offline_access outlives the session, unless a ticket proved who it is: nobody
// would tell us that the account was closed.
func TestOfflineAccessOutlivesTheSessionButNotATicket(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	for principal, want := range map[string]int{"": http.StatusOK, "alice@EXAMPLE.COM": http.StatusBadRequest} {
		b := w.browser()
		b.logIn(url.Values{"user": {"alice"}, "principal": {principal}})
		a := b.tokens("wiki", "scope", "openid offline_access")
		if offline := clients.HasScope(a.str("scope"), "offline_access"); offline != (want == http.StatusOK) {
			t.Errorf("%q: scope %q", principal, a.str("scope"))
		}
		sid, _ := w.claimsOf(a.str("id_token"))["sid"].(string)
		must(t, w.Store.EndSession(t.Context(), sid, store.Entry{Actor: "test"}))
		if a := w.api("wiki", "/token", refreshForm(a.str("refresh_token"))); a.Code != want {
			t.Errorf("%q: %d %s, want %d", principal, a.Code, a.Body, want)
		}
	}
}

func TestClientCredentials(t *testing.T) {
	w := newWorld(t)
	form := url.Values{"grant_type": {"client_credentials"}}
	a := w.api("machine", "/token", form)
	c := w.claimsOf(a.str("access_token"))
	if diff := cmp.Diff([]string{"aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"}, sortedKeys(c)); diff != "" {
		t.Error(diff)
	}
	if c["sub"] != "machine" || c["scope"] != "read" || a.str("refresh_token") != "" || a.str("id_token") != "" {
		t.Errorf("%s %v", a.Body, c)
	}
	form.Set("scope", "admin")
	w.api("machine", "/token", form).wantError(http.StatusBadRequest, "invalid_scope")
	token := a.str("access_token")
	if a := w.askUserinfo(token); a.Code != http.StatusForbidden || !strings.Contains(a.Header().Get("WWW-Authenticate"), "insufficient_scope") {
		t.Errorf("userinfo: %d %s", a.Code, a.Body)
	}
	if !w.active("machine", token) {
		t.Error("not active")
	}
	w.api("machine", "/revoke", url.Values{"token": {token}})
	if w.active("machine", token) {
		t.Error("active after revocation")
	}
}

// What goes wrong inside is told to the log, never to a client.
func TestInternalErrorsStayInside(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	token := b.tokens("wiki").str("access_token")
	must(t, w.Store.Close())
	for _, a := range []*answer{
		w.api("wiki", "/token", codeForm("x")), w.api("wiki", "/introspect", url.Values{"token": {token}}), w.askUserinfo(token),
	} {
		a.wantError(http.StatusInternalServerError, "server_error")
		if got := sortedKeys(a.json()); len(got) != 1 {
			t.Errorf("the answer tells more than the code: %s", a.Body)
		}
	}
	if a := b.get(authorizeURL("wiki")); a.Code != http.StatusInternalServerError || strings.Contains(a.Body.String(), "database") {
		t.Errorf("authorize: %d %s", a.Code, a.Body)
	}
}
