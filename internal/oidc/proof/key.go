package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	minRSA = 2048 // bits (RFC 7518 §3.3); go-jose reads up to 4096
	half   = 32   // bytes of r and of s in an ES256 signature (RFC 7518 §3.4)
)

// Key is a public key that verifies signatures. Immutable.
type Key struct {
	jwk  jose.JSONWebKey
	algs []string // that it may be used with
}

// members are those of a JWK (RFC 7517 §4) that we look at.
type members struct {
	public
	Use    string   `json:"use"`
	KeyOps []string `json:"key_ops"`
	Alg    string   `json:"alg"`

	// Private parts (RFC 7518 §§6.2.2, 6.3.2, 6.4.1).
	D   json.RawMessage `json:"d"`
	P   json.RawMessage `json:"p"`
	Q   json.RawMessage `json:"q"`
	DP  json.RawMessage `json:"dp"`
	DQ  json.RawMessage `json:"dq"`
	QI  json.RawMessage `json:"qi"`
	Oth json.RawMessage `json:"oth"`
	K   json.RawMessage `json:"k"`
}

// public are the members that go-jose gets to see. Certificates (x5c) are not
// among them: nobody relies on them here, and one that Go cannot read would cost
// the key.
type public struct {
	Kty string `json:"kty"`
	Kid string `json:"kid,omitempty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
}

// parseKey reads one JWK. Its errors are fixed texts and may be shown.
func parseKey(raw []byte) (*Key, error) {
	var m members
	if !object(raw) || json.Unmarshal(raw, &m) != nil {
		return nil, errors.New("no JWK with each member once, of its type")
	}
	if m.private() {
		return nil, errors.New("holds a private or symmetric key; register the public half only, and make a new one")
	}
	k := &Key{}
	clean, err := json.Marshal(m.public)
	if err != nil || k.jwk.UnmarshalJSON(clean) != nil {
		return nil, errors.New("key is broken, or its type is not supported")
	}
	if err := m.forSignatures(); err != nil {
		return nil, err
	}
	if err := k.strong(); err != nil {
		return nil, err
	}
	return k, k.restrict(m.Alg)
}

func (m members) private() bool {
	return slices.ContainsFunc([]json.RawMessage{m.D, m.P, m.Q, m.DP, m.DQ, m.QI, m.Oth, m.K},
		func(part json.RawMessage) bool { return part != nil })
}

// forSignatures obeys use and key_ops (RFC 7517 §§4.2, 4.3).
func (m members) forSignatures() error {
	if m.Use != "" && m.Use != "sig" {
		return errors.New("key is not for signatures by its use")
	}
	if m.KeyOps != nil && !slices.Contains(m.KeyOps, "verify") {
		return errors.New("key is not for verifying by its key_ops")
	}
	return nil
}

// strong says which algorithms the key is good for.
func (k *Key) strong() error {
	switch public := k.jwk.Key.(type) {
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			k.algs = []string{ES256}
			return nil
		}
		return errors.New("curve is not supported: want P-256")
	case ed25519.PublicKey:
		k.algs = []string{EdDSA}
		return nil
	case *rsa.PublicKey:
		k.algs = []string{RS256, PS256}
		return strongRSA(public)
	}
	return errors.New("key type is not supported: want EC, RSA or OKP")
}

func strongRSA(public *rsa.PublicKey) error {
	if bits := public.N.BitLen(); bits < minRSA {
		return fmt.Errorf("RSA key has %d bits: want %d or more", bits, minRSA)
	}
	if public.E < 3 || public.E%2 == 0 || public.E >= 1<<31 { // as crypto/rsa wants it
		return errors.New("RSA key has a bad exponent")
	}
	return nil
}

// restrict obeys the alg of the key (RFC 7517 §4.4).
func (k *Key) restrict(alg string) error {
	if alg == "" {
		return nil
	}
	if !k.fits(alg) {
		return errors.New("alg of the key is not supported, or does not fit its type")
	}
	k.algs = []string{named(alg)}
	return nil
}

func (k *Key) fits(alg string) bool { return slices.Contains(k.algs, named(alg)) }

// thumbprint is the key's in base64url (RFC 7638, SHA-256).
func (k *Key) thumbprint() (string, error) {
	sum, err := k.jwk.Thumbprint(crypto.SHA256)
	return base64url.EncodeToString(sum), err
}

// verify checks a signature of alg, which the key has to fit.
func (k *Key) verify(alg string, signed string, signature []byte) bool {
	if !k.fits(alg) {
		return false
	}
	sum := sha256.Sum256([]byte(signed))
	switch public := k.jwk.Key.(type) {
	case *ecdsa.PublicKey: // RFC 7518 §3.4
		return len(signature) == 2*half &&
			ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	case ed25519.PublicKey: // RFC 8037 §3.1
		return ed25519.Verify(public, []byte(signed), signature)
	case *rsa.PublicKey:
		if alg == PS256 { // RFC 7518 §3.5: the salt is as long as the hash
			return rsa.VerifyPSS(public, crypto.SHA256, sum[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature) == nil // RFC 7518 §3.3
	}
	return false
}
