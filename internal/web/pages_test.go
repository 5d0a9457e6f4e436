package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
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

	"idp/internal/metrics"
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
			if n := strings.Count(w.Body.String(), `class="primary"`); n > 1 {
				t.Errorf("%d things to begin with, want one", n)
			}
			checkHTML(t, w.Body.String())
		})
	}
}

// A page that is in no state is looked at by nobody.
func TestEveryPageHasAState(t *testing.T) {
	named, shown := map[string]bool{}, map[string]bool{}
	for _, s := range states() {
		if named[s.Name] {
			t.Errorf("two states are called %s", s.Name)
		}
		named[s.Name], shown[s.Page] = true, true
	}
	for name := range newPages(t).templates {
		if !shown[name] {
			t.Errorf("no state of the page %q", name)
		}
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
		case n.Data == "script" && n.FirstChild != nil && n.FirstChild.Data == submitScript: // the one that the CSP names
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
		{"login", "login", 200, LoginPage{Username: evil, Site: &Site{Name: evil, Host: evil}, Action: "/login", LoginID: evil, SignedInAs: evil}},
		{"consent", "consent", 200, ConsentPage{Site: &Site{Name: evil, Host: evil}, User: evil, LoginID: evil, OtherURL: "javascript:alert(1)", Shares: []Share{{Text: evil, Detail: evil}},
			About: []SiteLink{{evil, "javascript:alert(1)", evil}}}},
		{"account", "account", 200, AccountPage{AccountFrame: AccountFrame{User: evil, Notice: &Notice{Title: evil, Text: evil}}, FullName: evil, Sites: []Site{{Name: evil, Host: evil}}, Look: []Look{{evil, "javascript:alert(1)", evil}}}},
		{"sites", "sites", 200, AllowedPage{Allowed: []Allowed{{ClientID: evil, Site: Site{Name: evil, Host: evil}, Shares: []Share{{Text: evil, Detail: evil}}}}}},
		{"home", "home", 200, HomePage{Sites: []MySite{{Site{Name: evil, Host: evil}, "javascript:alert(1)"}}, Query: evil, Search: true, All: 2}},
		{"sessions", "sessions", 200, SessionsPage{Sessions: []AccountSession{{ID: evil, Agent: evil, Address: evil, How: evil, Sites: []Site{{Name: evil}}}}, Devices: []AccountDevice{{ID: evil, Site: Site{Name: evil}, Address: evil, Device: true}}}},
		{"history", "history", 200, HistoryPage{Entries: []HistoryEntry{{Text: evil, Where: evil}}, OlderURL: "javascript:alert(1)"}},
		{"profile", "profile", 200, ProfilePage{From: evil, Facts: []ProfileFact{{Name: evil, Value: evil, From: evil, URL: "javascript:alert(1)", Link: evil}}}},
		{"name", "name", 400, NamePage{FullName: evil}},
		{"security", "security", 200, SecurityPage{Cards: []AccountCard{{Title: evil, State: evil, Text: evil, URL: "javascript:alert(1)", Link: evil}}}},
		{"device", "device", 404, DevicePage{User: evil, Code: evil, OtherURL: "javascript:alert(1)"}},
		{"deviceask", "deviceask", 200, DeviceAskPage{User: evil, Code: evil, Site: &Site{Name: evil, Host: evil}, Address: evil, Ago: evil, OtherURL: "javascript:alert(1)", Shares: []Share{{Text: evil, Detail: evil}}}},
		{"devicedone", "devicedone", 200, DeviceDonePage{User: evil, Site: &Site{Name: evil, Host: evil}, Allowed: true}},
		{"denied", "denied", 403, DeniedPage{User: evil, Site: &Site{Name: evil, Host: evil}}},
		{"setup", "setup", 401, SetupPage{Outcome: "yes", Principal: evil, Name: evil, Mechanism: evil}},
		{"denied-form", "denied", 403, DeniedPage{BackURL: "https://wiki.example.com/", BackFields: map[string]string{evil: evil}}},
		{"formpost", "formpost", 200, FormPostPage{Site: &Site{Name: evil, Host: evil}, Action: "javascript:alert(1)", Fields: map[string]string{evil: evil}}},
		{"logout", "logout", 200, LogoutPage{User: evil, Fields: map[string]string{"state": evil}}},
	} {
		body := show(t, newPages(t), s).Body.String()
		body = strings.Replace(body, "<script>"+submitScript+"</script>", "", 1)
		if strings.Contains(body, "<script>") || strings.Contains(body, `="javascript:`) {
			t.Errorf("%s shows markup of a visitor", s.Name)
		}
	}
}

