package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"
)

// Limits of a request.
const (
	maxBody        = 64 << 10
	requestTimeout = 30 * time.Second
)

// ChainConfig is everything Chain needs.
type ChainConfig struct {
	Log            *slog.Logger
	Pages          *Pages
	TrustedProxies []netip.Prefix // whose Forwarded and X-Forwarded-* are believed
	Issuer         string         // begins every redirect to ourselves; https: HSTS
	Count          func(Answered) // is told of every answer; nil: nobody counts
}

// Answered is what became of a request: of the facts in its log line those that
// can be counted.
type Answered struct {
	Route  string // pattern of the route table
	Method string // of HTTP, as it was sent
	Status int    // 499: the client left before
	Took   time.Duration
	Login  string // how somebody tried to log in; empty: nobody did, or the attempt goes on
	Reason string // why it was refused; empty: it was not
}

// Chain puts the middleware in front of the routes, outermost first: request id
// and log line, recovery, client address, headers, body limit and deadline.
func Chain(routes http.Handler, c ChainConfig) http.Handler {
	return &chain{ChainConfig: c, routes: routes, proxies: &proxies{trusted: c.TrustedProxies, log: c.Log}}
}

type chain struct {
	ChainConfig
	routes  http.Handler
	proxies *proxies
}

func (c *chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	x := &exchange{Context: ctx}
	x.recorder.ResponseWriter = w
	x.info.RequestID, x.info.issuer = newRequestID(), c.Issuer
	r = r.WithContext(x)
	defer c.finish(x, r, start)
	c.proxies.identify(r, &x.info)
	setSecurityHeaders(w.Header(), strings.HasPrefix(c.Issuer, "https:"))
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody) // w itself: the reader tells it to close the connection
	}
	c.routes.ServeHTTP(&x.recorder, r)
}

// exchange is a request's context, Info and answer, in one allocation.
type exchange struct {
	context.Context
	info     Info
	recorder recorder
}

// Value makes InfoFrom find the Info.
func (x *exchange) Value(key any) any {
	if _, ok := key.(infoKey); ok {
		return &x.info
	}
	return x.Context.Value(key)
}

// finish recovers from a panic and writes the one log line of the request. A
// panic in the middle of an answer cuts the connection, so that nobody takes
// half of it for the whole.
func (c *chain) finish(x *exchange, r *http.Request, start time.Time) {
	v := recover()
	begun := x.recorder.status != 0
	var stack []byte
	if v != nil && v != http.ErrAbortHandler { //nolint:errorlint // the documented sentinel value of a panic
		stack = debug.Stack()
		c.Pages.renderError(&x.recorder, r, fmt.Errorf("panic: %v", v))
		x.info.Reason = "PANIC"
	}
	took := time.Since(start)
	c.log(x, r, took, stack)
	if c.Count != nil {
		c.Count(x.answered(r, took))
	}
	if v != nil && begun || v == http.ErrAbortHandler { //nolint:errorlint // as above
		panic(http.ErrAbortHandler)
	}
}

// answered: a credential that led to a session is a login, whatever happened
// later; one with a reason was refused; without either it goes on in another
// request, or its client has left.
func (x *exchange) answered(r *http.Request, took time.Duration) Answered {
	i := &x.info
	a := Answered{Route: r.Pattern, Method: r.Method, Status: x.status(), Took: took}
	switch {
	case i.LoggedIn:
		a.Login = i.Method
	case i.Reason != "" && !i.gone:
		a.Login, a.Reason = i.Method, i.Reason
	}
	return a
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status that the client gets.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK { // 1xx is not the answer yet
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// setSecurityHeaders sets what every answer carries; pages set a CSP of their
// own, and what may be kept says so. Referrer-Policy is not no-referrer, for then
// browsers send "Origin: null" with our own forms.
func setSecurityHeaders(h http.Header, https bool) {
	h["X-Content-Type-Options"] = nosniff
	h["Cache-Control"] = noStore
	h["Referrer-Policy"] = sameOrigin
	h["Content-Security-Policy"] = noContent
	h["X-Frame-Options"] = deny
	if https {
		h["Strict-Transport-Security"] = hsts
	}
}

// Header values shared by all answers; nobody changes a header's slice in place.
var (
	nosniff    = []string{"nosniff"}
	sameOrigin = []string{"same-origin"}
	deny       = []string{"DENY"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"}
	noStore    = []string{"no-store"}
	// Not for subdomains: an issuer https://example.com must not decide for them.
	hsts = []string{"max-age=31536000"}
)
