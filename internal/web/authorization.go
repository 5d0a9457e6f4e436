package web

import (
	"encoding/base64"
	"net/http"
	"strings"

	"idp/internal/secret"
)

// maxAuthorization bounds the Authorization header: a ticket with a great many
// groups is 48 KB, 64 KB in base64.
const maxAuthorization = 64<<10 + 16

// The schemes that we know, as Authorization gives them.
const (
	SchemeNegotiate = "negotiate" // RFC 4559
	SchemeBasic     = "basic"     // RFC 7617
)

// HeaderTooLong is for the log, where Authorization could make nothing of the header.
const HeaderTooLong = "the Authorization header is too long, or there twice"

// Authorization takes the header of that name apart: the scheme, whose name is
// case-insensitive (RFC 9110 §11.1) and comes out in lower case, and what follows
// it. Not ok: it is too long, or there twice.
func Authorization(h http.Header) (scheme, value string, ok bool) {
	headers := h["Authorization"]
	switch {
	case len(headers) == 0:
		return "", "", true
	case len(headers) > 1 || len(headers[0]) > maxAuthorization:
		return "", "", false
	}
	scheme, value, _ = strings.Cut(headers[0], " ")
	return strings.ToLower(scheme), strings.TrimSpace(value), true
}

// BasicCredential decodes RFC 7617 §2: base64 of name ":" password, in UTF-8 (our
// challenges say so). authn checks lengths and encoding.
func BasicCredential(value string) (name string, password secret.String, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(value)
	name, pw, colon := strings.Cut(string(raw), ":")
	return name, secret.String(pw), err == nil && colon
}

// NegotiateToken decodes RFC 4559 §4.2: base64 of a token, which kerberos judges.
func NegotiateToken(value string) (token []byte, ok bool) {
	token, err := base64.StdEncoding.DecodeString(value)
	return token, err == nil
}

// SendNegotiate sends a token of an exchange back (RFC 4559 §5); without one, nothing.
func SendNegotiate(w http.ResponseWriter, token []byte) {
	if len(token) > 0 {
		w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(token))
	}
}
