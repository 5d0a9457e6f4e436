package oidc

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/keys"
	"idp/internal/keys/keystest"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/rptest"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/store/storetest"
	"idp/internal/web"
)

const (
	testStart    = keystest.Start // the clock of every world
	testIssuer   = "http://localhost:8080"
	testRedirect = "https://wiki.example.com/callback"
	testVerifier = "0123456789-0123456789-0123456789-0123456789"
)

// world is a provider on a real database, with a clock of its own.
type world struct {
	*Provider
	t       testing.TB
	clock   *atomic.Int64
	handler http.Handler
	raceKey *rptest.Key
}

// testClients are the relying parties; all secrets are "secret".
func testClients() []store.Client {
	no, hour := false, int64(3600)
	hashes := [][]byte{secret.Hash("secret")}
	all := []string{"authorization_code", "refresh_token", "client_credentials"}
	return []store.Client{
		{ClientID: "wiki", ClientName: "Wiki", SecretHashes: hashes, RedirectURIs: []string{testRedirect}, GrantTypes: all,
			Scope: "openid profile email groups offline_access read write", PostLogoutRedirectURIs: []string{"https://wiki.example.com/", "https://wiki.example.com/bye?x=1"}},
		{ClientID: "framed", SecretHashes: hashes, RedirectURIs: []string{testRedirect, "https://framed.example.com/cb"}, PostLogoutRedirectURIs: []string{"https://framed.example.com/bye"},
			FrontchannelLogoutURI: "https://framed.example.com/logout?tenant=1", FrontchannelLogoutSession: true},
		{ClientID: "plainframe", SecretHashes: hashes, RedirectURIs: []string{testRedirect, "https://plainframe.example.com/cb"}, FrontchannelLogoutURI: "https://plainframe.example.com/logout"},
		{ClientID: "other", SecretHashes: hashes, RedirectURIs: []string{testRedirect, "https://other.example.com/cb"}, GrantTypes: all, IDTokenAlg: "ES256", ClaimsInIDToken: true},
		{ClientID: "post", SecretHashes: hashes, RedirectURIs: []string{testRedirect}, TokenEndpointAuthMethod: "client_secret_post", GrantTypes: all},
		{ClientID: "native", TokenEndpointAuthMethod: "none", RedirectURIs: []string{"http://127.0.0.1/cb", testRedirect}, GrantTypes: []string{"authorization_code", "refresh_token"}},
		{ClientID: "lax", TokenEndpointAuthMethod: "none", RedirectURIs: []string{testRedirect}, RequirePKCE: &no}, // clients.Check refuses it
		{ClientID: "old", SecretHashes: hashes, RedirectURIs: []string{testRedirect}, RequirePKCE: &no},
		{ClientID: "finance", SecretHashes: hashes, RedirectURIs: []string{testRedirect}, AllowGroups: []string{"finance"}},
		{ClientID: "stranger", SecretHashes: hashes, RedirectURIs: []string{testRedirect}, Trusted: &no},
		{ClientID: "lazy", SecretHashes: hashes, RedirectURIs: []string{testRedirect}, ReauthByTicket: true},
		{ClientID: "neither", SecretHashes: hashes, RedirectURIs: []string{testRedirect}, RequirePKCE: &no, RequireNonce: &no},
		{ClientID: "hourly", SecretHashes: hashes, RedirectURIs: []string{testRedirect}, DefaultMaxAge: &hour},
		{ClientID: "pushes", SecretHashes: hashes, RedirectURIs: []string{testRedirect}, GrantTypes: all, RequirePAR: true},
		{ClientID: testLedger, SecretHashes: hashes, GrantTypes: []string{"client_credentials"}, Scope: "read"}, // a resource server
		{ClientID: "tv", ClientName: "Tellyvision", TokenEndpointAuthMethod: "none", GrantTypes: []string{deviceGrantType, "refresh_token"}, Scope: "openid profile email offline_access"},
		{ClientID: "printer", SecretHashes: hashes, GrantTypes: []string{deviceGrantType}, ClaimsInIDToken: true},
		{ClientID: "machine", SecretHashes: hashes, GrantTypes: []string{"client_credentials"}, Scope: "read openid"},
	}
}

// What access tokens can be for, beside the issuer.
const (
	testLedger  = "https://ledger.example.com"
	testPayroll = "https://payroll.example.com/api"
	testArchive = "https://archive.example.com"
)

var testResources = []store.Resource{
	{URI: testLedger, AccessTokenAlg: keys.RS256},
	{URI: testPayroll, Clients: []string{"wiki", "native"}},
	{URI: testArchive},
}

func newWorld(t testing.TB) *world { return newWorldOn(t, storetest.SQLite(t)) }

func newWorldOn(t testing.TB, database string) *world {
	t.Helper()
	clock := &atomic.Int64{}
	clock.Store(testStart)
	return newNode(t, database, clock, true)
}

// twoNodes are two of one installation.
func twoNodes(t testing.TB, database string) [2]*world {
	t.Helper()
	w := newWorldOn(t, database)
	return [2]*world{w, newNode(t, database, w.clock, false)}
}

