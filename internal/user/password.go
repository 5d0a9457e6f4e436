package user

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"

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

// Upper bounds of what a stored hash may ask for: the database is ours, an
// imported hash is not.
const (
	maxArgonMemory = 256 * 1024
	maxArgonTime   = 16
)

// MinPassword and MaxPassword bound a local password's length in bytes
// (NIST SP 800-63B-4 asks for at least 8 characters and to accept at least 64).
const (
	MinPassword = 8
	MaxPassword = 1024
)

// ErrHash means that a stored password hash cannot be read.
var ErrHash = errors.New("unreadable password hash")

// Hasher hashes and verifies local passwords with argon2id. At most GOMAXPROCS
// run at a time, so that a crowd at the login form costs neither all memory nor
// everybody's latency. Safe for concurrent use.
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

// Hash returns the PHC string of a password.
func (h *Hasher) Hash(ctx context.Context, password secret.String) (string, error) {
	if n := len(password); n < MinPassword || n > MaxPassword {
		return "", fmt.Errorf("a password has %d to %d characters", MinPassword, MaxPassword)
	}
	salt := secret.Bytes(argonSalt)
	key, err := h.derive(ctx, password, salt, argonTime, argonMemory, argonThreads, argonKey)
	if err != nil {
		return "", err
	}
	return encode(salt, key), nil
}

// Verify reports whether password is the one hashed, and whether the hash should
// be made anew because its parameters are not today's. An empty hash (no such
// user, or one without a local password) takes the same time and never fits.
func (h *Hasher) Verify(ctx context.Context, hash string, password secret.String) (ok, rehash bool, err error) {
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	p, err := decode(hash)
	if err != nil {
		return false, false, err
	}
	if len(password) > MaxPassword {
		return false, false, nil
	}
	key, err := h.derive(ctx, password, p.salt, p.time, p.memory, p.threads, uint32(len(p.key))) //nolint:gosec // decode bounds the length
	if err != nil {
		return false, false, err
	}
	ok = known && subtle.ConstantTimeCompare(key, p.key) == 1
	return ok, ok && (p.memory != argonMemory || p.time != argonTime || p.threads != argonThreads), nil
}

func (h *Hasher) derive(ctx context.Context, pw secret.String, salt []byte, time, memory uint32, threads uint8, n uint32) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
		return argon2.IDKey([]byte(pw), salt, time, memory, threads, n), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type params struct {
	salt, key    []byte
	time, memory uint32
	threads      uint8
}

var b64 = base64.RawStdEncoding

func encode(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

func decode(hash string) (params, error) {
	var p params
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, ErrHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return p, ErrHash
	}
	var err1, err2 error
	p.salt, err1 = b64.DecodeString(parts[4])
	p.key, err2 = b64.DecodeString(parts[5])
	sane := p.memory >= 8 && p.memory <= maxArgonMemory && p.time >= 1 && p.time <= maxArgonTime && p.threads >= 1 &&
		len(p.salt) >= 8 && len(p.salt) <= 64 && len(p.key) >= 16 && len(p.key) <= 64
	if err1 != nil || err2 != nil || !sane {
		return p, ErrHash
	}
	return p, nil
}
