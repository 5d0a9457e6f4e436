//go:build interop

package interop_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"idp/internal/oidc/rptest"
)

// signer is an issuer whose assertions a test may word as it likes.
type signer struct {
	*httptest.Server
	jwk jose.JSONWebKey
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key := rptest.NewKey(t, "ES256")
	s := &signer{}
	must(t, json.Unmarshal(key.PrivateJWK(), &s.jwk))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": s.URL, "jwks_uri": s.URL + "/jwks"})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(key.JWKS()) })
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// assertion is bob's for reports.localhost, but for what is otherwise.
func (s *signer) assertion(t *testing.T, typ string, alg jose.SignatureAlgorithm, key any, otherwise map[string]any) string {
	t.Helper()
	now := time.Now()
	claims := map[string]any{"iss": s.URL, "aud": "reports.localhost", "sub": "b", "preferred_username": "bob", "email": "bob@example.com",
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	for name, value := range otherwise {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	opts := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", s.jwk.KeyID)
	signs, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	must(t, err)
	token, err := jwt.Signed(signs).Claims(claims).Serialize()
	must(t, err)
	return token
}

// Whoever reaches the site of examples/django-assertion past its proxy is nobody,
// whatever headers come along, unless with an assertion that was made for this site.
func TestHoleSiteTakesAnotherAssertion(t *testing.T) {
	s := newSigner(t)
	listen, port := freeAddress(t)
	data := t.TempDir()
	python := absolute(t, "../.cache/python/bin/python")
	site := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir = absolute(t, "../examples/django-assertion")
		cmd.Env = append(os.Environ(), "ISSUER="+s.URL, "HOST=reports.localhost", "DATA_FOLDER="+data, "PYTHONDONTWRITEBYTECODE=1")
		return cmd
	}
	if out, err := site(python, "manage.py", "migrate", "--verbosity", "0").CombinedOutput(); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	launch(t, site(python, "manage.py", "runserver", "--noreload", listen), filepath.Join(data, "site.log"), listen)

	stranger := rptest.NewKey(t, "ES256")
	var other jose.JSONWebKey
	must(t, json.Unmarshal(stranger.PrivateJWK(), &other))
	const typ = "assertion+jwt"
	good := s.assertion(t, typ, jose.ES256, s.jwk.Key, nil)
	for name, c := range map[string]struct {
		header, value string
		status        int
		user          string
	}{
		"good":            {"Remote-Assertion", good, http.StatusOK, "b"},
		"none":            {"Remote-User", "bob", http.StatusOK, ""},
		"another host":    {"Remote-Assertion", s.assertion(t, typ, jose.ES256, s.jwk.Key, map[string]any{"aud": "wiki.localhost"}), http.StatusForbidden, ""},
		"another issuer":  {"Remote-Assertion", s.assertion(t, typ, jose.ES256, s.jwk.Key, map[string]any{"iss": s.URL + "/"}), http.StatusForbidden, ""},
		"another key":     {"Remote-Assertion", s.assertion(t, typ, jose.ES256, other.Key, nil), http.StatusForbidden, ""},
		"a shared secret": {"Remote-Assertion", s.assertion(t, typ, jose.HS256, []byte("a secret of 32 bytes at the least"), nil), http.StatusForbidden, ""},
		"an ID token":     {"Remote-Assertion", s.assertion(t, "JWT", jose.ES256, s.jwk.Key, nil), http.StatusForbidden, ""},
		"old":             {"Remote-Assertion", s.assertion(t, typ, jose.ES256, s.jwk.Key, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), http.StatusForbidden, ""},
		"good for ever":   {"Remote-Assertion", s.assertion(t, typ, jose.ES256, s.jwk.Key, map[string]any{"exp": nil}), http.StatusForbidden, ""},
		"no JWT":          {"Remote-Assertion", "bob", http.StatusForbidden, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+"/", nil)
		must(t, err)
		req.Host = "reports.localhost"
		req.Header.Set(c.header, c.value)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		var who struct{ User, Name, Email string }
		if resp.StatusCode == http.StatusOK {
			must(t, json.NewDecoder(resp.Body).Decode(&who))
		}
		resp.Body.Close()
		if resp.StatusCode != c.status || who.User != c.user {
			t.Errorf("%s: %d %+v, want %d for %q", name, resp.StatusCode, who, c.status, c.user)
		}
	}
	if t.Failed() {
		t.Log(tail(filepath.Join(data, "site.log")))
	}
}
