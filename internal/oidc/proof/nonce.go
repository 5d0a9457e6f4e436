package proof

import (
	"encoding/binary"
	"time"

	"idp/internal/secret"
)

// A DPoP nonce (RFC 9449 §8) is slot ‖ HMAC-SHA-256 over it, cut to 128 bits, in
// base64url: 4 and 16 bytes. The slot is the minute in which it was issued. Nothing
// is stored, and all nodes with the same secret_key_file agree.
const (
	slot      = time.Minute
	slotLen   = 4
	nonceLen  = slotLen + 16
	slotsBack = 2 // a nonce is good for two to three minutes
)

// Nonces makes and checks DPoP nonces. Immutable.
type Nonces struct{ keys [][]byte }

// NewNonces makes Nonces with keys of ring for this purpose only.
func NewNonces(ring *secret.Ring) *Nonces { return &Nonces{ring.Derive("dpop nonce")} }

// Issue returns the nonce of now.
func (n *Nonces) Issue(now time.Time) string {
	raw := binary.BigEndian.AppendUint32(nil, minute(now))
	return base64url.EncodeToString(append(raw, secret.MAC(n.keys[:1], raw)[0][:nonceLen-slotLen]...))
}

// Accept reports whether nonce is ours and fresh. One of the minute to come is
// good: another node's clock may be ahead.
func (n *Nonces) Accept(nonce string, now time.Time) bool {
	if len(nonce) != base64url.EncodedLen(nonceLen) {
		return false
	}
	raw, err := base64url.DecodeString(nonce)
	if err != nil || len(raw) != nonceLen { // encoding/base64 skips line breaks
		return false
	}
	ours := false
	for _, sum := range secret.MAC(n.keys, raw[:slotLen]) {
		ours = secret.Equal(sum[:nonceLen-slotLen], raw[slotLen:]) || ours
	}
	age := int64(minute(now)) - int64(binary.BigEndian.Uint32(raw))
	return ours && age >= -1 && age <= slotsBack
}

func minute(t time.Time) uint32 { return uint32(t.Unix() / int64(slot/time.Second)) } //nolint:gosec // until the year 10136
