package upstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"idp/internal/secret"
)

// liar is an OpenID provider that says what a test wants it to.
type liar struct {
	t   *testing.T
	srv *httptest.Server

	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	kid   string
	asked map[string]int // by path
	form  url.Values     // of the last token request
	auth  string         // and its Authorization
	nonce string

	discovery func(map[string]any)
	claims    func(map[string]any)
	token     func(map[string]any)
	userinfo  map[string]any
	jwks      func(keys []jose.JSONWebKey) any
	sign      func(claims map[string]any) string
	answer    map[string]http.HandlerFunc // in place of its own, by path
}

func newLiar(t *testing.T) *liar {
	t.Helper()
	l := &liar{t: t, asked: map[string]int{}, answer: map[string]http.HandlerFunc{}}
	l.rotate("first")
	l.srv = httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.srv.Close)
	return l
}

func (l *liar) rotate(kid string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(l.t, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.key, l.kid = key, kid
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l *liar) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[r.URL.Path]++
	if h := l.answer[r.URL.Path]; h != nil {
		h(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		m := map[string]any{"issuer": l.srv.URL, "authorization_endpoint": l.srv.URL + "/authorize", "token_endpoint": l.srv.URL + "/token",
			"jwks_uri": l.srv.URL + "/jwks", "userinfo_endpoint": l.srv.URL + "/userinfo", "end_session_endpoint": l.srv.URL + "/end?x=1",
			"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"}}
		if l.discovery != nil {
			l.discovery(m)
		}
		_ = json.NewEncoder(w).Encode(m)
	case "/jwks":
		keys := []jose.JSONWebKey{{Key: l.key.Public(), KeyID: l.kid, Use: "sig", Algorithm: "ES256"}}
		if l.jwks != nil {
			_ = json.NewEncoder(w).Encode(l.jwks(keys))
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: keys})
	case "/token":
		_ = r.ParseForm()
		l.form, l.auth = r.PostForm, r.Header.Get("Authorization")
		answer := map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": l.idToken()}
		if l.token != nil {
			l.token(answer)
		}
		_ = json.NewEncoder(w).Encode(answer)
	case "/userinfo":
		_ = json.NewEncoder(w).Encode(l.userinfo)
	}
}

func (l *liar) idToken() string {
	now := time.Now().Unix()
	c := map[string]any{"iss": l.srv.URL, "aud": "us", "sub": "24400320", "nonce": l.nonce, "iat": now, "exp": now + 300, "auth_time": now,
		"at_hash": atHash("access"), "preferred_username": "jane", "email": "jane@partner.example", "email_verified": true,
		"amr": []string{"mfa", "pop", "user"}, "acr": "gold", "groups": []string{"admins", "staff"}, "sid": "s1"}
	if l.claims != nil {
		l.claims(c)
	}
	if l.sign != nil {
		return l.sign(c)
	}
	return signed(l.t, c, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: l.key, KeyID: l.kid}})
}

func atHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func signed(t *testing.T, claims map[string]any, key jose.SigningKey) string {
	t.Helper()
	signer, err := jose.NewSigner(key, nil)
	must(t, err)
	body, err := json.Marshal(claims)
	must(t, err)
	jws, err := signer.Sign(body)
	must(t, err)
	text, err := jws.CompactSerialize()
	must(t, err)
	return text
}

// unsigned is a JWS of algorithm none.
func unsigned(claims map[string]any) string {
	body, _ := json.Marshal(claims)
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"none"}`)) + "." + b64(body) + "."
}

// one is the provider as an upstream; more changes its entry.
func (l *liar) one(more ...func(*Entry)) *Upstream {
	l.t.Helper()
	e := Entry{Config: Config{ID: "liar", Issuer: l.srv.URL, ClientID: "us", ClientSecretFile: "x", AllowPrivate: true}, Secret: "secret of 16 bytes"}
	for _, change := range more {
		change(&e)
	}
	all, err := New(Options{Issuer: "https://sso.example.com", Entries: []Entry{e}})
	must(l.t, err)
	return all.ByID("liar")
}

// logIn leaves for an upstream and comes back with a code.
func (l *liar) logIn(u *Upstream, w Wanted) (*Login, error) {
	l.t.Helper()
	leaving, err := u.Begin(l.t.Context(), w)
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(leaving.URL)
	must(l.t, err)
	q := at.Query()
	if string(leaving.Row.Hash) != string(secret.Hash(secret.String(q.Get("state")))) || !strings.HasPrefix(leaving.URL, l.srv.URL+"/authorize?") {
		l.t.Fatalf("leaves to %s", leaving.URL)
	}
	l.mu.Lock()
	l.nonce = q.Get("nonce")
	l.mu.Unlock()
	login, _, err := u.Finish(l.t.Context(), &leaving.Row, url.Values{"code": {"code"}, "state": {q.Get("state")}})
	return login, err
}

func (l *liar) count(path string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked[path]
}