// newNode makes a provider; first: on an empty database.
func newNode(t testing.TB, database string, clock *atomic.Int64, first bool) *world {
	t.Helper()
	w := &world{t: t, clock: clock}
	now := func() time.Time { return time.UnixMilli(w.clock.Load()) }
	log := slog.New(slog.DiscardHandler)
	st := storetest.Open(t, store.Config{URL: database, Now: now, Log: log})
	ring, rows := keystest.Signing()
	for _, row := range rows {
		if first {
			must(t, st.AddSigningKey(t.Context(), row, store.Entry{Actor: "test"}))
		}
	}
	k, err := keys.New(t.Context(), keys.Config{Store: st, Ring: ring, Now: now, Log: log})
	must(t, err)
	issuer, err := url.Parse(testIssuer)
	must(t, err)
	sessions, err := session.New(session.Config{Store: st, Ring: ring, Issuer: issuer, Now: now})
	must(t, err)
	pages, err := web.NewPages(web.Brand{Name: "Example Ltd"})
	must(t, err)
	policy := &policy.Policy{Store: st, OfferTo: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Usable: func() error { return nil }, Now: now}
	w.Provider, err = New(Config{Issuer: testIssuer, Store: st, Sessions: sessions, Keys: k, Pages: pages,
		Clients: clients.New(testClients(), st, now), Policy: policy, Ring: ring, Realm: "EXAMPLE.COM", Resources: testResources, Now: now})
	must(t, err)
	w.handler = web.Chain(w.routes(), web.ChainConfig{Log: log, Pages: pages})
	return w
}

func (w *world) routes() http.Handler {
	mux := http.NewServeMux()
	page := func(pattern string, h web.Handler) { mux.Handle(pattern, w.Pages.Handle(h)) }
	api := func(pattern string, h web.Handler) { mux.Handle(pattern, wire.Handle(h)) }
	page("/authorize", w.ServeAuthorize)
	page("GET /authorize/resume", w.ServeResume)
	page("/end_session", w.SignOut.ServeEndSession)
	page("GET /end_session/done", w.SignOut.ServeSignedOut)
	api("/token", w.Grants.ServeToken)
	api("/par", w.Pushed.ServePAR)
	api("/userinfo", w.ServeUserinfo)
	api("/introspect", w.ServeIntrospect)
	api("/revoke", w.ServeRevoke)
	api("/device_authorization", w.Devices.ServeAuthorization)
	page("GET /device", w.Devices.ServePage)
	page("POST /device", w.Devices.ServeAnswer)
	api("/register", w.ServeRegister)
	api("GET /jwks", w.ServeJWKS)
	api("GET /.well-known/openid-configuration", w.ServeDiscovery)
	api("GET /.well-known/oauth-authorization-server", w.ServeDiscovery)
	page("GET /test-login", w.serveTestLogin)
	page("GET /test-silent", func(rw http.ResponseWriter, r *http.Request) error { return w.Sessions.SetMarkers(rw, r, false, true) })
	return mux
}

// serveTestLogin stands in for package login.
func (w *world) serveTestLogin(rw http.ResponseWriter, r *http.Request) error {
	u, err := w.Store.UserByName(r.Context(), r.URL.Query().Get("user"))
	if err != nil {
		return err
	}
	at := w.Now()
	if r.URL.Query().Has("ticket") { // a ticket that is an hour old
		at = at.Add(-time.Hour)
	}
	_, err = w.Sessions.Start(rw, r, session.Login{User: u, AMR: []string{"pwd"}, ACR: cmp.Or(r.URL.Query().Get("acr"), "1"), AuthTime: at,
		Principal: r.URL.Query().Get("principal"), LoginRequest: r.URL.Query().Get("login")})
	return err
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) pass(d time.Duration) { w.clock.Add(d.Milliseconds()) }

// client is a relying party of the file, to be changed by the test.
func (w *world) client(id string) *store.Client {
	w.t.Helper()
	c, err := w.Clients.ByID(w.t.Context(), id)
	must(w.t, err)
	return c
}

func (w *world) user(name string, groups ...string) *store.User {
	w.t.Helper()
	u, err := w.Store.CreateUser(w.t.Context(), store.User{Name: name, FullName: "Full " + name, Email: name + "@example.com", EmailVerified: true,
		Groups: groups}, nil, store.Entry{Actor: "test"})
	must(w.t, err)
	return &u
}

// browser keeps cookies.
type browser struct {
	w       *world
	cookies map[string]string
}

func (w *world) browser() *browser { return &browser{w, map[string]string{}} }

// loggedIn is a browser with a session.
func (w *world) loggedIn(name string) *browser {
	b := w.browser()
	b.logIn(url.Values{"user": {name}})
	return b
}

func (b *browser) logIn(q url.Values) {
	b.w.t.Helper()
	if a := b.get("/test-login?" + q.Encode()); a.Code != http.StatusOK {
		b.w.t.Fatalf("login: %d %s", a.Code, a.Body)
	}
}

