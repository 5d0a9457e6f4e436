package keys

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The types of signed tokens, as their JOSE header's typ has them (RFC 8725
// §3.11: one kind of token is never taken for another).
const (
	TypeAccessToken = "at+jwt" // RFC 9068 §2.1
	TypeIDToken     = "JWT"
	TypeLogoutToken = "logout+jwt" //nolint:gosec // no credential: OIDC Back-Channel Logout §2.4
	// TypeAssertion is of what a protected site is told of who asks (package forwardauth).
	TypeAssertion = "assertion+jwt"
	// TypeUserinfo is of a signed userinfo response (OIDC Core §5.3.2), which names
	// none. It is that of ID tokens since libraries refuse one that they do not
	// know; unlike these the response has no exp.
	TypeUserinfo = "JWT"
)

var types = []string{TypeAccessToken, TypeIDToken, TypeLogoutToken, TypeAssertion}

// maxToken bounds what Verify looks at, in bytes; our own tokens have about 1,000.
const maxToken = 16 << 10

// ErrToken means that a text is not a token of ours that verifies.
var ErrToken = errors.New("not a valid token of this issuer")

// Sign returns claims, an object of JSON, as a signed JWT in compact form, under
// the active key of alg, one of Algorithms. typ is one of the Type constants. The
// very first token of an optional algorithm may wait for its key to be made (a
// good part of a second, 5 s at most).
func (k *Keys) Sign(alg, typ string, claims []byte) (string, error) {
	active, err := k.signing(alg)
	if err != nil {
		return "", err
	}
	head, ok := active.headers[typ]
	if !ok {
		return "", fmt.Errorf("token type %q is unknown", typ)
	}
	enc := base64.RawURLEncoding
	out := make([]byte, 0, len(head)+enc.EncodedLen(len(claims))+1+enc.EncodedLen(active.Size()))
	out = append(out, head...)
	out = enc.AppendEncode(out, claims)
	signature, err := active.sign(out)
	if err != nil {
		return "", err
	}
	out = append(out, '.')
	return string(enc.AppendEncode(out, signature)), nil
}

// Verify checks that token was signed by one of our published keys with one of
// algs, and returns its claims and its typ. Everything else about it (typ, iss,
// aud, exp) is for the caller to check. Any failure is ErrToken.
func (k *Keys) Verify(token string, algs ...string) (claims []byte, typ string, err error) {
	if len(token) > maxToken {
		return nil, "", fmt.Errorf("%w: longer than %d bytes", ErrToken, maxToken)
	}
	if strings.ContainsAny(token, "\r\n") { // encoding/base64 skips them, RFC 7515 §2 does not
		return nil, "", fmt.Errorf("%w: holds a line break", ErrToken)
	}
	signed, signature, ok := cutLast(token)
	head, payload, ok2 := strings.Cut(signed, ".")
	if !ok || !ok2 || strings.Contains(payload, ".") {
		return nil, "", fmt.Errorf("%w: not three parts", ErrToken)
	}
	h, err := k.header(head)
	if err != nil {
		return nil, "", err
	}
	if !slices.Contains(algs, h.key.row.Algorithm) {
		return nil, "", fmt.Errorf("%w: algorithm %s is not accepted here", ErrToken, h.key.row.Algorithm)
	}
	enc := base64.RawURLEncoding.Strict()
	raw, err := enc.DecodeString(signature)
	if err != nil {
		return nil, "", fmt.Errorf("%w: signature is not base64url", ErrToken)
	}
	if !h.key.verify([]byte(signed), raw) {
		return nil, "", fmt.Errorf("%w: signature does not match", ErrToken)
	}
	if claims, err = enc.DecodeString(payload); err != nil {
		return nil, "", fmt.Errorf("%w: claims are not base64url", ErrToken)
	}
	return claims, h.typ, nil
}

func cutLast(token string) (before, after string, found bool) {
	i := strings.LastIndexByte(token, '.')
	if i < 0 {
		return "", "", false
	}
	return token[:i], token[i+1:], true
}

// header finds the key of an encoded JOSE header. Ours are all known beforehand;
// one that is not may be of a key that another node has just made.
func (k *Keys) header(encoded string) (header, error) {
	if h, ok := k.current.Load().headers[encoded]; ok {
		return h, nil
	}
	p, err := parseHeader(encoded)
	if err != nil {
		return header{}, err
	}
	found := k.current.Load().byKid[p.Kid]
	if found == nil {
		k.catchUp()
		found = k.current.Load().byKid[p.Kid]
	}
	if found == nil {
		return header{}, fmt.Errorf("%w: key is unknown", ErrToken)
	}
	// The algorithm is the key's; a header that says otherwise is somebody's
	// attempt to choose it (RFC 8725 §2.1).
	if p.Alg != found.row.Algorithm {
		return header{}, fmt.Errorf("%w: algorithm is not the key's", ErrToken)
	}
	return header{found, p.Typ}, nil
}

type joseHeader struct {
	Alg  string          `json:"alg"`
	Kid  string          `json:"kid"`
	Typ  string          `json:"typ"`
	Crit json.RawMessage `json:"crit,omitempty"`
}

func parseHeader(encoded string) (h joseHeader, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return h, fmt.Errorf("%w: header is not base64url", ErrToken)
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, fmt.Errorf("%w: header is not JSON", ErrToken)
	}
	if h.Crit != nil { // RFC 7515 §4.1.11: we understand none
		return h, fmt.Errorf("%w: header has critical extensions", ErrToken)
	}
	return h, nil
}

func encodeHeader(alg, kid, typ string) string {
	raw, err := json.Marshal(joseHeader{Alg: alg, Kid: kid, Typ: typ})
	if err != nil { // strings always marshal
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw) + "."
}
