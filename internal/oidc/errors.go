package oidc

import (
	"encoding/json"
	"errors"
	"net/http"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/web"
)

// Error codes that the library has no name for; constants assign to the
// unexported type of its ErrorType field.
const (
	unsupportedResponseType = "unsupported_response_type" // RFC 6749 §4.1.2.1
	consentRequired         = "consent_required"          // OIDC Core §3.1.2.6
	invalidToken            = "invalid_token"             // RFC 6750 §3.1
	insufficientScope       = "insufficient_scope"        // RFC 6750 §3.1
	invalidDPoPProof        = "invalid_dpop_proof"        // RFC 9449 §5
	useDPoPNonce            = "use_dpop_nonce"            // RFC 9449 §8
	temporarilyUnavailable  = "temporarily_unavailable"   // RFC 6749 §4.1.2.1
	invalidRedirectURI      = "invalid_redirect_uri"      // RFC 7591 §3.2.2
	invalidClientMetadata   = "invalid_client_metadata"   // RFC 7591 §3.2.2
)

// failure is an error of the protocol whose answer is not a plain 400.
type failure struct {
	status     int
	challenges []string // WWW-Authenticate, a line each
	silent     bool     // the challenge is the whole answer (RFC 6750 §3.1); err is for the log
	allow      string   // Allow, with 405
	err        *protocol.Error
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// invalidClient is the one answer to a client that is unknown or did not prove
// itself (RFC 6749 §5.2); the log has the cause.
func invalidClient(cause string) error {
	return failure{status: http.StatusUnauthorized, challenges: []string{`Basic realm="relying parties", charset="UTF-8"`},
		err: protocol.ErrInvalidClient().WithDescription("client authentication failed").WithParent(errors.New(cause))}
}

// tooLarge: RFC 9110 §15.5.14, RFC 9126 §2.3.
func tooLarge(limit int64) error {
	return failure{status: http.StatusRequestEntityTooLarge, err: protocol.ErrInvalidRequest().WithDescription("the request is longer than %d bytes", limit)}
}

// asProtocol returns err as an error of the protocol: what is none is
// server_error, and its text stays here.
func asProtocol(err error) failure {
	var f failure
	if errors.As(err, &f) {
		return f
	}
	var e *protocol.Error
	if errors.As(err, &e) {
		return failure{status: http.StatusBadRequest, err: e}
	}
	return failure{status: http.StatusInternalServerError, err: protocol.ErrServerError().WithParent(err)}
}

// note puts the error into the request's one log line.
func note(r *http.Request, e *protocol.Error) {
	info := web.InfoFrom(r.Context())
	info.Reason, info.Detail = string(e.ErrorType), e.Description
	if e.ErrorType == protocol.ServerError {
		info.Err = e.Parent
	} else if e.Parent != nil {
		info.Detail += ": " + e.Parent.Error()
	}
}

// Handle makes a handler of an endpoint for programs: its errors are answered as
// JSON (RFC 6749 §5.2).
func (p *Provider) Handle(h web.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		f := asProtocol(err)
		note(r, f.err)
		for _, challenge := range f.challenges {
			w.Header().Add("WWW-Authenticate", challenge)
		}
		if f.allow != "" {
			w.Header().Set("Allow", f.allow)
		}
		body, err := json.Marshal(f.err)
		switch {
		case f.silent:
			body = []byte("{}")
		case err != nil:
			body = []byte(`{"error":"server_error"}`)
		}
		writeJSON(w, f.status, body)
	})
}

var (
	jsonType = []string{"application/json"}
	jwtType  = []string{"application/jwt"} // OIDC Core §5.3.2
	noStore  = []string{"no-store"}
	noCache  = []string{"no-cache"}
)

// writeJSON answers with ready bytes that nobody may keep (RFC 6749 §5.1).
func writeJSON(w http.ResponseWriter, status int, body []byte) { write(w, status, jsonType, body) }

func write(w http.ResponseWriter, status int, contentType []string, body []byte) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"], h["Pragma"] = contentType, noStore, noCache
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON or a JWT, nosniff; the client may be gone; nothing is left to do then
}

// anyOrigin lets scripts of every site read an answer, and never with the
// visitor's cookies: Allow-Credentials is not sent. It answers a preflight, and
// reports whether the request was one (Fetch §3.2).
func anyOrigin(w http.ResponseWriter, r *http.Request, methods string) (done bool) {
	h := w.Header()
	if r.Method != http.MethodOptions {
		if r.Header.Get("Origin") != "" {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce")
		}
		return false
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
	h.Set("Access-Control-Max-Age", "3600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
