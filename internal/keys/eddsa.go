package keys

import "crypto/ed25519"

// eddsa signs with Ed25519 as in RFC 8037 §3.1: the token itself and no hash of
// it, and the same signature each time.
type eddsa struct{ ed25519.PrivateKey }

func (eddsa) Size() int { return ed25519.SignatureSize }

func (k eddsa) sign(signed []byte) ([]byte, error) {
	return ed25519.Sign(k.PrivateKey, signed), nil
}

func (k eddsa) verify(signed, signature []byte) bool {
	public, ok := k.Public().(ed25519.PublicKey)
	return ok && ed25519.Verify(public, signed, signature)
}
