// Package rptest signs as a relying party does: client assertions (RFC 7523) and
// DPoP proofs (RFC 9449). It is for tests, and go-jose does the signing, so that
// what judges signatures is not tested with what makes them.
package rptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"idp/internal/secret"
)

// AssertionType is the client_assertion_type of RFC 7523 §2.2.
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Key is a relying party's key.
type Key struct {
	Alg     string
	private crypto.Signer
}

// NewKey makes a key for ES256, RS256, PS256, EdDSA or Ed25519.
func NewKey(t testing.TB, alg string) *Key {
	t.Helper()
	var private crypto.Signer
	var err error
	switch alg {
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA", ed25519Name:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	must(t, err)
	return &Key{alg, private}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (k *Key) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: "rp-" + k.Alg, Algorithm: k.Alg, Use: "sig"}
}

// JWKS is what the relying party registers.
func (k *Key) JWKS() json.RawMessage {
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.public()}})
	if err != nil { // a key of ours
		panic(err)
	}
	return raw
}

// PrivateJWK is for software that signs by itself.
func (k *Key) PrivateJWK() json.RawMessage {
	raw, err := json.Marshal(jose.JSONWebKey{Key: k.private, KeyID: "rp-" + k.Alg, Algorithm: k.Alg})
	if err != nil { // a key of ours
		panic(err)
	}
	return raw
}

// Thumbprint is the key's jkt (RFC 7638).
func (k *Key) Thumbprint(t testing.TB) string {
	t.Helper()
	public := k.public()
	sum, err := public.Thumbprint(crypto.SHA256)
	must(t, err)
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Assertion signs an assertion of client about itself for audience, good for a
// minute from now; changes replace claims, nil takes one away.
func (k *Key) Assertion(t testing.TB, client, audience string, now time.Time, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": client, "sub": client, "aud": audience, "jti": secret.ID(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	opts := (&jose.SignerOptions{}).WithType("JWT")
	return k.sign(t, jose.JSONWebKey{Key: k.signs(), KeyID: "rp-" + k.Alg}, opts, claims, changes)
}

// Proof signs a DPoP proof for a request, with a nonce unless it is empty.
func (k *Key) Proof(t testing.TB, method, url, nonce string, now time.Time, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{"htm": method, "htu": url, "jti": secret.ID(), "iat": now.Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return k.sign(t, k.signs(), (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"), claims, changes)
}

// TokenHash is the ath of an access token (RFC 9449 §4.2).
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ed25519Name is what RFC 9864 §2.2 calls the algorithm; go-jose has only the name
// EdDSA for it.
const ed25519Name = "Ed25519"

// signs is what go-jose signs with.
func (k *Key) signs() any {
	if k.Alg == ed25519Name {
		return renamed{k}
	}
	return k.private
}

// renamed signs with Ed25519 by that name.
type renamed struct{ key *Key }

func (r renamed) Public() *jose.JSONWebKey {
	return &jose.JSONWebKey{Key: r.key.private.Public()}
}

func (renamed) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{ed25519Name}
}

func (r renamed) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return r.key.private.Sign(nil, payload, crypto.Hash(0))
}

func (k *Key) sign(t testing.TB, key any, opts *jose.SignerOptions, claims, changes map[string]any) string {
	t.Helper()
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Alg), Key: key}, opts)
	must(t, err)
	raw, err := json.Marshal(claims)
	must(t, err)
	signed, err := signer.Sign(raw)
	must(t, err)
	text, err := signed.CompactSerialize()
	must(t, err)
	return text
}
