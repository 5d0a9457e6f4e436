// Package proof judges what relying parties sign: assertions that say who they
// are or whom they act for (RFC 7523; private_key_jwt in OIDC Core §9), and DPoP
// proofs that they hold the key a token is bound to (RFC 9449).
//
// Both are JWTs in the compact form of RFC 7515. An assertion is signed with a
// key that the client registered, by value (jwks) or by URL (jwks_uri); a DPoP
// proof carries its public key in its own header, and what counts is the key's
// thumbprint (RFC 7638), to which tokens are bound. Both may be used once: who
// accepts one remembers its Once.
//
// There is no HTTP and no database here: what was sent comes in, a result or an
// *Error comes out. Algorithms are a closed list and always chosen by us and the
// key, never by the header alone (RFC 8725 §3.1). JSON is read as RFC 8725 §2.4
// wants it: a member that comes twice, or in another spelling, is no member.
package proof

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// The algorithms that we verify (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2).
// There is no "none", and no HMAC: a secret that we know too proves nothing.
const (
	ES256   = "ES256"
	RS256   = "RS256"
	PS256   = "PS256"
	EdDSA   = "EdDSA"   // with Ed25519 only
	Ed25519 = "Ed25519" // its name since RFC 9864
)

// named is the name that we compare an algorithm by: one that has two is one.
func named(alg string) string {
	if alg == Ed25519 {
		return EdDSA
	}
	return alg
}

const (
	skew  = time.Minute // by which a clock may differ from ours
	maxID = 256         // bytes of a jti
)

// Algorithms returns those that clients may sign with, for discovery. FAPI 2.0
// Security Profile §5.4.1 leaves out RS256.
func Algorithms(fapi bool) []string {
	if fapi {
		return []string{ES256, PS256, EdDSA, Ed25519}
	}
	return []string{ES256, RS256, PS256, EdDSA, Ed25519}
}

// Error says why an assertion or a proof is refused.
type Error struct {
	// Hint is for the developer of the client: one line without anything that was
	// sent, of the characters that error_description may have (RFC 6749 §5.2).
	Hint string
	// Nonce: nothing but a fresh nonce is missing. The answer is use_dpop_nonce
	// and a new one (RFC 9449 §8), not invalid_dpop_proof.
	Nonce bool
}

func (e *Error) Error() string { return e.Hint }

func refuse(format string, args ...any) error { return &Error{Hint: fmt.Sprintf(format, args...)} }

// Once is how a use is remembered on all nodes (store.SeenOnce): by Hash, until
// the time at which it would be refused for its age.
type Once struct {
	Hash  []byte
	Until time.Time
}

// once hashes an id that is unique for its owner only: a client, a key.
func once(kind, owner, id string, until time.Time) Once {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s %s", kind, len(owner), owner, id))
	return Once{Hash: sum[:], Until: until}
}

// seconds is a NumericDate (RFC 7519 §2): seconds since 1970, with or without a
// fraction.
type seconds float64

// maxSeconds is far beyond any date that is meant, and far below what overflows.
const maxSeconds = 1 << 43

// UnmarshalJSON reads a number only.
func (s *seconds) UnmarshalJSON(raw []byte) error {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f < 0 || f > maxSeconds {
		return errors.New("no time in seconds since 1970")
	}
	*s = seconds(f)
	return nil
}

func (s seconds) time() time.Time { return time.UnixMilli(int64(s * 1000)) }

// audience is aud: a text, or an array of texts (RFC 7519 §4.1.3).
type audience struct {
	values []string
	array  bool
}

// UnmarshalJSON reads either form.
func (a *audience) UnmarshalJSON(raw []byte) error {
	if a.array = bytes.HasPrefix(raw, []byte("[")); a.array {
		return json.Unmarshal(raw, &a.values)
	}
	a.values = make([]string, 1)
	return json.Unmarshal(raw, &a.values[0])
}

// within reports whether there are values, all of them among ours: an assertion
// that is for somebody else too could be played to us by him.
func (a audience) within(ours []string) bool {
	return len(a.values) > 0 && !slices.ContainsFunc(a.values, func(v string) bool { return !slices.Contains(ours, v) })
}

func accepted(alg string, fapi bool) bool { return slices.Contains(Algorithms(fapi), alg) }