// The page that posts to a relying party: its script runs by its hash and no other
// does, it may post anywhere, and tells the site no more of us than where we are.
func TestFormPostPageRunsOneScriptAndPostsToTheSite(t *testing.T) {
	w := show(t, newPages(t), state{Page: "formpost", Status: 200, Data: FormPostPage{Action: "https://wiki.example.com/cb?x=1&y=2", Fields: map[string]string{"code": "c<o>de"}}})
	script := regexp.MustCompile(`<script>(.*)</script>`).FindStringSubmatch(w.Body.String())
	if script == nil {
		t.Fatalf("no inline script: %s", w.Body)
	}
	sum := sha256.Sum256([]byte(script[1]))
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "script-src 'self' 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';") || strings.Contains(policy, "form-action") || strings.Contains(policy, "unsafe") {
		t.Errorf("CSP %q for the script %q", policy, script[1])
	}
	if w.Header().Get("Referrer-Policy") != "origin" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Cross-Origin-Opener-Policy") != "" {
		t.Errorf("headers %v", w.Header())
	}
	for _, want := range []string{`action="https://wiki.example.com/cb?x=1&amp;y=2"`, `name="code" value="c&lt;o&gt;de"`, `<button class="primary" type="submit">`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is not in %s", want, w.Body)
		}
	}
}

func TestAccentIsReadable(t *testing.T) {
	for _, c := range []string{"#ffff00", "#000000", "#ffffff", "#0b5fff", "#888888", "#ff0000", "#00ff7f"} {
		accent, err := parseAccent(c)
		if err != nil {
			t.Fatal(err)
		}
		if light := accent.onLight(); contrast(light, white) < 4.5 || contrast(light, lightGround) < 4.5 {
			t.Errorf("%s on white: %.2f, on the ground: %.2f", c, contrast(light, white), contrast(light, lightGround))
		}
		dark := accent.onDark()
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

func TestANodeWithAnotherReleaseServesItsOwnStyleSheetUnkept(t *testing.T) {
	p := newPages(t)
	get := func(path, ifNoneMatch string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", ifNoneMatch)
		w := httptest.NewRecorder()
		p.Static().ServeHTTP(w, r)
		return w
	}
	w := get("/static/idp.000000000000.css", "")
	if w.Code != 200 || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("%d %q, want our style sheet, not to be kept", w.Code, w.Header().Get("Cache-Control"))
	}
	if w := get(p.css, w.Header().Get("Etag")); w.Code != http.StatusNotModified {
		t.Errorf("%d, want 304 for the same content", w.Code)
	}
	for _, path := range []string{"/static/", "/static/embed.go", "/static/idp.css", "/static/a.b.c"} {
		if w := get(path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, w.Code)
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
		"directly":                        {"10.0.0.1:1", nil, "10.0.0.1", false},
		"trusted, and names nobody":       {"192.0.2.1:1", nil, "192.0.2.1", true},
		"mapped IPv4":                     {"[::ffff:10.0.0.1]:1", nil, "10.0.0.1", false},
		"stranger forwards":               {"10.0.0.1:1", http.Header{"X-Forwarded-For": {"10.0.0.2"}}, "10.0.0.1", true},
		"stranger, other header":          {"10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"https"}}, "10.0.0.1", true},
		"trusted":                         {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"10.0.0.2"}}, "10.0.0.2", false},
		"trusted, client lies":            {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"10.0.0.9, 203.0.113.5"}}, "203.0.113.5", false},
		"two proxies":                     {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"203.0.113.5", "192.0.2.2"}}, "203.0.113.5", false},
		"RFC 7239":                        {"192.0.2.1:1", http.Header{"Forwarded": {`for="[2001:db8::1]:80";proto=https`}}, "2001:db8::1", false},
		"client lies by the other header": {"192.0.2.1:1", http.Header{"Forwarded": {"for=10.0.0.2"}, "X-Forwarded-For": {"203.0.113.5"}}, "203.0.113.5", true},
		"both headers agree":              {"192.0.2.1:1", http.Header{"Forwarded": {"for=10.0.0.2"}, "X-Forwarded-For": {"10.0.0.2"}}, "10.0.0.2", false},
		"trusted, but not for whom":       {"192.0.2.1:1", http.Header{"X-Forwarded-Proto": {"https"}}, "192.0.2.1", true},
		"with a port":                     {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"10.0.0.2:4711"}}, "10.0.0.2", false},
		"too many hops":                   {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"10.0.0.2" + strings.Repeat(",192.0.2.9", 100)}}, "192.0.2.9", true},
		"too long":                        {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"10.0.0.2" + strings.Repeat(" ", 5000)}}, "192.0.2.1", true},
		"stranger names the real one":     {"10.0.0.1:1", http.Header{"X-Real-Ip": {"10.0.0.2"}}, "10.0.0.1", true},
		"nonsense from a trusted peer":    {"192.0.2.1:1", http.Header{"X-Forwarded-For": {"10.0.0.1, unknown"}}, "192.0.2.1", true},
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
		if len(r.Header) != 1 || r.Header.Get("Accept") == "" {
			t.Errorf("arrived: %v, want Accept alone", r.Header)
		}
		return nil
	})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = http.Header{"Accept": {"*/*"}, "Forwarded": {"for=10.0.0.1"}}
	for _, name := range []string{"Remote-User", "Remote_user", "REMOTE_GROUPS", "remote-email", "X-Remote-User", "X-Forwarded-User", "X_forwarded_for", "X-Auth-Request-User", "X-Webauth-User", "X-Forwarded-For"} {
		r.Header[name] = []string{"a"}
	}
	h.ServeHTTP(httptest.NewRecorder(), r)
}

