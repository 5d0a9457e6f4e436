package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// provider is an OpenID provider that says what a test lets it say.
type provider struct {
	*httptest.Server
	key    *ecdsa.PrivateKey
	nonce  string         // of the last authorization request
	change map[string]any // claims of the ID token to set
	info   map[string]any // answer of userinfo
	codes  int            // redeemed
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key, info: map[string]any{"sub": "s-1", "preferred_username": "alice"}}
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/jwks",
			"userinfo_endpoint": p.URL + "/userinfo", "end_session_endpoint": p.URL + "/end", "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Error(err)
			return
		}
		answer(w, map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "k", "x": b64(point[1:33]), "y": b64(point[33:])}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		p.codes++
		if id, secret, _ := r.BasicAuth(); id != "wiki" || secret != "s3cret" || r.FormValue("code_verifier") == "" {
			t.Errorf("token request of %q without its secret or verifier", id)
		}
		answer(w, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": p.sign(t)})
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) { answer(w, p.info) })
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *provider) sign(t *testing.T) string {
	t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{"iss": p.URL, "aud": "wiki", "sub": "s-1", "nonce": p.nonce, "iat": now, "exp": now + 60}
	maps.Copy(claims, p.change)
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := b64([]byte(`{"alg":"ES256","kid":"k"}`)) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return text + "." + b64(sig)
}

// browser is one visitor of the site: cookies, and no redirects followed.
type browser struct {
	t    *testing.T
	site string
	http *http.Client
}

func newWiki(t *testing.T, p *provider) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	address := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	rp, err := newRelyingParty(context.Background(), p.URL, "wiki", "s3cret", address)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = newSite("Wiki", address, rp)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func newBrowser(t *testing.T, site string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{t, site, &http.Client{Jar: jar, CheckRedirect: stay}}
}

func (b *browser) send(method, path string, header map[string]string) (status int, location *url.URL, body string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.site+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	location, err = resp.Location()
	if err != nil {
		location = &url.URL{}
	}
	return resp.StatusCode, location, string(text)
}

// begin starts a login and returns the sound answer to it.
func (b *browser) begin(p *provider) url.Values {
	b.t.Helper()
	_, to, _ := b.send("GET", "/", nil)
	q := to.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "" || q.Get("nonce") == "" {
		b.t.Fatalf("authorization request %s: want PKCE S256, state and nonce", to)
	}
	p.nonce = q.Get("nonce")
	return url.Values{"code": {"c"}, "state": {q.Get("state")}, "iss": {p.URL}}
}

func TestLoginShowsWhoIsLoggedIn(t *testing.T) {
	p := newProvider(t)
	b := newBrowser(t, newWiki(t, p).URL)
	answer := b.begin(p)
	if status, to, _ := b.send("GET", "/callback?"+answer.Encode(), nil); status != 303 || to.Path != "/" {
		t.Fatalf("callback: %d to %s, want 303 to /", status, to)
	}
	if status, _, body := b.send("GET", "/", nil); status != 200 || !strings.Contains(body, "Hello, alice") {
		t.Errorf("home: %d %s", status, body)
	}
	_, _, body := b.send("GET", "/whoami", nil)
	var who identity
	if err := json.Unmarshal([]byte(body), &who); err != nil || who.Name != "alice" || !strings.Contains(string(who.IDToken), `"s-1"`) {
		t.Errorf("whoami: %v %s", err, body)
	}
}

// Each of these is a login that must not happen.
func TestAnswersThatAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		answer url.Values     // set in the answer
		claims map[string]any // set in the ID token
		info   map[string]any // instead of userinfo's
		status int
	}{
		"state of another browser (CSRF)":     {answer: url.Values{"state": {"x"}}, status: 502},
		"no state":                            {answer: url.Values{"state": {""}}, status: 502},
		"issuer of another provider (mix-up)": {answer: url.Values{"iss": {"https://evil.example"}}, status: 502},
		"access_denied":                       {answer: url.Values{"error": {"access_denied"}}, status: 403},
		"another error":                       {answer: url.Values{"error": {"<script>"}}, status: 502},
		"ID token of another issuer":          {claims: map[string]any{"iss": "https://evil.example"}, status: 502},
		"ID token for another site":           {claims: map[string]any{"aud": "tickets"}, status: 502},
		"ID token of another login (nonce)":   {claims: map[string]any{"nonce": "x"}, status: 502},
		"ID token that has expired":           {claims: map[string]any{"exp": 1}, status: 502},
		"ID token about nobody":               {claims: map[string]any{"sub": ""}, info: map[string]any{"sub": ""}, status: 502},
		"userinfo about somebody else":        {info: map[string]any{"sub": "s-2"}, status: 502},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			b := newBrowser(t, newWiki(t, p).URL)
			answer := b.begin(p)
			maps.Copy(answer, test.answer)
			p.change = test.claims
			if test.info != nil {
				p.info = test.info
			}
			status, _, body := b.send("GET", "/callback?"+answer.Encode(), nil)
			if status != test.status || strings.Contains(body, "<script") {
				t.Errorf("status %d, want %d\n%s", status, test.status, body)
			}
			if status, _, _ := b.send("GET", "/whoami", nil); status != 401 {
				t.Errorf("whoami says %d, want 401: somebody is logged in", status)
			}
			if test.answer != nil && p.codes > 0 {
				t.Error("the code was redeemed before the answer was checked")
			}
		})
	}
}

