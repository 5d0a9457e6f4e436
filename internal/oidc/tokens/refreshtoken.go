package tokens

import (
	"encoding/base64"
	"encoding/binary"
	"errors"

	"idp/internal/secret"
)

// A refresh token is family ‖ generation ‖ HMAC-SHA-256 over both, in base64url:
// 16, 8 and 32 bytes. The MAC means that only tokens we made reach the database,
// and the generation that one row tells which of a family's tokens is the
// current one, however many there were.
const (
	familyLen  = 16
	signedLen  = familyLen + 8
	refreshLen = signedLen + 32
)

// errRefreshToken means that a text is not a refresh token of ours.
var errRefreshToken = errors.New("not a refresh token of this issuer")

// refreshTokens makes and reads refresh tokens.
type refreshTokens struct{ keys [][]byte }

// EncodeRefresh makes the token; family is an id as secret.ID makes them.
func (t refreshTokens) EncodeRefresh(family string, generation int64) (secret.String, error) {
	raw, err := base64.RawURLEncoding.DecodeString(family)
	if err != nil || len(raw) != familyLen {
		return "", errors.New("refresh family has a strange id")
	}
	raw = binary.BigEndian.AppendUint64(raw, uint64(generation)) //nolint:gosec // counts up from 0
	raw = append(raw, secret.MAC(t.keys[:1], raw)[0]...)
	return secret.String(base64.RawURLEncoding.EncodeToString(raw)), nil
}

// DecodeRefresh checks the MAC and takes the token apart.
func (t refreshTokens) DecodeRefresh(token secret.String) (family string, generation int64, err error) {
	enc := base64.RawURLEncoding.Strict()
	if len(token) != enc.EncodedLen(refreshLen) {
		return "", 0, errRefreshToken
	}
	raw, err := enc.DecodeString(token.Reveal())
	// encoding/base64 skips line breaks, so the length must be looked at again.
	if err != nil || len(raw) != refreshLen || !secret.Verify(t.keys, raw[:signedLen], raw[signedLen:]) {
		return "", 0, errRefreshToken
	}
	n := binary.BigEndian.Uint64(raw[familyLen:signedLen])
	return enc.EncodeToString(raw[:familyLen]), int64(n), nil //nolint:gosec // ours, by its MAC
}
