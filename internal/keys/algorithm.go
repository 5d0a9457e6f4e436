package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"slices"
)

// The names of the signature algorithms.
const (
	RS256 = "RS256" // RSASSA-PKCS1-v1_5 (RFC 7518 §3.3)
	ES256 = "ES256" // ECDSA on P-256 (RFC 7518 §3.4)
	PS256 = "PS256" // RSASSA-PSS (RFC 7518 §3.5)
	EdDSA = "EdDSA" // Ed25519 (RFC 8037 §3.1)
)

// Algorithms are all we sign with, in the order in which discovery and the JWKS
// have them: what every relying party understands first, for some look no further.
var Algorithms = []string{RS256, ES256, PS256, EdDSA}

// always are those that have an active key from the first start on; the others
// get one when somebody needs it.
var always = []string{RS256, ES256}

// Optional reports whether alg has a key only once Need was asked for it.
func Optional(alg string) bool {
	return slices.Contains(Algorithms, alg) && !slices.Contains(always, alg)
}

// rsaBits is good beyond the 90 days a key signs (NIST SP 800-57), and 4 times
// cheaper than 4096.
const rsaBits = 2048

// signer is a private key, bound to the one algorithm that it signs with
// (RFC 8725 §3.1). Safe for concurrent use.
type signer interface {
	// Public returns the half that is published.
	Public() crypto.PublicKey
	// Size is the length of a signature in bytes.
	Size() int
	// sign signs a token's first two parts.
	sign(signed []byte) ([]byte, error)
	// verify reports whether sign made the signature.
	verify(signed, signature []byte) bool
}

// generate makes a private key for alg.
func generate(alg string) (crypto.Signer, error) {
	switch alg {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256, PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("no key for algorithm %q", alg)
}

// bind makes a signer of a private key, which must be of alg's kind.
func bind(alg string, private any) (signer, error) {
	switch p := private.(type) {
	case *ecdsa.PrivateKey:
		if alg == ES256 && p.Curve == elliptic.P256() {
			return es256{p}, nil
		}
	case *rsa.PrivateKey:
		switch alg {
		case RS256:
			return rs256{p}, nil
		case PS256:
			return ps256{p}, nil
		}
	case ed25519.PrivateKey:
		if alg == EdDSA {
			return eddsa{p}, nil
		}
	}
	return nil, fmt.Errorf("a %T cannot sign %q", private, alg)
}

// HalfHash is the at_hash of an access token in an ID token signed with alg: the
// left half of the token's hash, by the hash function of alg (OIDC Core
// §3.1.3.6). That is SHA-256 for those that have 256 in their name, and SHA-512
// for EdDSA, since Ed25519 hashes with it (RFC 8032 §5.1).
func HalfHash(alg, token string) string {
	var sum []byte
	if alg == EdDSA {
		long := sha512.Sum512([]byte(token))
		sum = long[:]
	} else {
		short := sha256.Sum256([]byte(token))
		sum = short[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