func TestAnswerWithoutTheBrowserThatAsked(t *testing.T) {
	p := newProvider(t)
	site := newWiki(t, p).URL
	answer := newBrowser(t, site).begin(p)
	victim := newBrowser(t, site)
	if status, _, _ := victim.send("GET", "/callback?"+answer.Encode(), nil); status != 400 || p.codes != 0 {
		t.Errorf("status %d after %d redeemed codes, want 400 after none", status, p.codes)
	}
}

func TestAnswerSentTwice(t *testing.T) {
	p := newProvider(t)
	b := newBrowser(t, newWiki(t, p).URL)
	callback := "/callback?" + b.begin(p).Encode()
	b.send("GET", callback, nil)
	if status, _, _ := b.send("GET", callback, nil); status != 400 || p.codes != 1 {
		t.Errorf("the second time: status %d after %d redeemed codes, want 400 after 1", status, p.codes)
	}
}

func TestSignOut(t *testing.T) {
	p := newProvider(t)
	b := newBrowser(t, newWiki(t, p).URL)
	b.send("GET", "/callback?"+b.begin(p).Encode(), nil)
	if status, _, _ := b.send("POST", "/sign-out", map[string]string{"Sec-Fetch-Site": "cross-site"}); status != 403 {
		t.Errorf("another site's form signs people out: %d, want 403", status)
	}
	if status, _, _ := b.send("GET", "/whoami", nil); status != 200 {
		t.Errorf("whoami after another site's form: %d, want 200", status)
	}
	status, to, _ := b.send("POST", "/sign-out", map[string]string{"Sec-Fetch-Site": "same-origin"})
	if q := to.Query(); status != 303 || to.Path != "/end" || q.Get("id_token_hint") == "" || q.Get("post_logout_redirect_uri") != b.site+"/signed-out" {
		t.Errorf("sign-out: %d to %s", status, to)
	}
	if status, _, _ := b.send("GET", "/whoami", nil); status != 401 {
		t.Errorf("whoami after sign-out: %d, want 401", status)
	}
}

func TestMemoryIsBoundedAndForgets(t *testing.T) {
	m := newMemory[int](time.Hour, 10)
	var last string
	for i := range 100 {
		last = m.add(i)
	}
	if len(m.items) > 10 {
		t.Errorf("%d values kept, want 10 at most", len(m.items))
	}
	if v, ok := m.take(last); !ok || v != 99 {
		t.Errorf("the last value: %d, %t", v, ok)
	}
	if _, ok := m.take(last); ok {
		t.Error("a value was taken twice")
	}
	old := newMemory[int](-time.Second, 10)
	if _, ok := old.get(old.add(1)); ok {
		t.Error("an expired value is still there")
	}
}

func TestCookiesOfAnHTTPSSite(t *testing.T) {
	p := newProvider(t)
	address := &url.URL{Scheme: "https", Host: "wiki.example.com"}
	rp, err := newRelyingParty(t.Context(), p.URL, "wiki", "s3cret", address)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	newSite("Wiki", address, rp).ServeHTTP(w, httptest.NewRequest("GET", "https://wiki.example.com/", nil))
	want := "; Path=/; HttpOnly; Secure; SameSite=Lax"
	got := w.Header().Get("Set-Cookie")
	if !strings.HasPrefix(got, "__Host-login=") || !strings.HasSuffix(got, want) {
		t.Errorf("cookie %q, want __Host-login with %q", got, want)
	}
}