func (b *browser) get(target string) *answer {
	return b.do(httptest.NewRequest(http.MethodGet, target, nil))
}

func (b *browser) post(target string, form url.Values) *answer {
	return b.do(postForm(target, form))
}

func (b *browser) do(r *http.Request) *answer {
	b.w.t.Helper()
	r.RemoteAddr = "127.0.0.1:1234"
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	a := b.w.do(r)
	for _, c := range a.Result().Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return a
}

func postForm(target string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

type answer struct {
	*httptest.ResponseRecorder
	t testing.TB
}

func (w *world) do(r *http.Request) *answer {
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if strings.Contains(rec.Body.String(), "goroutine") {
		w.t.Errorf("%s %s: a stack trace in the answer", r.Method, r.URL)
	}
	return &answer{rec, w.t}
}

// api posts to an endpoint for programs as a confidential client.
func (w *world) api(client, target string, form url.Values) *answer {
	return w.do(postAs(client, target, form))
}

func (a *answer) location() *url.URL {
	a.t.Helper()
	u, err := url.Parse(a.Header().Get("Location"))
	must(a.t, err)
	return u
}

// back is what the relying party is told; the test fails unless the answer is a
// redirect to it.
func (a *answer) back() url.Values {
	a.t.Helper()
	to := a.Header().Get("Location")
	if a.Code != http.StatusSeeOther || !strings.HasPrefix(to, "http") || strings.HasPrefix(to, testIssuer) {
		a.t.Fatalf("answer %d to %q, want a redirect to the relying party; body %s", a.Code, to, a.Body)
	}
	return a.location().Query()
}

func (a *answer) json() map[string]any {
	a.t.Helper()
	var out map[string]any
	if err := json.Unmarshal(a.Body.Bytes(), &out); err != nil {
		a.t.Fatalf("answer %d %q is not JSON: %v", a.Code, a.Body, err)
	}
	return out
}

func (a *answer) str(name string) string {
	a.t.Helper()
	s, _ := a.json()[name].(string)
	return s
}

// wantError checks an OAuth error in JSON.
func (a *answer) wantError(status int, code string) {
	a.t.Helper()
	if a.Code != status || a.str("error") != code {
		a.t.Errorf("answer %d %s, want %d %s", a.Code, a.Body, status, code)
	}
}

func challengeFor(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authParams is a good authorization request, with changes; an empty value
// removes a parameter.
func authParams(client string, changes ...string) url.Values {
	return changed(url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {testRedirect}, "scope": {"openid profile email groups"},
		"state": {"st&te"}, "nonce": {"n0nce"}, "code_challenge_method": {"S256"}, "code_challenge": {challengeFor(testVerifier)},
	}, changes)
}

// changed sets parameters, each name followed by its value; an empty value removes
// one.
func changed(v url.Values, pairs []string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

func authorizeURL(client string, changes ...string) string {
	return "/authorize?" + authParams(client, changes...).Encode()
}

// code runs a silent authorization and returns the code.
func (b *browser) code(client string, changes ...string) string {
	b.w.t.Helper()
	back := b.get(authorizeURL(client, changes...)).back()
	if back.Get("code") == "" {
		b.w.t.Fatalf("no code: %v", back)
	}
	return back.Get("code")
}

func codeForm(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {testRedirect}, "code_verifier": {testVerifier}}
}

// tokens runs a silent authorization and redeems its code.
func (b *browser) tokens(client string, changes ...string) *answer {
	b.w.t.Helper()
	a := b.w.api(client, "/token", codeForm(b.code(client, changes...)))
	if a.Code != http.StatusOK {
		b.w.t.Fatalf("tokens: %d %s", a.Code, a.Body)
	}
	return a
}

// claimsOf reads a JWT that the provider signed.
func (w *world) claimsOf(token string) map[string]any {
	w.t.Helper()
	raw, _, err := w.Keys.Verify(token, keys.Algorithms...)
	must(w.t, err)
	var out map[string]any
	must(w.t, json.Unmarshal(raw, &out))
	return out
}

func (w *world) askUserinfo(token string) *answer {
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return w.do(r)
}

func (w *world) active(client, token string) bool {
	w.t.Helper()
	a := w.api(client, "/introspect", url.Values{"token": {token}})
	active, ok := a.json()["active"].(bool)
	if a.Code != http.StatusOK || !ok {
		w.t.Fatalf("introspection: %d %s", a.Code, a.Body)
	}
	return active
}

// postAs is a form that a confidential client posts.
func postAs(client, target string, f url.Values) *http.Request {
	r := postForm(target, f)
	r.SetBasicAuth(url.QueryEscape(client), "secret") // form-encoded (RFC 6749 §2.3.1)
	return r
}

func TestClientsOfTheTestsAreOnesThatCheckTakes(t *testing.T) {
	for _, c := range testClients() {
		if problems := clients.Check(&c); problems != nil && c.ClientID != "lax" {
			t.Errorf("%s: %v", c.ClientID, problems)
		}
	}
}
