package wire

import (
	"cmp"
	"errors"
	"net/http"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/web"
)

// Error codes that the library has no name for; constants assign to the
// unexported type of its ErrorType field.
const (
	UnsupportedResponseType = "unsupported_response_type" // RFC 6749 §4.1.2.1
	TemporarilyUnavailable  = "temporarily_unavailable"   // RFC 6749 §4.1.2.1
	InvalidToken            = "invalid_token"             // RFC 6750 §3.1
	InsufficientScope       = "insufficient_scope"        // RFC 6750 §3.1
	InvalidDPoPProof        = "invalid_dpop_proof"        // RFC 9449 §5
	UseDPoPNonce            = "use_dpop_nonce"            // RFC 9449 §8
	InvalidRedirectURI      = "invalid_redirect_uri"      // RFC 7591 §3.2.2
	InvalidClientMetadata   = "invalid_client_metadata"   // RFC 7591 §3.2.2
)

// Failure is an error of the protocol whose answer is not a plain 400.
type Failure struct {
	Status     int
	Challenges []string // WWW-Authenticate, a line each
	Silent     bool     // the challenge is the whole answer (RFC 6750 §3.1); err is for the log
	Allow      string   // Allow, with 405
	Err        *protocol.Error
}

func (f Failure) Error() string { return f.Err.Error() }
func (f Failure) Unwrap() error { return f.Err }

// InvalidClient is the one answer to a client that is unknown or did not prove
// itself (RFC 6749 §5.2); the log has the cause.
func InvalidClient(cause string) error {
	return Failure{Status: http.StatusUnauthorized, Challenges: []string{`Basic realm="relying parties", charset="UTF-8"`},
		Err: protocol.ErrInvalidClient().WithDescription("client authentication failed").WithParent(errors.New(cause))}
}

// TooLarge is the answer to a request of more than limit bytes: RFC 9110 §15.5.14,
// RFC 9126 §2.3.
func TooLarge(limit int64) error {
	return Failure{Status: http.StatusRequestEntityTooLarge, Err: protocol.ErrInvalidRequest().WithDescription("the request is longer than %d bytes", limit)}
}

// AsFailure returns err as an error of the protocol: what is none is
// server_error, and its text stays here.
func AsFailure(err error) Failure {
	var f Failure
	if errors.As(err, &f) {
		return f
	}
	var e *protocol.Error
	if errors.As(err, &e) {
		return Failure{Status: http.StatusBadRequest, Err: e}
	}
	return Failure{Status: http.StatusInternalServerError, Err: protocol.ErrServerError().WithParent(err)}
}

// Note puts the error into the request's one log line. The reason why a credential was
// refused, which metrics count by, stays.
func Note(r *http.Request, e *protocol.Error) {
	info := web.InfoFrom(r.Context())
	info.Reason, info.Detail = cmp.Or(info.Reason, string(e.ErrorType)), e.Description
	if e.ErrorType == protocol.ServerError {
		info.Err = e.Parent
	} else if e.Parent != nil && e.Parent.Error() != e.Description {
		info.Detail += ": " + e.Parent.Error()
	}
}

// NoScope is the answer where no scope is left: RFC 6749 §3.3, §5.2.
func NoScope() error {
	return protocol.ErrInvalidScope().WithDescription("scope is missing, or holds nothing that this client may ask for")
}
