package forwardauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// answer is what a proxy got.
type answer struct {
	*http.Response
	body string
}

// put asks on behalf of a client that sends these headers beside those of its proxy.
func (p *site) put(t *testing.T, header http.Header) answer {
	t.Helper()
	return read(t, p.ask(t.Context(), header))
}

func read(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(body)}
}

func (a answer) wants(t *testing.T, what string, status int, reason string) {
	t.Helper()
	if a.StatusCode != status || a.Header.Get("Idp-Reason") != reason {
		t.Errorf("%s: %d %s, want %d %s\n%s", what, a.StatusCode, a.Header.Get("Idp-Reason"), status, reason, a.body)
	}
}

// headers of a request for a page of the site, as nginx says it.
func asNginx(p *site, path string, more ...string) http.Header {
	return with(http.Header{"X-Original-Url": {p.URL + path}, "X-Original-Method": {"GET"}}, more...)
}

// the same as Traefik and Caddy say it.
func asTraefik(p *site, path string, more ...string) http.Header {
	return with(http.Header{"X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {strings.TrimPrefix(p.URL, "http://")}, "X-Forwarded-Uri": {path}, "X-Forwarded-Method": {"GET"}}, more...)
}

func with(h http.Header, more ...string) http.Header {
	for i := 0; i < len(more); i += 2 {
		h[http.CanonicalHeaderKey(more[i])] = append(h[http.CanonicalHeaderKey(more[i])], more[i+1])
	}
	return h
}

// siteCookie is bob's cookie of the site, as his browser sends it.
func siteCookie(t testing.TB, b *idptest.Browser, p *site) string {
	t.Helper()
	for _, c := range b.CookiesAt(p.URL) {
		if c.Name == "idp_site" {
			return c.Name + "=" + c.Value
		}
	}
	t.Fatal("the site's cookie is not there")
	return ""
}

func TestAdapters(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	cookie := siteCookie(t, bobAt(t, s, p), p)
	envoy := http.Header{"X-Forwarded-Proto": {"http"}, "Host": {strings.TrimPrefix(p.URL, "http://")}}
	for name, a := range map[string]answer{
		"nginx":   p.put(t, asNginx(p, "/x?y", "Cookie", cookie)),
		"traefik": p.put(t, asTraefik(p, "/x?y", "Cookie", cookie)),
		"envoy":   read(t, p.askAt(t.Context(), "POST", "/forward-auth/x/./y?z", with(envoy.Clone(), "Cookie", cookie))),
	} {
		a.wants(t, name, http.StatusOK, "")
	}
	page := []string{"Accept", "text/html"}
	if a := read(t, p.askAt(t.Context(), "GET", "/forward-auth/x?y=1", with(envoy.Clone(), page...))); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != p.URL+"/.idp/start?to=%2Fx%3Fy%3D1" {
		t.Errorf("envoy: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	read(t, p.askAt(t.Context(), "GET", "/forward-auth/public/../admin/", with(envoy.Clone(), "Cookie", cookie))).wants(t, "envoy", http.StatusForbidden, "NOT_ALLOWED")
	for name, c := range map[string]struct {
		path   string
		status int
	}{"nginx": {"/forward-auth", 401}, "traefik": {"/forward-auth?redirect", 303}} {
		a := read(t, p.askAt(t.Context(), "GET", c.path, asTraefik(p, "/x?y=1&z=%2F", page...)))
		want := p.URL + "/.idp/start?to=" + url.QueryEscape("/x?y=1&z=%2F")
		if a.StatusCode != c.status || a.Header.Get("Location") != want {
			t.Errorf("%s: %d %q, want %d %q", name, a.StatusCode, a.Header.Get("Location"), c.status, want)
		}
	}
}

// Programs get no redirect, and are told why; what is no browser is asked for what it
// can show.
func TestPrograms(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	for name, c := range map[string]struct {
		method string
		header []string
		asked  bool
	}{
		"curl":           {"GET", []string{"Accept", "*/*"}, true},
		"no headers":     {"GET", nil, true},
		"HEAD":           {"HEAD", []string{"Accept", "text/html"}, true},
		"POST":           {"POST", []string{"Accept", "text/html"}, true},
		"range":          {"GET", []string{"Range", "bytes=0-1"}, true},
		"fetch":          {"GET", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"}, false},
		"frame":          {"GET", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Accept", "text/html"}, false},
		"image":          {"GET", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
		"preflight":      {"OPTIONS", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET"}, false},
		"websocket":      {"GET", []string{"Origin", "https://reports.localhost", "Upgrade", "websocket", "Accept", "text/html"}, false},
		"XMLHttpRequest": {"GET", []string{"X-Requested-With", "XMLHttpRequest", "Accept", "text/html"}, false},
	} {
		h := asNginx(p, "/x", c.header...)
		h.Set("X-Original-Method", c.method)
		a := p.put(t, h)
		a.wants(t, name, http.StatusUnauthorized, "LOGIN_REQUIRED")
		var told struct{ Error, Reason string }
		if err := json.Unmarshal([]byte(a.body), &told); err != nil || told.Error != "login_required" || told.Reason != "LOGIN_REQUIRED" {
			t.Errorf("%s: %v %q", name, err, a.body)
		}
		if a.Header.Get("Location") != "" || a.Header.Get("Refresh") != "" {
			t.Errorf("%s is sent to %s", name, a.Header.Get("Location"))
		}
		if got := a.Header.Get("WWW-Authenticate") != ""; got != c.asked {
			t.Errorf("%s: asked %v, want %v", name, got, c.asked)
		}
	}
}

func TestHoleAskedByAStranger(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	cookie := siteCookie(t, bobAt(t, s, p), p)
	b := s.Browser(t) // comes from 127.0.0.1
	got := b.Once(http.MethodGet, "/forward-auth", nil, asNginx(p, "/", "Cookie", cookie))
	answer{got.Response, got.Body}.wants(t, "a stranger", http.StatusForbidden, "PROXY_NOT_TRUSTED")
	if got := b.Once(http.MethodGet, "/.idp/start?to=/", nil, asTraefik(p, "/")); got.StatusCode != http.StatusForbidden {
		t.Errorf("start: %d", got.StatusCode)
	}
}

// A client plants the headers that its proxy does not set itself.
func TestHoleForwardedHeadersOfTheClient(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	cookie := siteCookie(t, bobAt(t, s, p), p)
	for name, h := range map[string]http.Header{
		"another path":      asNginx(p, "/admin/", "X-Forwarded-Uri", "/public/"),
		"another path 2":    asTraefik(p, "/admin/", "X-Original-Url", p.URL+"/public/"),
		"another host":      asNginx(p, "/", "X-Forwarded-Host", "open.localhost"),
		"another scheme":    asNginx(p, "/", "X-Forwarded-Proto", "https"),
		"another method":    asNginx(p, "/", "X-Forwarded-Method", "OPTIONS"),
		"twice":             asNginx(p, "/", "X-Original-Url", p.URL+"/"),
		"twice by two":      asTraefik(p, "/", "X-Forwarded-Host", "open.localhost"),
		"absolute form":     asTraefik(p, "http://open.localhost/"),
		"asterisk":          asTraefik(p, "*"),
		"no path":           {"X-Original-Url": {p.URL}, "X-Original-Method": {"GET"}},
		"no method":         {"X-Original-Url": {p.URL + "/"}},
		"nothing":           {},
		"user in the host":  {"X-Original-Url": {"http://reports.localhost@open.localhost/"}, "X-Original-Method": {"GET"}},
		"user in the host2": {"X-Original-Url": {"http://open.localhost@reports.localhost/"}, "X-Original-Method": {"GET"}},
	} {
		reason := "CONTRADICTORY"
		if strings.HasPrefix(name, "user in") {
			reason = "UNKNOWN_SITE"
		}
		a := p.put(t, with(h, "Cookie", cookie))
		a.wants(t, name, http.StatusForbidden, reason)
		if a.Header.Get("Remote-User") != "" {
			t.Errorf("%s: it is told of %q", name, a.Header.Get("Remote-User"))
		}
	}
	for host, reason := range map[string]string{
		"http://other.localhost/": "UNKNOWN_SITE", "http://reports.localhost.evil.example/": "UNKNOWN_SITE", "http://idp.localhost/": "UNKNOWN_SITE",
		"ftp://reports.localhost/": "INSECURE", "http://reports.localhost:80:90/": "UNKNOWN_SITE", "http://reports.localhost:/": "UNKNOWN_SITE", "http://reports.localhost./": "UNKNOWN_SITE",
	} {
		p.put(t, http.Header{"X-Original-Url": {host}, "X-Original-Method": {"GET"}, "Cookie": {cookie}}).wants(t, host, http.StatusForbidden, reason)
	}
}

// A group whose name holds the separator reads as two others; a site that is not to know
// of a group is not told of it.
func TestHoleGroupsInAHeader(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites + "    tell_groups: [\"part*\", \"a,admins\"]\n", Users: "  - {name: eve, password_file: bob.txt, groups: [\"a,admins\", partners, secret]}\n"})
	p := protect(t, s, "open.localhost")
	b := browser(t, s, p)
	got := b.LogIn(b.Get(p.URL+"/"), "eve", idptest.BobPassword)
	if groups := got.Header.Get("Remote-Groups"); groups != "partners" {
		t.Errorf("groups %q", groups)
	}
}

func TestHolePathTricks(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	cookie := siteCookie(t, bobAt(t, s, p), p)
	for _, path := range []string{
		"/admin", "/admin/", "/admin/x", "/admin?public/", "/public/../admin/", "/public/%2e%2e/admin/", "/public/.%2e/admin/", "/public%2f..%2fadmin/", "//admin/", "///admin//x",
		"/./admin/", "/admin;x/", "/;/admin/", "/public/..;/admin/", "/ADMIN/", "/Admin", "/%61dmin/", "/%2561dmin/", `/public\..\admin/`, "/public/%5c..%5c..%5cadmin/", "/x/%252e%252e/admin/",
		"/admin/../admin/", "/public/..%2f..%2fadmin", "/admin/.", "/admin/../public/", "/admin#x", "/admin%23x", "/admin%3fx", "/public/..#", "/%41dmin/", "/ａｄｍｉｎ/",
	} {
		a := p.put(t, asNginx(p, path, "Cookie", cookie))
		if a.StatusCode != http.StatusForbidden || a.Header.Get("Remote-User") != "" {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.Header.Get("Remote-User"))
		}
	}
	for _, path := range []string{"/", "/administration", "/x%2fy", "/x;y", "/A/b", "/public/"} {
		if a := p.put(t, asNginx(p, path, "Cookie", cookie)); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.Header.Get("Idp-Reason"))
		}
	}
	for _, path := range []string{"/%00", "/public/%00/../admin", "/%c0%ae%c0%ae/admin"} {
		p.put(t, asNginx(p, path, "Cookie", cookie)).wants(t, path, http.StatusForbidden, "PATH_AMBIGUOUS")
	}
	// And nobody is let in without a login by a path that is also read as an open one.
	p.put(t, asNginx(p, "/reports/../public/")).wants(t, "not logged in", http.StatusUnauthorized, "LOGIN_REQUIRED")
}

func TestNetworks(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	cookie := siteCookie(t, bobAt(t, s, p), p)
	p.put(t, asNginx(p, "/inside/", "Cookie", cookie)).wants(t, "outside", http.StatusForbidden, "NETWORK")
	if a := p.put(t, asNginx(p, "/inside/", "Cookie", cookie, "X-Forwarded-For", "10.1.2.3")); a.StatusCode != http.StatusOK {
		t.Errorf("inside: %d", a.StatusCode)
	}
	p.put(t, asNginx(p, "/inside/", "Cookie", cookie, "X-Forwarded-For", "10.1.2.3, 192.0.2.1")).wants(t, "planted", http.StatusForbidden, "NETWORK")
}

// The site's own cookies pass, ours do not; two of ours are one too many.
func TestCookies(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	cookie := siteCookie(t, bobAt(t, s, p), p)
	a := p.put(t, asNginx(p, "/", "Cookie", "a=1; "+cookie+"; __Host-idp_site=x; idp_start=y; my_idp_site=z; c=1, __Host-idp_start=y; idp_start =y; b=2"))
	if a.StatusCode != http.StatusOK || a.Header.Get("Cookie") != "a=1; my_idp_site=z; b=2" {
		t.Errorf("%d, and the site gets %q", a.StatusCode, a.Header.Get("Cookie"))
	}
	p.put(t, asNginx(p, "/", "Cookie", cookie+"; idp_site=planted")).wants(t, "two", http.StatusForbidden, "COOKIE")
}

func TestHoleSiteCookieForgedOrOfAnotherHost(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	cookie := siteCookie(t, bobAt(t, s, p), p)
	other := protect(t, s, "open.localhost")
	other.put(t, asNginx(other, "/", "Cookie", cookie)).wants(t, "another host", http.StatusUnauthorized, "LOGIN_REQUIRED")
	grant, _, _ := strings.Cut(cookie, ".")
	for _, forged := range []string{grant, grant + ".", grant + "." + strings.Repeat("A", 43), cookie + "A", cookie + "=", "idp_site=.", "idp_site=" + strings.Repeat("A", 100_000)} {
		p.put(t, asNginx(p, "/", "Cookie", forged)).wants(t, forged[:min(len(forged), 90)], http.StatusUnauthorized, "LOGIN_REQUIRED")
	}
}

// The page that refuses a site looks as others do: what it is drawn with is there for
// everybody, whoever's proxy asks.
func TestPagesOfStrangersHaveTheirStyle(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: sites})
	b := s.Browser(t) // comes from 127.0.0.1
	get := func(path string) answer {
		got := b.Once(http.MethodGet, path, nil, http.Header{"Accept": {"text/html"}})
		return answer{got.Response, got.Body}
	}
	page := get("/.idp/start?to=/") // not from the proxy that is trusted
	_, rest, _ := strings.Cut(page.body, `<link rel="stylesheet" href="`)
	style, _, _ := strings.Cut(rest, `"`)
	if page.StatusCode != http.StatusForbidden || !strings.HasPrefix(style, "/.idp/static/") {
		t.Fatalf("%d %v, style %q\n%s", page.StatusCode, page.Header, style, page.body)
	}
	if file := get(style); file.StatusCode != http.StatusOK || !strings.HasPrefix(file.Header.Get("Content-Type"), "text/css") {
		t.Errorf("%s: %d %v", style, file.StatusCode, file.Header)
	}
}
