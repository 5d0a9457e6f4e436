// Package web is how we answer HTTP: handlers that return errors, pages, and the
// middleware in front of every one of them.
//
// A handler returns an error and one function renders it, so that no branch of
// any handler answers by hand: an *Error says what people read, and everything
// else is a bare 500 whose cause goes into the log line and nowhere else. Every
// request has an Info in its context, which handlers fill along the way and
// which becomes the request's one log line.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Handler answers a request, or returns why it could not.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Error is an answer that people read. Err, the cause, is for the log only.
type Error struct {
	Status  int
	Code    string // a reason code, for the log line
	Title   string
	Message string
	Hint    string
	Links   []Link
	Header  http.Header
	Err     error
}

// Link is a way on from an error page.
type Link struct{ Text, URL string }

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Title, e.Err)
	}
	return e.Title
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// TooManyRequests is the answer to an address with too many pending logins.
func TooManyRequests(err error) error {
	return &Error{
		Status: http.StatusTooManyRequests, Code: "TOO_MANY_LOGINS", Title: "Too many logins were started",
		Message: "Too many logins were started from your network and never finished.",
		Hint:    "Try again in half an hour.", Err: err, Header: http.Header{"Retry-After": {"1800"}},
	}
}

// Info is what is known of a request. Only the goroutine that serves the request
// reads and writes it.
type Info struct {
	RequestID string
	Client    netip.Addr // who asks, behind proxies that are trusted
	Outside   bool       // forwarded by a proxy nobody told us about
	Proxied   bool       // the peer is a proxy that is trusted

	// Assets begins the addresses of a page's static files; empty: they are at the root
	// of this host. On a protected site, whose root is another's, all of ours is below.
	Assets string

	// What handlers add for the log line.
	User     string
	ClientID string
	Method   string // how somebody logs in: ticket, basic, form; unknown for what is neither
	Reason   string // reason code of a refusal
	Detail   string
	Err      error
	LoggedIn bool // by Method, in this request

	gone   bool   // the client left before it was answered
	issuer string // begins redirects to ourselves
}

type infoKey struct{}

// InfoFrom is the request's Info; a new one outside of a request.
func InfoFrom(ctx context.Context) *Info {
	if i, ok := ctx.Value(infoKey{}).(*Info); ok {
		return i
	}
	return &Info{}
}

// alphabet is Crockford's base32: nothing in it is mistaken on the telephone.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newRequestID makes 60 random bits, which people can read out.
func newRequestID() string {
	var id [12]byte
	n := rand.Uint64() //nolint:gosec // not a secret: ids only have to differ
	for i := range id {
		id[i] = alphabet[n&31]
		n >>= 5
	}
	return string(id[:])
}

// Reference is what people read out to support: it finds the log line.
func Reference(i *Info, now time.Time) string {
	return now.UTC().Format("2006-01-02 15:04:05") + " UTC, " + i.RequestID
}

// ReferenceOf is the Reference of a request that is answered now.
func ReferenceOf(r *http.Request) string { return Reference(InfoFrom(r.Context()), time.Now()) }

// ParseForm parses a POST's body, which the middleware has bounded. A field that
// comes twice is refused: our forms send each once.
func ParseForm(_ http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return err // renderError knows it
		}
		return BadForm(err)
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return BadForm(fmt.Errorf("field %q comes twice", Loggable(name)))
		}
	}
	return nil
}

// BadForm is the answer to what is not a form of ours.
func BadForm(err error) error {
	return &Error{Status: http.StatusBadRequest, Code: "BAD_FORM", Title: "The form cannot be read",
		Message: "What your browser sent is not a form of ours.", Hint: "Go back, reload the page, and try again.", Err: err}
}

// Redirect answers with a redirect and no body. A path of ours becomes absolute,
// from the issuer: a browser that was sent here by a link with a name and
// password in it (https://mallory:secret@sso.example.com/…) would take them
// along to a relative address, and answer our prompt with them.
func Redirect(w http.ResponseWriter, r *http.Request, status int, url string) error {
	if strings.HasPrefix(url, "/") {
		url = InfoFrom(r.Context()).issuer + url
	}
	w.Header().Set("Location", url)
	w.WriteHeader(status)
	return nil
}

// JSON answers with v.
func JSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever left gets no other answer
	return nil
}
