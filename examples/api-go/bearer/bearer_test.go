package bearer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"idp/examples/api-go/bearer"
)

const audience = "https://notes.example.com"

// issuer is an OpenID provider of one key.
type issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/jwks", "authorization_endpoint": i.URL, "token_endpoint": i.URL})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Algorithm: "ES256", Use: "sig"}}})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// token is a good one, but for what is otherwise.
func (i *issuer) token(t *testing.T, alg jose.SignatureAlgorithm, key any, typ string, otherwise map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": i.URL, "aud": audience, "sub": "s", "client_id": "c", "scope": "read", "exp": time.Now().Add(time.Minute).Unix()}
	maps.Copy(claims, otherwise)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A back end takes what was made for it, and no other JWT of its issuer: not an ID
// token of the client that it is itself, nor what a proxy was given for its host.
func TestHoleBackEndTakesAnotherToken(t *testing.T) {
	i := newIssuer(t)
	verifier, err := bearer.New(t.Context(), i.URL, audience)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token string
		good  bool
	}{
		"good":           {i.token(t, jose.ES256, i.key, "at+jwt", nil), true},
		"its media type": {i.token(t, jose.ES256, i.key, "application/at+JWT", nil), true},
		"ID token":       {i.token(t, jose.ES256, i.key, "JWT", nil), false},
		"assertion":      {i.token(t, jose.ES256, i.key, "assertion+jwt", nil), false},
		"audience":       {i.token(t, jose.ES256, i.key, "at+jwt", map[string]any{"aud": audience + "/"}), false},
		"issuer":         {i.token(t, jose.ES256, i.key, "at+jwt", map[string]any{"iss": i.URL + "/"}), false},
		"expired":        {i.token(t, jose.ES256, i.key, "at+jwt", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), false},
		"another key":    {i.token(t, jose.ES256, stranger, "at+jwt", nil), false},
		"shared secret":  {i.token(t, jose.HS256, []byte("a secret of 32 bytes at the least"), "at+jwt", nil), false},
		"bound to a key": {i.token(t, jose.ES256, i.key, "at+jwt", map[string]any{"cnf": map[string]any{"jkt": "x"}}), false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+c.token)
		who, err := verifier.Verify(r)
		if (err == nil) != c.good {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}
