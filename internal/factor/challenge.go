package factor

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"time"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
)

// Purpose is what a passkey is asked for.
type Purpose string

// The purposes. What was asked for one is no answer to another.
const (
	ToLogIn    Purpose = "log in"   // a passkey alone
	ToAdd      Purpose = "add"      // beside what was shown before
	ToRegister Purpose = "register" // a new one
)

// Asked is what a challenge is bound to: what for, which browser, at which login
// request or in which session, and of whom.
type Asked struct {
	For     Purpose
	Browser []byte // the hash of its cookie
	At      string // id of the login request, or of the session
	UserID  string // empty: of whoever it is
}

// challengeLife is how long a page that asks for a passkey may stay open: the login
// page asks as soon as it is shown, before its visitor has decided anything.
const challengeLife = 10 * time.Minute

// A challenge is kept nowhere until it has been used, so that showing the login page
// writes nothing and whoever opens it a thousand times leaves nothing behind. It is
// the time it was made, 128 random bits, and the HMAC of both and of all that Asked
// names; the browser's answer brings it back, signed. An answer for another browser,
// login request, session, user or purpose has another HMAC, an old one another time.
// A good answer counts once: its challenge is remembered, by the one statement that
// decides which of several that come at once is the first, until it would be too old
// anyway. (§13.4.3 wants challenges that cannot be guessed and are remembered by who
// made them: the key does that here.)
const (
	challengeTime   = 8
	challengeRandom = 16
	challengeBytes  = challengeTime + challengeRandom + 32
)

func (p *Passkeys) challenge(a Asked) []byte {
	head := binary.BigEndian.AppendUint64(nil, uint64(p.Now().UnixMilli()))
	head = append(head, secret.Bytes(challengeRandom)...)
	return append(head, secret.MAC(p.keys[:1], a.message(head))[0]...)
}

// message is everything that a challenge rests on, each part behind its length.
func (a Asked) message(head []byte) []byte {
	m := append([]byte{}, head...)
	for _, part := range []string{string(a.For), string(a.Browser), a.At, a.UserID} {
		m = binary.BigEndian.AppendUint32(m, uint32(len(part))) //nolint:gosec // ids
		m = append(m, part...)
	}
	return m
}

// check reports whether a challenge that came back is one of ours for this, and not
// too old; the error is a *reason.Error.
func (p *Passkeys) check(a Asked, challenge string) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	if err != nil || len(b) != challengeBytes {
		return reason.Refuse(reason.BadPasskey, "the challenge is none of ours")
	}
	head, sum := b[:challengeTime+challengeRandom], b[challengeTime+challengeRandom:]
	if !secret.Verify(p.keys, a.message(head), sum) {
		return reason.Refuse(reason.BadPasskey, "the challenge is not of this browser, login and purpose")
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(head))) //nolint:gosec // our own, as the HMAC shows
	if age := p.Now().Sub(made); age > challengeLife {
		return reason.Refuse(reason.PasskeyTooLate, "asked for "+age.Round(time.Second).String()+" ago")
	}
	return nil
}

// useUp lets one answer to a challenge count.
func (p *Passkeys) useUp(ctx context.Context, challenge string) error {
	first, err := p.Store.SeenOnce(ctx, store.UsePasskey, secret.Hash(secret.String(challenge)), p.Now().Add(challengeLife+time.Minute))
	if err == nil && !first {
		return reason.Refuse(reason.BadPasskey, "this answer was used before")
	}
	return err
}
