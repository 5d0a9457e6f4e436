package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"idp/internal/secret"
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
	HTTPS          bool           // the issuer is https: HSTS
}

// Chain puts the middleware in front of the routes, outermost first: request id
// and log line, recovery, client address, headers, body limit and deadline.
func Chain(routes http.Handler, c ChainConfig) http.Handler {
	ch := &chain{ChainConfig: c, routes: routes, proxies: &proxies{trusted: c.TrustedProxies, log: c.Log}}
	return ch
}

type chain struct {
	ChainConfig
	routes  http.Handler
	proxies *proxies
}

func (c *chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	info := &Info{RequestID: secret.ID()}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), infoKey{}, info), requestTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	rec := &recorder{ResponseWriter: w}
	defer c.finish(rec, r, info, start)
	c.proxies.identify(r, info)
	dropIdentityHeaders(r.Header)
	setSecurityHeaders(w.Header(), c.HTTPS)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(rec, r.Body, maxBody)
	}
	c.routes.ServeHTTP(rec, r)
}

// finish recovers from a panic and writes the one log line of the request.
func (c *chain) finish(w *recorder, r *http.Request, info *Info, start time.Time) {
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel value of a panic
			panic(v)
		}
		info.Err = fmt.Errorf("panic: %v", v)
		c.Log.Error("panic", "request_id", info.RequestID, "value", fmt.Sprint(v), "stack", string(debug.Stack()))
		if w.status == 0 {
			c.Pages.renderError(w, r, info.Err)
		}
	}
	level := slog.LevelInfo
	if quiet(r.Pattern) {
		level = slog.LevelDebug
	}
	if w.status >= 500 {
		level = slog.LevelError
	}
	if c.Log.Enabled(r.Context(), level) {
		c.Log.LogAttrs(context.WithoutCancel(r.Context()), level, "request", attributes(w, r, info, start)...)
	}
}

// quiet requests are logged at debug level: monitoring and static files.
func quiet(pattern string) bool {
	return strings.HasSuffix(pattern, "/healthz") || strings.HasSuffix(pattern, "/readyz") || strings.HasSuffix(pattern, "/static/")
}

func attributes(w *recorder, r *http.Request, i *Info, start time.Time) []slog.Attr {
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("method", r.Method), slog.String("route", r.Pattern), slog.Int("status", status),
		slog.Int64("us", time.Since(start).Microseconds()),
		slog.String("client", i.Client.String()), slog.String("request_id", i.RequestID))
	for _, f := range [...]struct{ name, value string }{
		{"user", i.User}, {"client_id", i.ClientID}, {"login", i.Method}, {"reason", i.Reason}, {"detail", i.Detail},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.name, Loggable(f.value)))
		}
	}
	if i.Err != nil {
		attrs = append(attrs, slog.String("err", Loggable(i.Err.Error())))
	}
	return attrs
}

// maxLogged bounds what of a request's own text goes into the log, in bytes.
const maxLogged = 512

// Loggable bounds a text from outside and takes control characters out of it.
func Loggable(s string) string {
	if len(s) > maxLogged {
		s = s[:maxLogged] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
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

// setSecurityHeaders sets what every answer carries; pages set a CSP of their own.
func setSecurityHeaders(h http.Header, https bool) {
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = sameOrigin
	h["Content-Security-Policy"] = noContent
	h["Cross-Origin-Opener-Policy"] = sameOrigin
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
	hsts       = []string{"max-age=31536000; includeSubDomains"}
)

// proxies finds out who asks.
type proxies struct {
	trusted []netip.Prefix
	log     *slog.Logger

	mu    sync.Mutex
	named map[netip.Addr]bool // strangers that were logged; bounded
}
