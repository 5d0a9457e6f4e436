package user

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"idp/internal/secret"
)

// Parameters of argon2id: OWASP's Password Storage Cheat Sheet and ASVS 5
// (46 MiB, one pass, one lane). Hashes with others still verify and are replaced
// at the next login.
const (
	argonMemory  = 46 * 1024 // KiB
	argonTime    = 1
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32
)

// MaxPassword bounds a password, in bytes: NIST SP 800-63B-4 §3.1.1.2 wants at least
// 64 characters to be taken.
const MaxPassword = 1024

// Hasher hashes local passwords with argon2id, and verifies them by whatever made
// their hash. At most GOMAXPROCS run at a time, so that a crowd at the login form costs
// neither all memory nor everybody's latency. Safe for concurrent use.
type Hasher struct {
	slots chan struct{}
	dummy string
}

// NewHasher makes a Hasher.
func NewHasher() *Hasher {
	h := &Hasher{slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	h.dummy = encode(make([]byte, argonSalt), make([]byte, argonKey))
	return h
}

// Hash returns the PHC string of a new password, whatever Policy says of it beside the
// least length that it can demand. What is hashed is its normal form (Normal).
func (h *Hasher) Hash(ctx context.Context, password secret.String) (string, error) {
	if len(password) < LeastLength {
		return "", fmt.Errorf("a password has at least %d characters", LeastLength)
	}
	return h.Rehash(ctx, password)
}

// Rehash is Hash for a password that is in use, however short it is.
func (h *Hasher) Rehash(ctx context.Context, password secret.String) (string, error) {
	if len(password) > MaxPassword || password == "" {
		return "", fmt.Errorf("a password has 1 to %d bytes", MaxPassword)
	}
	var text string
	err := h.slot(ctx, func() {
		salt := secret.Bytes(argonSalt)
		text = encode(salt, argon2.IDKey([]byte(Normal(password)), salt, argonTime, argonMemory, argonThreads, argonKey))
	})
	return text, err
}

// Normal is the form in which a password is hashed: what looks the same is the same,
// whichever keyboard or system it was typed on (UAX #15, NFC; the profile OpaqueString
// of RFC 8265 §4.2 chooses it too). NFKC, of which NIST SP 800-63B-4 speaks, would also
// make one of what people see as different.
func Normal(password secret.String) string { return norm.NFC.String(password.Reveal()) }

// Verify reports whether password is the one hashed, and whether the hash should
// be made anew because it is not as today's are. An empty hash (no such
// user, or one without a local password) takes the same time and never fits.
func (h *Hasher) Verify(ctx context.Context, stored string, password secret.String) (ok, rehash bool, err error) {
	known := stored != ""
	if !known {
		stored = h.dummy
	}
	parsed, err := readHash(stored)
	if err != nil {
		return false, false, err
	}
	if len(password) > MaxPassword {
		return false, false, nil
	}
	err = h.slot(ctx, func() { ok = parsed.verify(password) })
	ok = ok && known && err == nil
	return ok, ok && !parsed.ours, err
}

// verify tries the normal form, in which ours are hashed; other software mostly
// hashed what was typed.
func (h *hash) verify(password secret.String) bool {
	if !h.argon {
		return h.fits(password.Reveal())
	}
	normal := Normal(password)
	return h.fits(normal) || (normal != password.Reveal() && h.fits(password.Reveal()))
}

// slot runs f when one of the few places for it is free.
func (h *Hasher) slot(ctx context.Context, f func()) error {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
		f()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func encode(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}
