// Package secret holds what must never be seen: random tokens, comparisons that
// leak no timing, a string type that prints as "[redacted]", and the server's
// own key ring.
//
// Everything a browser or a relying party holds (cookie, code, refresh token,
// client secret) is 256 random bits in base64url. The database keeps only the
// SHA-256 of it: with 256 bits of entropy a slow hash would add nothing but CPU
// time, and a stolen database opens no session. People's passwords are another
// matter; they are hashed with argon2id in package user.
package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
)

// String is a text that must not reach a log, an error message or a page.
// Printing, formatting, JSON and slog all yield "[redacted]"; Reveal is the only
// way to the text, so that every use can be found by searching for it.
type String string

// Redacted is what a String prints as.
const Redacted = "[redacted]"

// Reveal returns the secret text itself.
func (s String) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (String) String() string { return Redacted }

// GoString implements fmt.GoStringer, for %#v.
func (String) GoString() string { return Redacted }

// LogValue implements slog.LogValuer.
func (String) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText keeps a secret out of JSON and YAML.
func (String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// Token returns 256 random bits as 43 characters of base64url.
func Token() String {
	return String(base64.RawURLEncoding.EncodeToString(Bytes(32)))
}

// ID returns 128 random bits as 22 characters of base64url: a public identifier
// that is never guessed and never reused.
func ID() string { return base64.RawURLEncoding.EncodeToString(Bytes(16)) }

// Bytes returns n random bytes. It cannot fail: crypto/rand ends the program
// when the system has no randomness.
func Bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// Hash is the SHA-256 under which the database keeps a token of 256 random bits.
func Hash(s String) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// S256 is the code challenge of a code verifier (RFC 7636 §4.2).
func S256(verifier string) string {
	return base64.RawURLEncoding.EncodeToString(Hash(String(verifier)))
}

// Equal compares two secrets in a time that depends only on their lengths.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
