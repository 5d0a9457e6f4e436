package web

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// log writes the line.
func (c *chain) log(x *exchange, r *http.Request, took time.Duration, stack []byte) {
	level := slog.LevelInfo
	if x.recorder.status < 400 && quiet(r.Pattern) && !x.info.LoggedIn {
		level = slog.LevelDebug
	}
	if x.recorder.status >= 500 {
		level = slog.LevelError
	}
	if !c.Log.Enabled(r.Context(), level) {
		return
	}
	// A record of our own: slog.LogAttrs would look up the line of code, always this one.
	line := slog.NewRecord(time.Now(), level, "request", 0)
	line.AddAttrs(attributes(x, r, took)...)
	if stack != nil {
		line.AddAttrs(slog.String("stack", string(stack[:min(len(stack), maxStack)])))
	}
	_ = c.Log.Handler().Handle(r.Context(), line) // nowhere to report to; slog ignores it too
}

// quiet requests are logged at debug level when they went well: monitoring, what is
// public and the same for everybody, and what a proxy asks about each request, which it
// writes down itself.
func quiet(pattern string) bool {
	_, path, ok := strings.Cut(pattern, " ")
	if !ok { // a pattern of every method
		path = pattern
	}
	switch path {
	case "/healthz", "/readyz", "/static/", "/.idp/static/", "/forward-auth", "/forward-auth/", "/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server":
		return true
	default:
		return false
	}
}

// status is what the client got, or would have.
func (x *exchange) status() int {
	switch {
	case x.info.gone:
		return statusGone
	case x.recorder.status == 0:
		return http.StatusOK
	default:
		return x.recorder.status
	}
}

func attributes(x *exchange, r *http.Request, took time.Duration) []slog.Attr {
	status, i := x.status(), &x.info
	attrs := make([]slog.Attr, 0, 14)
	attrs = append(attrs,
		slog.String("method", Loggable(r.Method[:min(len(r.Method), 16)])), slog.String("route", r.Pattern), slog.Int("status", status),
		slog.Int64("us", took.Microseconds()),
		slog.String("client", i.Client.String()), slog.String("request_id", i.RequestID))
	if i.Outside {
		attrs = append(attrs, slog.Bool("outside", true))
	}
	for _, f := range [...]struct{ name, value string }{
		{"user", i.User}, {"client_id", i.ClientID}, {"login", i.Method}, {"reason", i.Reason}, {"detail", oneLine(i.Detail)},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.name, Loggable(f.value)))
		}
	}
	if i.Err != nil {
		attrs = append(attrs, slog.String("err", Loggable(oneLine(i.Err.Error()))))
	}
	return attrs
}

// Bounds of what goes into one log line, in bytes.
const (
	maxLogged = 512  // of a text from outside
	maxStack  = 8192 // of a panic's stack
)

// statusGone stands in the log for a client that left before it was answered.
// It is nginx's number, and never sent.
const statusGone = 499

// Loggable bounds a text from outside and takes out of it what could pass for
// another line or another text: control characters, line separators, marks that
// turn the direction of writing, broken UTF-8.
func Loggable(s string) string {
	if len(s) <= maxLogged && plainASCII(s) {
		return s
	}
	end := ""
	if len(s) > maxLogged {
		s, end = s[:maxLogged], "…"
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s) + end
}

// maxQuoted bounds a value that is quoted in a log line, in bytes.
const maxQuoted = 200

// Quote is a value from outside for a detail or a cause in the log: in quotes, cut
// short and made Loggable.
func Quote(s string) string {
	if len(s) > maxQuoted {
		s = s[:maxQuoted] + "…"
	}
	return strconv.Quote(Loggable(s))
}

// oneLine joins what errors.Join has put on lines of their own.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "; ") }

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
