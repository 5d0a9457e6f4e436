package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
)

// rs256 signs as in RFC 7518 §3.3.
type rs256 struct{ *rsa.PrivateKey }

func (k rs256) sign(signed []byte) ([]byte, error) {
	sum := sha256.Sum256(signed)
	return rsa.SignPKCS1v15(nil, k.PrivateKey, crypto.SHA256, sum[:])
}

func (k rs256) verify(signed, signature []byte) bool {
	sum := sha256.Sum256(signed)
	return rsa.VerifyPKCS1v15(&k.PublicKey, crypto.SHA256, sum[:], signature) == nil
}

// ps256 signs as in RFC 7518 §3.5. Its key is never an RS256 key as well: one
// algorithm a key.
type ps256 struct{ *rsa.PrivateKey }

// pss: the salt is as long as the hash (RFC 7518 §3.5).
var pss = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

func (k ps256) sign(signed []byte) ([]byte, error) {
	sum := sha256.Sum256(signed)
	return rsa.SignPSS(rand.Reader, k.PrivateKey, crypto.SHA256, sum[:], pss)
}

func (k ps256) verify(signed, signature []byte) bool {
	sum := sha256.Sum256(signed)
	return rsa.VerifyPSS(&k.PublicKey, crypto.SHA256, sum[:], signature, pss) == nil
}
