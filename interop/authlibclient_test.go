//go:build interop

package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestAuthlibES256(t *testing.T) {
	d := authlib(t, moreOfClient, moreOfClient+"\n    id_token_signed_response_alg: ES256")
	d.Alg = "ES256"
	d.visits(t, "/refresh")
}

func TestAuthlibClientSecretPost(t *testing.T) {
	authlib(t, moreOfClient, moreOfClient+"\n    token_endpoint_auth_method: client_secret_post",
		`"code_challenge_method": "S256"`, `"code_challenge_method": "S256", "token_endpoint_auth_method": "client_secret_post"`).visits(t, "/refresh")
}

// ecKey is a private key in a file of PEM, and what idp is told of it.
func ecKey(t *testing.T) (file, jwks string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), Use: "sig", Algorithm: "ES256"}}})
	must(t, err)
	file = filepath.Join(t.TempDir(), "wiki.key")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return file, string(set)
}

// byItsOwnKey is a client without a secret, and what Authlib is told then; more are
// further edits.
func byItsOwnKey(t *testing.T, more ...string) []string {
	t.Helper()
	key, jwks := ecKey(t)
	return append([]string{
		"    client_secret_file: wiki.secret\n", "    token_endpoint_auth_method: private_key_jwt\n    jwks: " + jwks + "\n",
		"from authlib.integrations.flask_client import OAuth\n", "from authlib.integrations.flask_client import OAuth\nfrom authlib.oauth2.rfc7523 import PrivateKeyJWT\nfrom joserfc.jwk import ECKey\n",
		`client_secret="` + docSecret + `",`, `client_secret=ECKey.import_key(open("` + key + `").read()), client_auth_methods=[PrivateKeyJWT(alg="ES256")],`,
		`"code_challenge_method": "S256"`, `"code_challenge_method": "S256", "token_endpoint_auth_method": "private_key_jwt"`,
	}, more...)
}

// By its own key, whose public part idp has: for tokens, and to push a request.
func TestAuthlibPrivateKeyJWT(t *testing.T) {
	d := authlib(t, byItsOwnKey(t)...)
	d.Login = "/pushed"
	d.visits(t, "/refresh")
}

// A site that logs in nobody gets a token as itself (RFC 6749 §4.4).
func TestAuthlibAsItself(t *testing.T) {
	d := authlib(t, "grant_types: [authorization_code, refresh_token]", "grant_types: [client_credentials]")
	got := reads[struct {
		Active bool
		Sub    string
	}](t, newVisitor(t, d.binary).open(d.URL+"/itself"), http.StatusOK)
	if !got.Active || got.Sub != d.ID {
		t.Errorf("%+v, want an active token of %s", got, d.ID)
	}
}

func TestAuthlibWrongSecret(t *testing.T) {
	d := authlib(t, `client_secret="`+docSecret, `client_secret="another`)
	refusedAt(t, d.bobAt(newVisitor(t, d.binary), d.Login), "invalid_client")
	d.asked(t, "POST", "/token", http.StatusUnauthorized)
}
