package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// half is the length of r and of s in an ES256 signature (RFC 7518 §3.4).
const half = 32

// es256 signs as in RFC 7518 §3.4.
type es256 struct{ *ecdsa.PrivateKey }

func (es256) Size() int { return 2 * half }

// sign takes the nonce from key and digest (RFC 6979): no randomness that could
// be bad, and a fifth faster.
func (k es256) sign(signed []byte) ([]byte, error) {
	sum := sha256.Sum256(signed)
	der, err := k.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return rawSignature(der)
}

// rawSignature turns an ASN.1 signature into r ‖ s, each filled up to 32 bytes.
func rawSignature(der []byte) ([]byte, error) {
	var r, s []byte
	in, seq := cryptobyte.String(der), cryptobyte.String(nil)
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1Integer(&r) || !seq.ReadASN1Integer(&s) || len(r) > half || len(s) > half {
		return nil, errors.New("signature is not that of a P-256 key")
	}
	out := make([]byte, 2*half)
	copy(out[half-len(r):], r)
	copy(out[2*half-len(s):], s)
	return out, nil
}

func (k es256) verify(signed, signature []byte) bool {
	if len(signature) != 2*half {
		return false
	}
	sum := sha256.Sum256(signed)
	r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
	return ecdsa.Verify(&k.PublicKey, sum[:], r, s)
}
