package oidc

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/keys"
	"idp/internal/oidc/tokens"
	"idp/internal/store"
)

func TestUserinfoShowsWhatTheScopeAllows(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", "staff")
	b := w.loggedIn("alice")
	for scope, want := range map[string]map[string]any{
		"openid":         {"sub": u.ID},
		"openid profile": {"sub": u.ID, "name": "Full alice", "preferred_username": "alice", "updated_at": float64(testStart / 1000)},
		"openid email":   {"sub": u.ID, "email": "alice@example.com", "email_verified": true},
		"openid groups":  {"sub": u.ID, "groups": []any{"staff"}},
	} {
		a := w.askUserinfo(b.tokens("wiki", "scope", scope).str("access_token"))
		if diff := cmp.Diff(want, a.json()); diff != "" {
			t.Errorf("%s: %s", scope, diff)
		}
	}
}

// Every claim that discovery promises, of a user who has them all.
func TestUserinfoTellsEveryStandardClaim(t *testing.T) {
	w := newWorld(t)
	claims := store.UserClaims{GivenName: "Eve", FamilyName: "Every", MiddleName: "E", Nickname: "ee", Profile: "https://e.example/p", Picture: "https://e.example/p.png",
		Website: "https://e.example/", Gender: "female", Birthdate: "2000-02-29", Zoneinfo: "Europe/Oslo", Locale: "nb-NO", PhoneNumber: "+47 1", PhoneNumberVerified: true,
		Address: store.Address{Formatted: "A\nB", StreetAddress: "A", Locality: "B", Region: "C", PostalCode: "1", Country: "NO"}}
	u, err := w.Store.CreateUser(t.Context(), store.User{Name: "eve", FullName: "Eve E Every", Email: "eve@e.example", EmailVerified: true, Groups: []string{"staff"}, Claims: claims},
		nil, store.Entry{Actor: "test"})
	must(t, err)
	w.client("wiki").Scope = "openid profile email phone address groups"
	got := w.askUserinfo(w.loggedIn("eve").tokens("wiki", "scope", w.client("wiki").Scope).str("access_token")).json()
	want := map[string]any{"sub": u.ID, "name": "Eve E Every", "preferred_username": "eve", "email": "eve@e.example", "email_verified": true, "groups": []any{"staff"},
		"given_name": "Eve", "family_name": "Every", "middle_name": "E", "nickname": "ee", "profile": "https://e.example/p", "picture": "https://e.example/p.png",
		"website": "https://e.example/", "gender": "female", "birthdate": "2000-02-29", "zoneinfo": "Europe/Oslo", "locale": "nb-NO", "updated_at": float64(testStart / 1000),
		"phone_number": "+47 1", "phone_number_verified": true,
		"address": map[string]any{"formatted": "A\nB", "street_address": "A", "locality": "B", "region": "C", "postal_code": "1", "country": "NO"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, claim := range tokens.UserClaims {
		if _, told := got[claim.Name]; !told {
			t.Errorf("%s is promised and not told", claim.Name)
		}
	}
}

func TestUserinfoIsSignedForWhoAsks(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	w.client("wiki").UserinfoAlg = "ES256"
	a := w.askUserinfo(w.loggedIn("alice").tokens("wiki", "scope", "openid email").str("access_token"))
	if got := a.Header().Get("Content-Type"); got != "application/jwt" {
		t.Errorf("Content-Type %q", got)
	}
	want := map[string]any{"iss": testIssuer, "aud": "wiki", "sub": u.ID, "email": "alice@example.com", "email_verified": true}
	if d := cmp.Diff(want, w.claimsOf(a.Body.String())); d != "" {
		t.Error(d)
	}
	if _, err := w.tokens.ReadHint(a.Body.String()); err == nil {
		t.Error("a userinfo response passes as an ID token")
	}
}

func TestUserinfoTakesOneBearerTokenAndNotFromTheURL(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	a := w.loggedIn("alice").tokens("wiki")
	token := a.str("access_token")
	noOpenID := w.loggedIn("alice").tokens("wiki", "scope", "read").str("access_token")
	request := func(method, target, header string, form url.Values) *http.Request {
		r := httptest.NewRequest(method, target, nil)
		if form != nil {
			r = postForm(target, form)
		}
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		return r
	}
	for name, c := range map[string]struct {
		r         *http.Request
		status    int
		challenge string
	}{
		"header":            {request("GET", "/userinfo", "Bearer "+token, nil), 200, ""},
		"lower case":        {request("GET", "/userinfo", "bearer "+token, nil), 200, ""},
		"POST":              {request("POST", "/userinfo", "Bearer "+token, nil), 200, ""},
		"body":              {request("POST", "/userinfo", "", url.Values{"access_token": {token}}), 200, ""},
		"header and body":   {request("POST", "/userinfo", "Bearer "+token, url.Values{"access_token": {token}}), 400, ""},
		"URL":               {request("GET", "/userinfo?access_token="+token, "", nil), 401, `Bearer realm="userinfo"`},
		"POST with URL":     {request("POST", "/userinfo?access_token="+token, "", url.Values{}), 400, ""},
		"nothing":           {request("GET", "/userinfo", "", nil), 401, `Bearer realm="userinfo"`},
		"basic":             {request("GET", "/userinfo", "Basic x", nil), 401, `Bearer realm="userinfo"`},
		"an ID token":       {request("GET", "/userinfo", "Bearer "+a.str("id_token"), nil), 401, `error="invalid_token"`},
		"a refresh token":   {request("GET", "/userinfo", "Bearer "+a.str("refresh_token"), nil), 401, `error="invalid_token"`},
		"no scope openid":   {request("GET", "/userinfo", "Bearer "+noOpenID, nil), 403, `error="insufficient_scope"`},
		"a changed token":   {request("GET", "/userinfo", "Bearer "+token+"x", nil), 401, `error="invalid_token"`},
		"another method":    {request("PUT", "/userinfo", "Bearer "+token, nil), 405, ""},
		"64 KB":             {request("GET", "/userinfo", "Bearer "+strings.Repeat("x", 64<<10), nil), 401, `error="invalid_token"`},
		"random characters": {request("GET", "/userinfo", "Bearer \x00\xff..", nil), 401, `error="invalid_token"`},
	} {
		a := w.do(c.r)
		if a.Code != c.status || !strings.Contains(a.Header().Get("WWW-Authenticate"), c.challenge) {
			t.Errorf("%s: %d %q %s", name, a.Code, a.Header().Get("WWW-Authenticate"), a.Body)
		}
	}
}

// Tokens that our own keys signed, for something else.
func TestTokenOfAnotherAudienceIssuerOrTypeIsRefused(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	good := w.claimsOf(w.loggedIn("alice").tokens("wiki").str("access_token"))
	for name, c := range map[string]struct {
		typ, claim string
		value      any
		status     int
	}{
		"as issued":        {keys.TypeAccessToken, "iss", testIssuer, http.StatusOK},
		"another audience": {keys.TypeAccessToken, "aud", "https://ledger.example.com", http.StatusUnauthorized},
		"two audiences":    {keys.TypeAccessToken, "aud", []string{testIssuer, "x"}, http.StatusUnauthorized},
		"another issuer":   {keys.TypeAccessToken, "iss", "https://old.example.com", http.StatusUnauthorized},
		"no expiry":        {keys.TypeAccessToken, "exp", nil, http.StatusUnauthorized},
		"an ID token":      {keys.TypeIDToken, "iss", testIssuer, http.StatusUnauthorized},
		"a logout token":   {keys.TypeLogoutToken, "iss", testIssuer, http.StatusUnauthorized},
		"another grant":    {keys.TypeAccessToken, "grant", "x", http.StatusUnauthorized},
		"a lost client":    {keys.TypeAccessToken, "client_id", "gone", http.StatusUnauthorized},
	} {
		claims := maps.Clone(good)
		claims[c.claim] = c.value
		raw, err := json.Marshal(claims)
		must(t, err)
		token, err := w.Keys.Sign(keys.ES256, c.typ, raw)
		must(t, err)
		if a := w.askUserinfo(token); a.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, a.Code, a.Body, c.status)
		}
	}
}

