package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func newPages(t testing.TB) *Pages {
	t.Helper()
	p, err := NewPages(Brand{Name: "Example Ltd", Accent: "#0b5fff", Help: "https://help.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func show(t testing.TB, p *Pages, s state) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := p.Render(w, httptest.NewRequest(http.MethodGet, "/", nil), s.Status, s.Page, s.Data); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestEveryPageInEveryState(t *testing.T) {
	p := newPages(t)
	for _, s := range states() {
		t.Run(s.Name, func(t *testing.T) {
			w := show(t, p, s)
			if ct := w.Header().Get("Content-Type"); ct != "text/html; charset=utf-8" || w.Code != s.Status {
				t.Errorf("%d %q", w.Code, ct)
			}
			if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
				t.Errorf("CSP %q", csp)
			}
			if w.Body.Len() > 30<<10 {
				t.Errorf("the page weighs %d bytes", w.Body.Len())
			}
			checkHTML(t, w.Body.String())
		})
	}
}

// checkHTML asserts what every page owes everybody: a doctype, a language, one
// heading of the first level, a label for every field, no inline code or style.
func checkHTML(t *testing.T, body string) {
	t.Helper()
	if !strings.HasPrefix(body, "<!doctype html>") {
		t.Error("no doctype")
	}
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	count, labels, fields := map[string]int{}, map[string]bool{}, []string{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		a := map[string]string{}
		for _, attr := range n.Attr {
			if _, twice := a[attr.Key]; twice {
				t.Errorf("<%s> has %s twice", n.Data, attr.Key)
			}
			a[attr.Key] = attr.Val
			if attr.Key == "style" || strings.HasPrefix(attr.Key, "on") {
				t.Errorf("<%s> has inline %s", n.Data, attr.Key)
			}
		}
		count[n.Data]++
		switch {
		case n.Data == "html" && a["lang"] == "":
			t.Error("no language")
		case n.Data == "label":
			labels[a["for"]] = true
		case n.Data == "input" && a["type"] != "hidden":
			fields = append(fields, a["id"])
		case n.Data == "script" && (a["src"] == "" || n.FirstChild != nil), n.Data == "style":
			t.Errorf("inline <%s>", n.Data)
		case n.Data == "img" && a["alt"] == "":
			t.Error("<img> without alt")
		}
		if _, ok := a["autofocus"]; ok {
			count["autofocus"]++
		}
	}
	if count["h1"] != 1 || count["title"] != 1 || count["main"] != 1 || count["autofocus"] > 1 {
		t.Errorf("h1 %d, title %d, main %d, autofocus %d", count["h1"], count["title"], count["main"], count["autofocus"])
	}
	for _, f := range fields {
		if !labels[f] {
			t.Errorf("field %q has no label", f)
		}
	}
}

func TestWhatAVisitorSendsIsNeverMarkup(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	for _, s := range []state{
		{"login", "login", 200, LoginPage{Username: evil, Site: &Site{evil, evil}, Action: "/login", LoginID: evil, SignedInAs: evil}},
		{"denied", "denied", 403, DeniedPage{User: evil, BackURL: "javascript:alert(1)", Site: &Site{evil, evil}}},
		{"logout", "logout", 200, LogoutPage{User: evil, Fields: map[string]string{"state": evil}}},
	} {
		body := show(t, newPages(t), s).Body.String()
		if strings.Contains(body, "<script>") || strings.Contains(body, `href="javascript:`) {
			t.Errorf("%s shows markup of a visitor", s.Name)
		}
	}
}

func TestAccentIsReadable(t *testing.T) {
	for _, c := range []string{"#ffff00", "#000000", "#ffffff", "#0b5fff", "#888888", "#ff0000", "#00ff7f"} {
		accent, err := parseAccent(c)
		if err != nil {
			t.Fatal(err)
		}
		if got := contrast(accent.toward(rgb{}, white), white); got < 4.5 {
			t.Errorf("%s on white: %.2f", c, got)
		}
		dark := accent.toward(white, darkPaper, darkText)
		if contrast(dark, darkPaper) < 4.5 || contrast(dark, darkText) < 4.5 {
			t.Errorf("%s in the dark: %.2f on paper, %.2f below text", c, contrast(dark, darkPaper), contrast(dark, darkText))
		}
	}
	if _, err := NewPages(Brand{Accent: "blue"}); err == nil {
		t.Error("brand.accent: blue was accepted")
	}
}

func TestStaticFilesAreHashedAndKept(t *testing.T) {
	p := newPages(t)
	css := regexp.MustCompile(`/static/idp\.[0-9a-f]{12}\.css`).FindString(show(t, p, states()[0]).Body.String())
	if css == "" {
		t.Fatal("the page names no hashed style sheet")
	}
	for _, gz := range []bool{false, true} {
		r := httptest.NewRequest(http.MethodGet, css, nil)
		if gz {
			r.Header.Set("Accept-Encoding", "gzip, br")
		}
		w := httptest.NewRecorder()
		p.Static().ServeHTTP(w, r)
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || (w.Header().Get("Content-Encoding") == "gzip") != gz {
			t.Errorf("gzip %v: %d %v", gz, w.Code, w.Header())
		}
	}
}

func TestLogoMustBeAPicture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logo.exe")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewPages(Brand{Logo: path}); err == nil {
		t.Error("an .exe was taken as the logo")
	}
}

