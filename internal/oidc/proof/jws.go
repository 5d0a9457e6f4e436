package proof

import (
	"encoding/base64"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
)

// base64url without padding, and only one spelling of everything (RFC 7515 §2).
var base64url = base64.RawURLEncoding.Strict()

// jws is a JWS in compact form (RFC 7515 §7.1), taken apart and not yet verified.
type jws struct {
	header    header
	claims    []byte // JSON
	signed    string // what the signature is over
	signature []byte
}

// header is the JOSE header. What it may point to (jku, x5u) is never fetched.
type header struct {
	Alg  string          `json:"alg"`
	Typ  string          `json:"typ"`
	Kid  string          `json:"kid"`
	JWK  json.RawMessage `json:"jwk"`
	Crit json.RawMessage `json:"crit"`
}

// parse takes text apart; limit is in bytes.
func parse(text string, limit int) (*jws, error) {
	if len(text) > limit {
		return nil, refuse("longer than %d bytes", limit)
	}
	if strings.ContainsAny(text, "\r\n") { // encoding/base64 skips them, RFC 7515 §2 does not
		return nil, refuse("holds a line break")
	}
	head, rest, ok := strings.Cut(text, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(signature, ".") {
		return nil, refuse("no JWS in compact form: want three parts")
	}
	j := &jws{signed: text[:len(head)+1+len(payload)]}
	raw, err1 := base64url.DecodeString(head)
	claims, err2 := base64url.DecodeString(payload)
	sig, err3 := base64url.DecodeString(signature)
	if err1 != nil || err2 != nil || err3 != nil {
		return nil, refuse("a part is not base64url without padding")
	}
	j.claims, j.signature = claims, sig
	if !object(raw) || json.Unmarshal(raw, &j.header) != nil {
		return nil, refuse("the header is not an object of JSON with texts as alg, typ and kid, each once")
	}
	return j, noCritical(j.header)
}

// noCritical: we understand no extension (RFC 7515 §4.1.11).
func noCritical(h header) error {
	if h.Crit != nil {
		return refuse("the header has critical extensions (crit); none is supported")
	}
	return nil
}

// object reports whether raw begins like one; null would be read as an empty one.
func object(raw []byte) bool { return strings.HasPrefix(strings.TrimLeft(string(raw), " \t\r\n"), "{") }

// read reads the claims into what they are to be.
func (j *jws) read(claims any) error {
	if !object(j.claims) || json.Unmarshal(j.claims, claims) != nil {
		return refuse("the claims are not an object of JSON with each claim once, of its type")
	}
	return nil
}

// typed compares typ without the prefix and the case that media types may have
// (RFC 7515 §4.1.9).
func (h header) typed(want string) bool {
	const prefix = "application/"
	typ := h.Typ
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(typ, want)
}