// A token that was seen before is looked up in a cache; what ended since must
// count all the same.
func TestAccessTokenEndsAtOnceWithWhatItRestsOn(t *testing.T) {
	for name, end := range map[string]func(w *world, u *store.User, token string, claims map[string]any){
		"expiry": func(w *world, _ *store.User, _ string, _ map[string]any) { w.pass(5 * time.Minute) },
		"sign-out": func(w *world, _ *store.User, _ string, c map[string]any) {
			must(w.t, w.Store.EndSession(w.t.Context(), c["sid"].(string), store.Entry{Actor: "test"}))
		},
		"disabled": func(w *world, u *store.User, _ string, _ map[string]any) {
			must(w.t, w.Store.SetDisabled(w.t.Context(), u.ID, true, store.Entry{Actor: "test"}))
		},
		"revoked": func(w *world, _ *store.User, token string, _ map[string]any) {
			if a := w.api("wiki", "/revoke", url.Values{"token": {token}}); a.Code != http.StatusOK {
				w.t.Errorf("revocation: %d %s", a.Code, a.Body)
			}
		},
		"grant revoked": func(w *world, _ *store.User, _ string, c map[string]any) {
			must(w.t, w.Store.RevokeGrant(w.t.Context(), c["grant"].(string), store.Entry{Actor: "test"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.user("alice")
			token := w.loggedIn("alice").tokens("wiki").str("access_token")
			if a := w.askUserinfo(token); a.Code != http.StatusOK || !w.active("wiki", token) {
				t.Fatalf("before: %d", a.Code)
			}
			end(w, u, token, w.claimsOf(token))
			if a := w.askUserinfo(token); a.Code != http.StatusUnauthorized {
				t.Errorf("userinfo: %d %s", a.Code, a.Body)
			}
			if w.active("wiki", token) {
				t.Error("introspection: active")
			}
		})
	}
}

func TestIntrospectionTellsOwnersOnly(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	a := w.loggedIn("alice").tokens("wiki")
	for kind, token := range map[string]string{"access": a.str("access_token"), "refresh": a.str("refresh_token")} {
		got := w.api("wiki", "/introspect", url.Values{"token": {token}, "token_type_hint": {"nonsense"}}).json()
		if got["active"] != true || got["sub"] != u.ID || got["client_id"] != "wiki" || got["username"] != "alice" {
			t.Errorf("%s: %v", kind, got)
		}
		other := w.api("other", "/introspect", url.Values{"token": {token}})
		if strings.TrimSpace(other.Body.String()) != `{"active":false}` {
			t.Errorf("%s: another client learns %s", kind, other.Body)
		}
		public := url.Values{"token": {token}, "client_id": {"native"}}
		w.do(postForm("/introspect", public)).wantError(http.StatusUnauthorized, "invalid_client")
		w.do(postForm("/introspect", url.Values{"token": {token}})).wantError(http.StatusUnauthorized, "invalid_client")
	}
	for _, token := range []string{"x", "a.b.c", a.str("id_token"), strings.Repeat("x", 60_000), "\n"} {
		if w.active("wiki", token) {
			t.Errorf("%.20q is active", token)
		}
	}
	w.api("wiki", "/introspect", nil).wantError(http.StatusBadRequest, "invalid_request")
}

func TestRevocationOfOwnTokensOnly(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	a := w.loggedIn("alice").tokens("wiki")
	access, refresh := a.str("access_token"), a.str("refresh_token")
	for _, token := range []string{access, refresh} {
		w.api("other", "/revoke", url.Values{"token": {token}}).wantError(http.StatusBadRequest, "invalid_grant")
	}
	for _, token := range []string{"x", "a.b.c", a.str("id_token")} {
		if a := w.api("wiki", "/revoke", url.Values{"token": {token}}); a.Code != http.StatusOK {
			t.Errorf("%.10s: %d %s, want 200 (RFC 7009 §2.2)", token, a.Code, a.Body)
		}
	}
	if !w.active("wiki", access) || !w.active("wiki", refresh) {
		t.Fatal("the tokens are gone too early")
	}
	w.api("wiki", "/revoke", url.Values{"token": {access}})
	if w.active("wiki", access) || !w.active("wiki", refresh) {
		t.Error("revoking the access token: it and it alone must end")
	}
	fresh := w.api("wiki", "/token", refreshForm(refresh))
	w.api("wiki", "/revoke", url.Values{"token": {fresh.str("refresh_token")}})
	if w.active("wiki", fresh.str("access_token")) || w.active("wiki", fresh.str("refresh_token")) {
		t.Error("revoking the refresh token must end all its grant gave (RFC 7009 §2.1)")
	}
}

func TestReadyDocumentsAreRevalidated(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks"} {
		a := w.do(httptest.NewRequest(http.MethodGet, path, nil))
		etag := a.Header().Get("ETag")
		if a.Code != http.StatusOK || etag == "" || a.Header().Get("Cache-Control") != "public, max-age=300" || a.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v", path, a.Code, a.Header())
		}
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", etag)
		if a := w.do(r); a.Code != http.StatusNotModified || a.Body.Len() != 0 {
			t.Errorf("%s: %d with its ETag", path, a.Code)
		}
	}
}