func TestStrangersAreLoggedOnce(t *testing.T) {
	var log strings.Builder
	h := chainFor(t, &log, func(http.ResponseWriter, *http.Request) error { return nil })
	for range 3 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Forwarded-For", "10.0.0.1")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if n := strings.Count(log.String(), "trusted_proxies"); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, log.String())
	}
}

func TestNothingTypedPassesForAnotherLogLine(t *testing.T) {
	got := Loggable("a\nlevel=ERROR\x00\xff" + strings.Repeat("x", 2000))
	if strings.ContainsAny(got, "\n\x00") || len(got) > maxLogged+8 {
		t.Errorf("%d bytes: %q…", len(got), got[:40])
	}
	for in, want := range map[string]string{
		"a\u0085b": "a?b", "a\u2028b": "a?b", "a\u202eb": "a?b", "a\x1b[31mb": "a?[31mb", "a\xffb": "a?b", "Ælfrēd ok": "Ælfrēd ok",
	} {
		if got := Loggable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// errors.Join and the list of KDCs that were tried have lines of their own.
func TestADetailOfSeveralLinesStaysReadable(t *testing.T) {
	x := &exchange{Context: t.Context()}
	x.info.Detail, x.info.Err = "a\nb", errors.Join(errors.New("c"), errors.New("d"))
	got := ""
	for _, a := range attributes(x, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), 0) {
		if a.Key == "detail" || a.Key == "err" {
			got += a.String() + " "
		}
	}
	if want := "detail=a; b err=c; d "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("for=192.0.2.1", "192.0.2.1, ::1")
	f.Add(`for="[::1]:`, ",,,")
	f.Add(`for="[2001:db8::1%25eth0]:80";for=a`, "10.0.0.1:99999")
	inside := netip.MustParsePrefix("10.0.0.0/8")
	p := &proxies{trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, log: slog.New(slog.DiscardHandler)}
	f.Fuzz(func(t *testing.T, forged, xff string) {
		// Whatever a client sends: the proxy adds the client's own address.
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
		r.RemoteAddr = "192.0.2.1:1"
		r.Header = http.Header{"Forwarded": {forged}, "X-Forwarded-For": {xff + ", 203.0.113.5"}}
		var info Info
		p.identify(r, &info)
		if inside.Contains(info.Client) && !info.Outside {
			t.Errorf("an address outside became %s", info.Client)
		}
	})
}

// BenchmarkChain is a small answer behind the whole chain, its log line included.
func BenchmarkChain(b *testing.B) {
	p := newPages(b)
	body := []byte("{}")
	mux := http.NewServeMux()
	mux.Handle("GET /jwks", p.Handle(func(w http.ResponseWriter, _ *http.Request) error { _, err := w.Write(body); return err }))
	r := httptest.NewRequest(http.MethodGet, "/jwks", nil)
	r.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"bench"}, "Accept-Encoding": {"gzip"}, "Authorization": {"Bearer x"}}
	config := ChainConfig{Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), Pages: p, Issuer: "https://sso.example.com"}
	counted, m := config, metrics.New(metrics.Config{})
	counted.Count = func(a Answered) { m.Request(a.Route, a.Method, a.Status, a.Took) }
	for name, h := range map[string]http.Handler{"bare": mux, "chain": Chain(mux, config), "counted": Chain(mux, counted)} {
		b.Run(name, func(b *testing.B) {
			w := &blackhole{h: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.h)
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkLoginPage renders the page that is asked for most.
func BenchmarkLoginPage(b *testing.B) {
	p, s := newPages(b), states()[1]
	r := httptest.NewRequest(http.MethodGet, "/login", nil)
	w := &blackhole{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Render(w, r, s.Status, s.Page, s.Data); err != nil {
			b.Fatal(err)
		}
	}
}

// blackhole is a ResponseWriter that costs nothing.
type blackhole struct{ h http.Header }

func (w *blackhole) Header() http.Header       { return w.h }
func (*blackhole) Write(p []byte) (int, error) { return len(p), nil }
func (*blackhole) WriteHeader(int)             {}
