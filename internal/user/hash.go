package user

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A stored hash says itself how it was made: ours by argon2id, those of people who
// came from other software by whatever that used. Such a hash is good for one login,
// which replaces it by one of ours.

var (
	// ErrHash means that a stored password hash cannot be read.
	ErrHash = errors.New("unreadable password hash")
	// ErrCostly means that checking a password against a hash would take too long.
	ErrCostly = errors.New("checking a password against this hash takes too long")
)

// What a check may cost, in time of a core that has no instructions for it (measured
// at 2.5 GHz). A wrong password is answered after a floor of time (package authn), so
// that what stands behind a name does not show in it: half a second, or where a slow
// hash was imported a second and a half. A hash that costs more than that covers cannot
// be imported; its user is sent a link in its place.
const (
	maxCost   = 1200 * time.Millisecond
	quickCost = 350 * time.Millisecond
)

// Prices of a check.
const (
	argonMiB   = 1300 * time.Microsecond // and pass; twice, for verify may try two forms
	bcryptOne  = 60 * time.Microsecond   // of 2^cost rounds
	pbkdf2One  = 750 * time.Nanosecond   // an iteration with SHA-256
	pbkdf2Long = 1350 * time.Nanosecond  // with SHA-512
	scryptOne  = 350 * time.Nanosecond   // of N·r·p blocks
)

// Bounds of a hash's memory and sizes: the database is ours, an imported hash is not.
const (
	maxArgonMemory = 256 << 10 // KiB
	maxScryptN     = 1 << 20   // N·r: 128 MiB
	maxText        = 1024      // bytes
	maxSalt        = 256       // bytes
	minSum         = 16        // bytes of what is compared
	maxSum         = 128
)

// hash is one that was read: what is compared, and how to make the same of a
// password.
type hash struct {
	sum    []byte
	derive func(password []byte) []byte
	cost   time.Duration // of derive, or of both forms of a password
	ours   bool          // made by argon2id with today's parameters
	argon  bool          // made by argon2id: perhaps by us, of a normalised password
}

func (h *hash) fits(password string) bool {
	return subtle.ConstantTimeCompare(h.derive([]byte(password)), h.sum) == 1
}

// CheckHash reports what is wrong with a hash that is to be imported: an error of
// ErrHash or ErrCostly. slow: wrong passwords must be answered later from now on.
func CheckHash(text string) (slow bool, err error) {
	h, err := readHash(text)
	return err == nil && h.cost > quickCost, err
}

// formats are the hashes that are known, by how they begin.
var formats = []struct {
	prefix string
	read   func(rest string) (*hash, error)
}{
	{"$argon2id$", readArgon},
	{"argon2$argon2id$", readArgon}, // Django
	{"$2a$", readBcrypt},
	{"$2b$", readBcrypt},
	{"$2y$", readBcrypt},
	{"bcrypt$$2b$", readBcrypt}, // Django
	{"$pbkdf2-sha256$", readPBKDF2(false)},
	{"$pbkdf2-sha512$", readPBKDF2(true)},
	{"pbkdf2_sha256$", readDjangoPBKDF2(false)},
	{"pbkdf2_sha512$", readDjangoPBKDF2(true)},
	{"$scrypt$", readScrypt},
	{"scrypt$", readDjangoScrypt},
	{"{ssha}", readSalted(sha1Sum)},
	{"{ssha256}", readSalted(sha256Sum)},
	{"{ssha512}", readSalted(sha512Sum)},
	{"{crypt}$2a$", readBcrypt},
	{"{crypt}$2b$", readBcrypt},
	{"{crypt}$2y$", readBcrypt},
}

func readHash(text string) (*hash, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrHash, maxText)
	}
	for _, f := range formats {
		if len(text) < len(f.prefix) {
			continue
		}
		prefix := text[:len(f.prefix)]
		if strings.HasPrefix(f.prefix, "{") { // RFC 3112 §3: schemes are compared without regard to case
			if end := strings.IndexByte(f.prefix, '}'); strings.ToLower(prefix[:end])+prefix[end:] == f.prefix {
				return f.read(text[len(prefix):])
			}
		} else if prefix == f.prefix {
			return f.read(text[len(prefix):])
		}
	}
	return nil, fmt.Errorf("%w: none of argon2id, bcrypt, PBKDF2 (SHA-256, SHA-512), scrypt, {SSHA}, {SSHA256}, {SSHA512}", ErrHash)
}

func unreadable(what string) (*hash, error) { return nil, fmt.Errorf("%w: %s", ErrHash, what) }

// checked refuses what costs too much, what is too short to be compared, and salts
// without measure.
func (h *hash) checked(salt []byte) (*hash, error) {
	switch {
	case h.cost > maxCost:
		return nil, fmt.Errorf("%w: about %d ms, and %d at most", ErrCostly, h.cost.Milliseconds(), maxCost.Milliseconds())
	case len(salt) > maxSalt:
		return unreadable("its salt is too long")
	case len(h.sum) < minSum || len(h.sum) > maxSum:
		return unreadable("what is to be compared is too short or too long")
	}
	return h, nil
}
