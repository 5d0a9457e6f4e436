//go:build interop

package interop_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestApacheES256(t *testing.T) {
	d := apache(t, moreOfClient, moreOfClient+"\n    id_token_signed_response_alg: ES256",
		"OIDCPKCEMethod S256", "OIDCPKCEMethod S256\nOIDCIDTokenSignedResponseAlg ES256")
	d.Alg = "ES256"
	v := apacheVisitor(t, d)
	d.bobIsThere(v, d.bobAt(v, d.Login))
}

func TestApacheClientSecretPost(t *testing.T) {
	d := apache(t, moreOfClient, moreOfClient+"\n    token_endpoint_auth_method: client_secret_post",
		"OIDCPKCEMethod S256", "OIDCPKCEMethod S256\nOIDCProviderTokenEndpointAuth client_secret_post")
	v := apacheVisitor(t, d)
	d.bobIsThere(v, d.bobAt(v, d.Login))
}

// apacheKey makes the key that the module proves itself by; it publishes its public
// part at its own address.
func apacheKey(t *testing.T) (key, public string) {
	t.Helper()
	dir := t.TempDir()
	key, public = filepath.Join(dir, "wiki.key"), filepath.Join(dir, "wiki.pub")
	for _, args := range [][]string{{"genrsa", "-out", key, "2048"}, {"rsa", "-in", key, "-pubout", "-out", public}} {
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
	return key, public
}

// By its own key at the token endpoint, for a refresh, and for giving tokens back.
// The module sends one assertion with both tokens that it gives back: the second is
// refused, and nothing is lost, for both end with the first.
func TestApachePrivateKeyJWT(t *testing.T) {
	key, public := apacheKey(t)
	d := apache(t,
		"    client_secret_file: wiki.secret\n", "    token_endpoint_auth_method: private_key_jwt\n    jwks_uri: https://wiki.example.com/oidc?jwks=rsa\n",
		"OIDCClientSecret "+docSecret+"\n", "OIDCPrivateKeyFiles "+key+"\nOIDCPublicKeyFiles "+public+"\nOIDCProviderTokenEndpointAuth private_key_jwt\n",
		"BeforeExpiry 60", "BeforeExpiry 600")
	v := apacheVisitor(t, d)
	p := d.bobAt(v, d.Login)
	first := d.info(v)
	d.bobIsThere(v, p)
	if second := d.info(v); second.Access == first.Access {
		t.Error("no new access token came")
	}
	link, goodbye := d.goodbye()
	at(t, v.open(link), http.StatusOK, goodbye)
	d.asked(t, "POST", "/revoke", http.StatusOK)
	d.asked(t, "POST", "/revoke", http.StatusUnauthorized)
	d.isOut(v)
}

// Userinfo as a JWT, which the module verifies.
func TestApacheSignedUserinfo(t *testing.T) {
	d := apache(t, moreOfClient, moreOfClient+"\n    userinfo_signed_response_alg: ES256", "OIDCPKCEMethod S256", "OIDCPKCEMethod S256\nOIDCUserInfoSignedResponseAlg ES256")
	v := apacheVisitor(t, d)
	d.bobIsThere(v, d.bobAt(v, d.Login))
	if u := d.info(v).Userinfo; u.Iss != d.Issuer {
		t.Errorf("userinfo %+v was not signed", u)
	}
}

// The secret was changed at one end only: the person gets the module's error page.
func TestApacheWrongSecret(t *testing.T) {
	d := apache(t, "OIDCClientSecret "+docSecret, "OIDCClientSecret another")
	p := d.bobAt(apacheVisitor(t, d), d.Login)
	at(t, p, http.StatusOK, d.URL+"/oidc")
	if !strings.Contains(p.Body, "Error in handling response type") || !d.logged(t, "invalid_client") {
		t.Errorf("want the module's error page, and a log that says why\n%s", p.Body)
	}
	d.asked(t, "POST", "/token", http.StatusUnauthorized)
}