func chainFor(t testing.TB, log *strings.Builder, h Handler, trusted ...netip.Prefix) http.Handler {
	t.Helper()
	p := newPages(t)
	mux := http.NewServeMux()
	mux.Handle("/", p.Handle(h))
	return Chain(mux, ChainConfig{Log: slog.New(slog.NewTextHandler(log, nil)), Pages: p, TrustedProxies: trusted})
}

func TestErrorsBecomePagesAndOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		h      Handler
		status int
	}{
		"typed": {func(http.ResponseWriter, *http.Request) error {
			return &Error{Status: 400, Title: "No", Code: "CODE", Err: errors.New("cause")}
		}, 400},
		"unknown": {func(http.ResponseWriter, *http.Request) error { return errors.New("cause") }, 500},
		"panic":   {func(http.ResponseWriter, *http.Request) error { panic("cause") }, 500},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			w := httptest.NewRecorder()
			chainFor(t, &log, c.h).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != c.status || strings.Contains(w.Body.String(), "cause") || strings.Contains(w.Body.String(), "goroutine") {
				t.Errorf("%d, or the cause is on the page:\n%s", w.Code, w.Body)
			}
			if n := strings.Count(log.String(), "msg=request"); n != 1 || !strings.Contains(log.String(), "cause") {
				t.Errorf("%d request lines, want one that names the cause:\n%s", n, log.String())
			}
		})
	}
}

func TestWhoAsks(t *testing.T) {
	proxy := netip.MustParsePrefix("192.0.2.0/24")
	for name, c := range map[string]struct {
		peer    string
		header  http.Header
		want    string
		outside bool
	}{
		"directly":                     {"10.0.0.1:1", nil, "10.0.0.1", false},
		"mapped IPv4":                  {"[::ffff:10.0.0.1]:1", nil, "10.0.0.1", false},
		"stranger forwards":            {"10.0.0.1:1", http.Header{"X-Forwarded-For": {"10.0.0.2"}}, "10.0.0.1", true},
		"stranger, other header":       {"10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"https"}}, "10.0.0.1", true},
		"trusted":                      {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"10.0.0.2"}}, "10.0.0.2", false},
		"trusted, client lies":         {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"10.0.0.9, 203.0.113.5"}}, "203.0.113.5", false},
		"two proxies":                  {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"203.0.113.5", "192.0.2.2"}}, "203.0.113.5", false},
		"RFC 7239":                     {"192.0.2.1:1", http.Header{"Forwarded": {`for="[2001:db8::1]:80";proto=https`}}, "2001:db8::1", false},
		"nonsense from a trusted peer": {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"10.0.0.1, unknown"}}, "192.0.2.1", true},
	} {
		t.Run(name, func(t *testing.T) {
			var got Info
			var log strings.Builder
			h := chainFor(t, &log, func(_ http.ResponseWriter, r *http.Request) error { got = *InfoFrom(r.Context()); return nil }, proxy)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.peer
			for k, v := range c.header {
				r.Header[k] = v
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got.Client.String() != c.want || got.Outside != c.outside {
				t.Errorf("client %s outside %v, want %s %v", got.Client, got.Outside, c.want, c.outside)
			}
		})
	}
}

func TestIdentityHeadersFromOutsideAreDropped(t *testing.T) {
	var log strings.Builder
	h := chainFor(t, &log, func(_ http.ResponseWriter, r *http.Request) error {
		for name := range r.Header {
			if strings.HasPrefix(strings.ToLower(name), "remote") {
				t.Errorf("%s arrived", name)
			}
		}
		return nil
	})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = http.Header{"Remote-User": {"a"}, "Remote_user": {"a"}, "REMOTE_GROUPS": {"a"}, "remote-email": {"a"}}
	h.ServeHTTP(httptest.NewRecorder(), r)
}

func TestLoggable(t *testing.T) {
	got := Loggable("a\nlevel=ERROR\x00\xff" + strings.Repeat("x", 2000))
	if strings.ContainsAny(got, "\n\x00") || len(got) > maxLogged+8 {
		t.Errorf("%d bytes: %q…", len(got), got[:40])
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("for=192.0.2.1", "192.0.2.1, ::1")
	f.Add(`for="[::1]:`, ",,,")
	p := &proxies{trusted: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, log: slog.New(slog.DiscardHandler)}
	f.Fuzz(func(_ *testing.T, forwarded, xff string) {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
		r.Header = http.Header{"Forwarded": {forwarded}, "X-Forwarded-For": {xff}}
		p.identify(r, &Info{})
	})
}

func BenchmarkChain(b *testing.B) {
	p := newPages(b)
	body := []byte("{}")
	mux := http.NewServeMux()
	mux.Handle("GET /jwks", p.Handle(func(w http.ResponseWriter, _ *http.Request) error { _, err := w.Write(body); return err }))
	h := Chain(mux, ChainConfig{Log: slog.New(slog.NewJSONHandler(discard{}, nil)), Pages: p})
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/jwks", nil))
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
