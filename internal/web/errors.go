package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Handle serves a handler, and a page for the error it returns.
func (p *Pages) Handle(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			p.renderError(w, r, err)
		}
	})
}

// ErrorPage is the page of an Error.
type ErrorPage struct {
	Title, Message, Hint string
	Links                []Link
	Reference            string
}

// renderError answers with the error, as a page or, to a program that asks for
// it, as JSON, and leaves its cause to the log. Nothing is written to a client
// that has left, or behind an answer that has begun.
func (p *Pages) renderError(w http.ResponseWriter, r *http.Request, err error) {
	info := InfoFrom(r.Context())
	e := visible(err)
	if info.Err == nil {
		info.Err = e.Err
	}
	if info.Reason == "" {
		info.Reason = e.Code
	}
	if errors.Is(r.Context().Err(), context.Canceled) {
		info.gone = true
		return
	}
	if rec, ok := w.(*recorder); ok && rec.status != 0 {
		return
	}
	for k, v := range e.Header {
		w.Header()[http.CanonicalHeaderKey(k)] = v
	}
	if err := p.writeError(w, r, e, Reference(info, time.Now())); err != nil {
		info.Err = errors.Join(info.Err, err)
		http.Error(w, e.Title, e.Status)
	}
}

func (p *Pages) writeError(w http.ResponseWriter, r *http.Request, e *Error, reference string) error {
	if wantsJSON(r) {
		return JSON(w, e.Status, map[string]string{"error": e.Code, "message": e.Title + ". " + e.Message, "reference": reference})
	}
	return p.Render(w, r, e.Status, "error", ErrorPage{Title: e.Title, Message: e.Message, Hint: e.Hint, Links: e.Links, Reference: reference})
}

// visible is what people may see of an error.
func visible(err error) *Error {
	var e *Error
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &big):
		return &Error{Status: http.StatusRequestEntityTooLarge, Code: "TOO_BIG", Title: "That is too much",
			Message: fmt.Sprintf("The form is larger than %d KB.", big.Limit>>10), Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Status: http.StatusServiceUnavailable, Code: "TIMEOUT", Title: "This takes too long",
			Message: "Something we depend on does not answer.", Hint: "Try again in a minute.",
			Header: http.Header{"Retry-After": {"60"}}, Err: err}
	default:
		return &Error{Status: http.StatusInternalServerError, Code: "INTERNAL", Title: "Something went wrong here",
			Message: "It is our fault, not yours.", Hint: "Try again in a minute. If it happens again, read the reference below to your support.", Err: err}
	}
}

// wantsJSON: a program asks, and says so by Accept or, from within a page, by
// Sec-Fetch-Dest. Whoever says nothing gets the page.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	if strings.Contains(accept, "text/html") {
		return false
	}
	return strings.Contains(accept, "json") || r.Header.Get("Sec-Fetch-Dest") == "empty"
}

// ServeNotFound is for every path that is none of ours.
func (p *Pages) ServeNotFound(_ http.ResponseWriter, r *http.Request) error {
	InfoFrom(r.Context()).Detail = r.URL.Path
	return &Error{Status: http.StatusNotFound, Code: "NOT_FOUND", Title: "There is no page here", Message: "The address is wrong or no longer in use.",
		Links: []Link{{"Go to your account", "/account"}}}
}

// ServeCrossOrigin is for a form of ours that another site's page sent: the deny
// handler of http.CrossOriginProtection.
func (p *Pages) ServeCrossOrigin(_ http.ResponseWriter, r *http.Request) error {
	InfoFrom(r.Context()).Detail = "Origin: " + r.Header.Get("Origin")
	return &Error{Status: http.StatusForbidden, Code: "CROSS_ORIGIN", Title: "This form came from another site",
		Message: "Only forms of our own pages are accepted here.", Hint: "Start again from the site you came from."}
}

// LoginExpired is the answer to a login request that is over, unknown, or
// another browser's: to the visitor all the same.
func LoginExpired(cause error) error {
	return &Error{
		Status: http.StatusBadRequest, Code: "LOGIN_EXPIRED", Title: "This link has expired",
		Message: "This login was already used, is too old, or was started in another browser.",
		Hint:    "Start again from the site you came from.", Err: cause,
	}
}

// FormExpired is the answer to a form whose token does not fit: it was not made
// for this browser, or for what the form is about now.
func FormExpired() error {
	return &Error{
		Status: http.StatusForbidden, Code: "FORM_TOKEN", Title: "This form has expired",
		Message: "The form was not made for this browser, its cookies were deleted since, or the page has changed since.",
		Hint:    "Go back, reload the page, and try again. Cookies must be allowed.",
	}
}
