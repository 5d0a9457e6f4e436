package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestKeysAreReadInEveryFormPeopleHave(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: private.Public(), KeyID: "k1"}
	bare, err := jwk.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	thumbprint := base64.RawURLEncoding.EncodeToString(sum)
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for kid, text := range map[string]string{
		"k1":       `{"keys":[` + string(bare) + `]}`,
		"k1 ":      string(bare) + "\n",
		thumbprint: block("PUBLIC KEY", public),
	} {
		raw, err := ReadKeys([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		keys, err := ParseKeys(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if found, _ := keys.Find(t.Context(), strings.TrimSpace(kid), "ES256"); len(found) != 1 {
			t.Errorf("%s: no key %s", raw, kid)
		}
	}
	two := block("PUBLIC KEY", public)
	if raw, err := ReadKeys([]byte(two + "\n" + two)); err != nil || strings.Count(string(raw), thumbprint) != 2 {
		t.Errorf("two blocks: %v %s", err, raw)
	}
	for text, want := range map[string]string{
		block("PRIVATE KEY", secret):             "is a private key",
		block("EC PRIVATE KEY", secret):          "is a private key",
		block("CERTIFICATE", public):             "is a PEM certificate",
		block("PUBLIC KEY", public[:20]):         "damaged",
		block("PUBLIC KEY", public) + "and text": "damaged",
		"-----BEGIN PUBLIC KEY-----\nx":          "damaged",
		"key.pem":                                "neither a JWKS nor a PEM",
		"":                                       "neither a JWKS nor a PEM",
		strings.Repeat(" {", maxJWKS):            "longer",
	} {
		raw, err := ReadKeys([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %s %v, want %s", text, raw, err, want)
		}
	}
	if _, err := ParseKeys([]byte(`{"kyes":[]}`)); err == nil || !strings.Contains(err.Error(), "has no member keys") {
		t.Error(err)
	}
}
