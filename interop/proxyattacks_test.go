//go:build interop

package interop_test

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"idp/internal/idptest"
)

// Whatever a client writes, the application is told of the user who has logged in,
// and of nobody else, at each proxy as deploy/proxies/ ships it.
func TestHoleProxies(t *testing.T) { attack(t, proxies) }

func attack(t *testing.T, proxies []proxy) {
	everyProxy(t, proxies, func(t *testing.T, b *behind) {
		bob, _ := b.logsIn(t, "bob", "/")
		ada, _ := b.logsIn(t, "ada", "/")
		a := &attacks{behind: b, bob: b.cookies(t, bob), ada: b.cookies(t, ada)}
		for _, class := range []struct {
			name string
			run  func(*attacks, *testing.T)
		}{
			{"identity headers", (*attacks).identityHeaders},
			{"forwarding headers", (*attacks).forwardingHeaders},
			{"hosts", (*attacks).hosts},
			{"paths", (*attacks).paths},
			{"our paths", (*attacks).ourPaths},
			{"redirects", (*attacks).redirects},
			{"cookies", (*attacks).cookieTossing},
			{"framing", (*attacks).framing},
			{"connection", (*attacks).connection},
			{"issuer's host", (*attacks).issuersHost},
			{"HTTP/2", (*attacks).http2Frames}, // last: what of it comes late is nobody else's
		} {
			t.Run(class.name, func(t *testing.T) { class.run(a, t) })
		}
	})
}

// attacks are sent as bytes; bob and ada are the Cookie headers of their sessions.
type attacks struct {
	*behind
	bob, ada string
}

// send sends a request with header lines of the attacker's, and looks at all that
// reached the application: as the user who has logged in, or nobody. It reports
// the status of the answer, 0 for none, and what arrived.
func (a *attacks) send(t *testing.T, line, user string, headers ...string) (status int, got []heard) {
	t.Helper()
	return a.bytes(t, line+"\r\nHost: "+a.host()+"\r\n"+a.lines(user, headers)+"\r\n", user)
}

func (a *attacks) lines(user string, headers []string) (out string) {
	if cookie := map[string]string{"bob": a.bob, "ada": a.ada}[user]; cookie != "" {
		out = "Cookie: " + cookie + "\r\n"
	}
	for _, h := range headers {
		out += h + "\r\n"
	}
	return out
}

func (a *attacks) bytes(t *testing.T, request, user string) (status int, got []heard) {
	t.Helper()
	a.app.take()
	resp, c := a.raw(t, request)
	if resp != nil {
		status = resp.StatusCode
		if status != http.StatusSwitchingProtocols {
			idptest.ReadAll(t, resp)
		}
	}
	_ = c.Close()
	got = a.app.take()
	for _, h := range got {
		a.judge(t, h, user)
		if t.Failed() {
			t.Fatalf("after\n%q\nthe application got\n%s\n%s", request, h.Line, strings.Join(h.Headers, "\n"))
		}
	}
	return status, got
}

// identity are the names of what only idp may say to the application.
var identity = []string{"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "Remote-Assertion"}

// othersNames are names by which other proxies tell applications who asks, for what, and
// over what: to the application they are as good as ours.
var othersNames = []string{"X-Remote-User", "X-Remote-Name", "X-Remote-Email", "X-Remote-Group", "X-Remote-Groups",
	"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Access-Token", "X-Auth-Request-Redirect",
	"X-WebAuth-User", "X-WebAuth-Name", "X-WebAuth-Email", "X-WebAuth-Groups", "X-WebAuth-Role",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
	"X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Original-URI", "X-Original-Host"}

// placesNames are names from which applications read an address, a host or a path: the
// first two come before X-Forwarded-For in some. By the last two Rack and Plack let the
// proxy deliver a file from another path (CVE-2025-61780, CVE-2026-7381).
var placesNames = []string{"True-Client-IP", "Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "CF-Connecting-IP", "X-Host", "X-HTTP-Host-Override", "X-Scheme", "X-Script-Name",
	"X-Sendfile-Type", "X-Accel-Mapping"}

// arrivesOnce sends a request that may arrive.
func (a *attacks) arrivesOnce(t *testing.T, path, user string, headers ...string) {
	t.Helper()
	if status, got := a.send(t, "GET "+path+" HTTP/1.1", user, headers...); len(got) != 1 {
		t.Errorf("%s as %q with %q: %d, and %d requests arrived", path, user, headers, status, len(got))
	}
}

// Traefik is not run by make interop (TestTraefik is run by hand): its file at least
// lists the names.
func TestHoleTraefikKeepsNames(t *testing.T) {
	text, err := os.ReadFile("../deploy/proxies/traefik/reports.yaml")
	must(t, err)
	pattern := regexp.MustCompile(`authResponseHeadersRegex: >-\n +(.*)`).FindSubmatch(text)
	if pattern == nil {
		t.Fatal("the file has no list")
	}
	deleted := regexp.MustCompile(string(pattern[1]))
	for _, name := range slices.Concat(othersNames, placesNames, identity) {
		if !deleted.MatchString(name) {
			t.Errorf("%s of the client's goes through", name)
		}
	}
	for _, name := range []string{"Accept", "X-Requested-With", "Origin"} {
		if deleted.MatchString(name) {
			t.Errorf("%s is deleted", name)
		}
	}
}

// clean fails the test when a request that has reached the application carries
// what is ours, or what a client may not say.
func (b *behind) clean(t *testing.T, h heard) {
	t.Helper()
	if c := "; " + strings.Join(h.all("Cookie"), "; "); strings.Contains(c, "__Host-idp_") || strings.Contains(c, "; idp_") {
		t.Errorf("our cookie has reached the application: %q", h.all("Cookie"))
	}
	for _, name := range slices.Concat(othersNames, placesNames, []string{"Authorization", "Proxy-Authorization", "Forwarded", "X-Original-URL", "X-Original-Method", "X-Rewrite-URL", "Proxy"}) {
		if got := h.all(name); got != nil {
			t.Errorf("%s has reached the application: %q", name, got)
		}
	}
	if !strings.HasPrefix(h.target(), "/") {
		t.Errorf("the application got %q, which is no path", h.target())
	}
	if got := h.all("X-Envoy-Original-Path"); got != nil && b.proxy.name == "envoy" {
		t.Errorf("the application got X-Envoy-Original-Path %q", got)
	}
	for name, want := range map[string]string{"Host": b.host(), "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": b.host()} {
		if got := h.all(name); !slices.Equal(got, []string{want}) {
			t.Errorf("the application got %s %q, want %q", name, got, want)
		}
	}
	for _, name := range identity {
		if got := h.all(name); len(got) > 1 || slices.Contains(got, "") {
			t.Errorf("the application got %s %q", name, got)
		}
	}
}

// judge fails the test when a request should not have reached the application as
// it did: as another user, or at a path that this user may not see, however the
// application reads it. Whoever has a session may arrive as nobody, where nobody may.
func (a *attacks) judge(t *testing.T, h heard, user string) {
	t.Helper()
	if h.all("Remote-User") == nil {
		user = ""
	}
	a.names(t, h, user)
	for _, name := range []string{"Remote-Name", "Remote-Email", "Remote-Groups", "Remote-Assertion"} {
		if got := h.all(name); user == "" && got != nil || strings.Contains(strings.Join(got, " "), "mallory") {
			t.Errorf("%s %q", name, got)
		}
	}
	for _, p := range readings(h.target()) {
		if strings.HasPrefix(p+"/", "/admin/") && user != "ada" {
			t.Errorf("%s can be read as %s, which is not for %q", h.target(), p, user)
		}
		if !strings.HasPrefix(p, "/public/") && user == "" {
			t.Errorf("%s can be read as %s, which is not for everybody", h.target(), p)
		}
	}
}

// readings are the paths that applications may take a target for: decoded once or
// twice, in lower case, without path parameters, with slashes for backslashes, cut
// at a null byte, "#", "?" or ";", with dots resolved, as references to another place.
func readings(target string) []string {
	raw := cutAt("?")(target)
	if _, rest, ok := strings.Cut(raw, "://"); ok {
		raw = "/" + strings.SplitN(rest+"/", "/", 2)[1]
	}
	out := []string{raw}
	steps := []func(string) string{
		func(p string) string {
			if d, err := url.PathUnescape(p); err == nil {
				return d
			}
			return p
		},
		func(p string) string { return strings.ReplaceAll(p, "\\", "/") },
		strings.ToLower,
		func(p string) string {
			segments := strings.Split(p, "/")
			for i := range segments {
				segments[i], _, _ = strings.Cut(segments[i], ";")
			}
			return strings.Join(segments, "/")
		},
		cutAt("\x00"), cutAt("#"), cutAt("?"), cutAt(";"),
		func(p string) string { // of a reference: a host behind two slashes, dots to the letter, escaped slashes left alone
			if u, err := (&url.URL{Path: "/"}).Parse(p); err == nil && u.Path != "" {
				return u.EscapedPath()
			}
			return p
		},
		func(p string) string {
			slash := strings.HasSuffix(p, "/")
			if p = path.Clean("/" + p); slash && p != "/" {
				p += "/"
			}
			return p
		},
	}
	// Every order of them: until nothing new comes.
	for i := 0; i < len(out) && len(out) < 1000; i++ {
		for _, step := range steps {
			if p := step(out[i]); !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

func cutAt(mark string) func(string) string {
	return func(p string) string { p, _, _ = strings.Cut(p, mark); return p }
}

func (a *attacks) identityHeaders(t *testing.T) {
	for _, name := range []string{"Remote-User", "remote-user", "Remote_User", "REMOTE_USER", "remote_user", "REMOTE-USER", "ReMoTe_uSeR", "Remote-Groups", "Remote_Groups",
		"Remote-Name", "Remote_Name", "Remote-Email", "Remote_Email", "Remote-Assertion", "Remote_Assertion", "Authorization", "Proxy-Authorization",
		"X_Remote_User", "X-WEBAUTH-USER", "X-WebAuth_User", "x_auth_request_user", "x-forwarded-email"} {
		header := name + ": mallory"
		a.send(t, "GET /reports/ HTTP/1.1", "", header)
		for _, line := range []string{"GET /public/ HTTP/1.1", "POST /reports/ HTTP/1.1"} {
			user := map[bool]string{true: "", false: "bob"}[strings.Contains(line, "public")]
			status, got := a.send(t, line, user, header, "Content-Length: 0")
			if status != http.StatusOK || len(got) != 1 {
				t.Errorf("%s with %q: %d, want it to arrive without", line, header, status)
			}
			a.send(t, line, user, header, header, "Content-Length: 0")
			a.send(t, line, user, header, name+": ada", "Content-Length: 0")
		}
	}
	// Those of other proxies, all at once.
	var lines []string
	for _, name := range slices.Concat(othersNames, placesNames) {
		lines = append(lines, name+": mallory")
	}
	a.arrivesOnce(t, "/reports/", "bob", lines...)
	a.arrivesOnce(t, "/public/", "", lines...)
	// What Envoy itself would obey: an answer within a millisecond, or none.
	a.arrivesOnce(t, "/reports/", "bob", "X-Envoy-Upstream-Rq-Timeout-Ms: 1", "X-Envoy-Original-Path: /admin/", "X-Envoy-Retry-On: 5xx")
	// Names that are none: refused, or not passed on.
	for _, name := range []string{"Remote-User ", "Remote-User\t", " Remote-User", "\tRemote-User", "Remote-User\x00", "Remote\x00-User", "Remote.User", "Remote User", "Remote-User\x0b",
		"Remote-User\xa0", "Remote\xe2\x80\x90User", "Remote-User:", "(Remote-User)", "Remote\rUser", "X: y\nRemote-User", "X: y\rRemote-User", "Remote-Use\xc5\x99", "Remote~User", "Remote+User", "Remote$User"} {
		for _, user := range []string{"", "bob"} {
			line := "GET /reports/ HTTP/1.1"
			if user == "" {
				line = "GET /public/ HTTP/1.1"
			}
			a.send(t, line, user, name+": mallory")
			a.send(t, line, user, "X-Before: 1", name+": mallory", "X-After: 1")
		}
	}
	// In HTTP/2 names may have any byte that is no upper-case letter.
	for _, name := range []string{"remote-user", "remote_user", "Remote_User", "remote_groups", "remote-assertion"} {
		v := a.visitor(t)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+"/public/", nil)
		must(t, err)
		req.Header[name] = []string{"mallory", "ada"}
		resp, err := v.http.Do(req)
		must(t, err)
		idptest.ReadAll(t, resp)
		for _, h := range a.app.take() {
			a.judge(t, h, "")
		}
	}
}

func (a *attacks) forwardingHeaders(t *testing.T) {
	for _, header := range []string{"X-Forwarded-For: 10.1.2.3", "X-Forwarded-For: 10.1.2.3, 127.0.0.1", "X_Forwarded_For: 10.1.2.3", "X-Forwarded_For: 10.1.2.3", "X-Real-IP: 10.1.2.3", "Forwarded: for=10.1.2.3;host=open.localhost;proto=http",
		"X-Forwarded-Host: open.localhost", "X_Forwarded_Host: open.localhost", "X-Forwarded-Proto: http", "X-Forwarded-Uri: /public/", "X-Forwarded-Method: OPTIONS", "X-Forwarded-Port: 80", "X-Forwarded-Prefix: /public",
		"X-Forwarded-Server: open.localhost", "X-Forwarded-User: mallory", "X-Original-URL: https://open.localhost/", "X-Original-URL: /admin/", "X-Original-Method: OPTIONS", "X-Rewrite-URL: /admin/", "X_Original_URL: /admin/", "Proxy: http://mallory.example"} {
		for _, user := range []string{"", "bob"} {
			for _, target := range []string{"/reports/", "/admin/", "/public/"} {
				status, got := a.send(t, "GET "+target+" HTTP/1.1", map[bool]string{true: "", false: user}[target == "/public/"], header)
				if want := user != "" && target == "/reports/" || target == "/public/"; want != (len(got) == 1) {
					t.Errorf("%q at %s as %q: %d, and %d requests arrived", header, target, user, status, len(got))
				}
				for _, h := range got {
					for _, name := range []string{"X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-User"} {
						if got := h.all(name); strings.Contains(strings.Join(got, ""), strings.SplitN(header, ": ", 2)[1]) {
							t.Errorf("the application got %s %q of the client's", name, got)
						}
					}
					if got := h.get("X-Real-IP"); got != "" && got != "127.0.0.1" {
						t.Errorf("the application got X-Real-IP %q", got)
					}
				}
			}
		}
	}
	// The application lets the proxy deliver what it answers, from where the client says.
	a.arrivesOnce(t, "/public/report", "", "X-Sendfile-Type: X-Accel-Redirect", "X-Accel-Mapping: /public/=/admin/")
	// Both families at once, as a whole.
	a.send(t, "GET /admin/ HTTP/1.1", "bob", "X-Original-URL: https://site.localhost/public/", "X-Original-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: site.localhost", "X-Forwarded-Uri: /public/", "X-Forwarded-Method: GET")
}

func (a *attacks) hosts(t *testing.T) {
	for _, host := range []string{"open.localhost", "open.localhost:443", "localhost", "idp.localhost", "127.0.0.1", a.host() + ":1", "site.localhost:1", "site.localhost", "SITE.localhost", strings.ToUpper(a.host()), "site.localhost.", "site.localhost@open.localhost",
		"open.localhost#site.localhost", "", "site.localhost, open.localhost", "site.localhost open.localhost", "open.localhost/site.localhost", "[::1]"} {
		for _, user := range []string{"", "bob"} {
			a.bytes(t, "GET /reports/ HTTP/1.1\r\nHost: "+host+"\r\n"+a.lines(user, nil)+"\r\n", user)
			a.bytes(t, "GET /admin/ HTTP/1.1\r\nHost: "+host+"\r\n"+a.lines(user, nil)+"\r\n", user)
		}
	}
	a.bytes(t, "GET /reports/ HTTP/1.1\r\nHost: site.localhost:1\r\n"+handshake+a.lines("bob", nil)+"\r\n", "bob")
	// A login leads back to where the site is, not to another program of the machine.
	for _, target := range []string{"/reports/", "/.idp/start?to=/"} {
		resp, c := a.raw(t, "GET "+target+" HTTP/1.1\r\nHost: site.localhost:1\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nAccept: text/html\r\n\r\n")
		_ = c.Close()
		if resp != nil && regexp.MustCompile(`site\.localhost(:|%3A)1(/|%2F)`).MatchString(resp.Header.Get("Location")) {
			t.Errorf("at another port the login leads to %s", resp.Header.Get("Location"))
		}
	}
	for _, request := range []string{
		"GET https://open.localhost/reports/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET http://open.localhost/reports/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET " + a.URL + "/reports/ HTTP/1.1\r\nHost: open.localhost\r\n",
		"GET " + a.URL + "/reports/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET " + a.URL + "/admin/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET https://site.localhost/public/../admin/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET https://site.localhost?/public/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET https:/admin/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET //open.localhost/admin/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET @open.localhost/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET admin/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET ?/public/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET * HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"CONNECT site.localhost:443 HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"TRACE /public/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET /admin/ HTTP/1.1\r\nHost: " + a.host() + "\r\nHost: open.localhost\r\n",
		"GET /admin/ HTTP/1.1\r\nHost: open.localhost\r\nHost: " + a.host() + "\r\n",
		"GET /admin/ HTTP/1.1\r\n",
		"GET /admin/ HTTP/1.0\r\n",
		"GET /admin/ HTTP/1.0\r\nHost: " + a.host() + "\r\n",
		"GET /admin/\r\n",
		"GET /admin/ HTTP/2.0\r\nHost: " + a.host() + "\r\n",
		"get /admin/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET /admin/ HTTP/1.1 HTTP/1.1\r\nHost: " + a.host() + "\r\n",
		"GET /public/ /admin/ HTTP/1.1\r\nHost: " + a.host() + "\r\n",
	} {
		for _, user := range []string{"", "bob"} {
			if strings.HasPrefix(request, "TRACE") && user != "" {
				continue // may go to /public/ as bob, and as nobody
			}
			a.bytes(t, request+a.lines(user, nil)+"\r\n", user)
		}
	}
}

func (a *attacks) paths(t *testing.T) {
	for _, target := range []string{"/public/../admin/", "/public/%2e%2e/admin/", "/public/%2E%2E/admin/", "/public/.%2e/admin/", "/public/%2e./admin/", "/public%2f..%2fadmin/", "/public/..%2fadmin/", "/public/..%2Fadmin/", "/public/%2e%2e%2fadmin/",
		"//admin/", "/./admin/", "/public//../admin/", "//public/../../admin/", "/admin;x", "/admin;x/", "/;x/admin/", "/admin%3bx/", "/public/..;/admin/", "/public/..;x=/admin/", "/public/%2e%2e;/admin/", "/ADMIN/", "/Admin/", "/%61dmin/", "/%41dmin/",
		"/%2561dmin/", "/public/%252e%252e/admin/", "/public/..%252fadmin/", "/public/..%5cadmin/", "/public/..\\admin/", "\\admin\\", "/\\admin/", "/public/%2e%2e%5cadmin/", "/public\\..\\admin/", "/public/%00/../admin/", "/admin%00", "/admin/%00", "/admin%00/public/",
		"/public/..%00/admin/", "/public/%c0%ae%c0%ae/admin/", "/public/%uff0e%uff0e/admin/", "/admin%20/", "/admin%09/", "/admin%0a/", "/admin./", "/admin%2e/", "/admin/.", "/admin/..", "/public/x/../../admin/", "/public/?/../admin/", "/public/%3f/../../admin/",
		"/public/%23/../../admin/", "/public/#/../admin/", "/public/../admin/?x=/public/", "/admin?/public/", "/admin#/public/", "/admin/%2e%2e/public/", "/public/./../admin/", "/public/.../admin/", "/%2f/admin/", "/%2fadmin/", "/public%2f%2e%2e%2f%61dmin/",
		"/public/../%61dmin/", "/public/..//admin/", "/public/\xc0\xae\xc0\xae/admin/", "/public/\x00/../admin/", "/admin\x00/", "/public/\t../admin/", "/public/..%c0%afadmin/", "/public/..\xef\xbc\x8fadmin/",
		"/admin#x", "/admin/#x", "/public/..#", "/public/../admin#/public/", "/admin%23x", "/admin%3fx", "/admin%2523x", "/public/..%23", "/public/..%3f", "/public/..%23/x", "#", "#/public/", "/public/#x", "/public/?x#/../admin/",
		"//h/admin/y", "///h/admin/y", "/%2fh/admin/y", "/\\h/admin/y", "/reports/../admin//../y", "/reports/%2e%2e/admin/%2e%2e%2fy", "/reports/../admin;/../y", "//x%61dmin/", "///admin/../x", "/admin%20", "//public/admin/../../public/"} {
		for _, user := range []string{"", "bob"} {
			a.send(t, "GET "+target+" HTTP/1.1", user)
		}
	}
	// And what is no trick arrives as it was written.
	for _, target := range []string{"/reports/a%20b", "/reports/?q=/../admin/%2e%2e//;x\\", "/reports/%C3%BC", "/reports/a+b,c(d)!*'", "/reports/~x/-_.y", "/reports/a%2Fb", "/reports//b", "/reports/%41/./c"} {
		want := target
		if other, ok := a.proxy.arrives[target]; ok {
			want = other
		}
		if _, got := a.send(t, "GET "+target+" HTTP/1.1", "bob"); len(got) != 1 || got[0].target() != want {
			t.Errorf("of %s arrived %v", target, got)
		}
	}
}

// What is below /.idp/ never reaches the application, and nothing else reaches idp
// that way.
func (a *attacks) ourPaths(t *testing.T) {
	for _, target := range []string{"/.idp/start", "/.idp/start?to=/x", "/.idp/callback", "/.idp/nothing", "/.idp/../admin/", "/.idp/../reports/", "/.idp/%2e%2e/admin/", "/.idp/..%2fadmin/", "/.idp/start/../../admin/", "/.idp/start%2f..%2f..%2fadmin/", "/.idp/start;/../../admin/",
		"/.idp/../forward-auth", "/.idp/%2e%2e/forward-auth", "/.idp/..;/forward-auth", "/.idp//", "/.idp/", "/.IDP/start", "//.idp/start", "/%2eidp/start", "/x/../.idp/start", "/public/../.idp/start", "/public/%2e%2e/.idp/start", "/.idp-question", "/.idp/start\\..\\..\\admin\\", "/forward-auth", "/forward-auth/admin/"} {
		for _, user := range []string{"", "bob"} {
			status, got := a.send(t, "GET "+target+" HTTP/1.1", user, "Remote-User: mallory", "X-Original-URL: https://open.localhost/", "X-Original-Method: GET")
			for _, h := range got {
				if slices.ContainsFunc(readings(h.target()), func(p string) bool { return strings.HasPrefix(p, "/.idp/") && p != "/.idp/" }) && user == "" {
					t.Errorf("%s has reached the application without a login", h.target())
				}
			}
			if len(got) == 0 && slices.Contains([]int{http.StatusOK, http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}, status) {
				t.Errorf("%s has reached idp as another path: %d", target, status)
			}
		}
	}
}

// issuersHost: at the issuer's own host nobody asks /forward-auth with headers of their
// own and the trust of the proxy. Only nginx has a file for that host.
func (a *attacks) issuersHost(t *testing.T) {
	if a.proxy.name != "nginx" {
		return
	}
	ask := func(target string) *http.Response {
		resp, c := a.raw(t, "GET "+target+" HTTP/1.1\r\nHost: idp.localhost\r\nCookie: "+a.bob+"\r\nX-Original-URL: https://site.localhost/reports/\r\nX-Original-Method: GET\r\n\r\n")
		_ = c.Close()
		return resp
	}
	if resp := ask("/.well-known/openid-configuration"); resp == nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("idp itself answers %v", resp)
	}
	for _, target := range []string{"/forward-auth", "/forward-auth?redirect", "/forward-auth/", "/forward-auth/reports/", "/forward-auth/../login", "/forward-auth/%2e%2e/login", "/forward-auth/..%2flogin", "/forward-auth;x", "/forward-auth#", "//forward-auth", "/x/../forward-auth", "/./forward-auth",
		"/%66orward-auth", "/%66orward-auth/../login", "/forward%2dauth/reports/", "/FORWARD-AUTH", "/forward-auth\\", "/forward-auth%00", "/login/../forward-auth/x", "/.idp/../forward-auth", "https://idp.localhost/forward-auth", "https://idp.localhost/forward-auth/../login"} {
		resp := ask(target)
		if resp == nil || resp.StatusCode < http.StatusMultipleChoices || resp.StatusCode == http.StatusUnauthorized || resp.Header.Get("Idp-Reason") != "" || resp.Header.Get("Remote-User") != "" {
			t.Errorf("%s is answered %v", target, resp)
		}
	}
}

// redirects: from the way to the login and back nothing leads away.
func (a *attacks) redirects(t *testing.T) {
	bob, _ := a.logsIn(t, "bob", "/")
	for _, to := range []string{"https://mallory.example/", "//mallory.example/", "/\\mallory.example/", "\\\\mallory.example", "/%09/mallory.example", "/\t/mallory.example", "///mallory.example", "https:mallory.example", "javascript:alert(1)", "/.idp/start?to=https://mallory.example/",
		"@mallory.example", ".mallory.example", ":80@mallory.example/", "/\n/mallory.example", "/x\r\nSet-Cookie: a=b", "http://site.localhost@mallory.example/", "https://site.localhost.mallory.example/", "/%2f/mallory.example", "/%5cmallory.example", "%2f%2fmallory.example", "?x", "#x", ""} {
		for _, from := range []string{"/.idp/start?to=" + url.QueryEscape(to), "/.idp/start?to=/&to=" + url.QueryEscape(to), "/.idp/callback?code=x&state=x&to=" + url.QueryEscape(to), "/.idp/sign-out?to=" + url.QueryEscape(to) + "&post_logout_redirect_uri=" + url.QueryEscape(to)} {
			if strings.HasPrefix(from, "/.idp/sign-out") {
				a.staysHere(t, a.visitor(t), from)
				continue
			}
			a.staysHere(t, bob, from)
		}
	}
}

// staysHere follows redirects, none of which may lead to another host than the
// site's and idp's.
func (a *attacks) staysHere(t *testing.T, v *visitor, from string) {
	t.Helper()
	target := a.URL + from
	for range 10 {
		p := v.send(http.MethodGet, target, "", "")
		if p.Header.Get("Location") == "" {
			return
		}
		to, err := p.Response.Location()
		if err != nil || to.Scheme+"://"+to.Host != a.URL && to.Scheme+"://"+to.Host != a.Issuer {
			t.Errorf("%s leads to %q", from, p.Header.Get("Location"))
			return
		}
		target = to.String()
	}
}

// value is the content of our cookie in a Cookie header.
func value(t *testing.T, cookies string) string {
	t.Helper()
	for c := range strings.SplitSeq(cookies, "; ") {
		if v, ok := strings.CutPrefix(c, "__Host-idp_site="); ok {
			return v
		}
	}
	t.Fatalf("no cookie of the site in %q", cookies)
	return ""
}

func (a *attacks) cookieTossing(t *testing.T) {
	bob, ada := value(t, a.bob), value(t, a.ada)
	// What another host could plant has no __Host- before its name, and counts nothing.
	for _, cookie := range []string{"idp_site=" + bob, "__Secure-idp_site=" + bob, "__host-idp_site=" + bob, "__HOST-idp_site=" + bob, "__Host-idp_site", "=__Host-idp_site=" + bob, "__Host-idp_site=" + bob + "x", "__Host-idp_start=" + bob, "x=y; idp_site=" + bob} {
		if status, got := a.send(t, "GET /reports/ HTTP/1.1", "", "Cookie: "+cookie); len(got) > 0 {
			t.Errorf("Cookie %q is answered %d", cookie, status)
		}
	}
	// Beside a session they change nothing: it is bob, or nobody.
	for _, tossed := range []string{"idp_site=" + ada, "__Host-idp_site=garbage", "__Secure-idp_site=" + ada, "__Host-idp_start=garbage", "__Host-idp_site="} {
		for _, cookie := range []string{tossed + "; " + a.bob, a.bob + "; " + tossed, "theme=dark; " + tossed + "; " + a.bob + "; lang=en"} {
			a.bytes(t, "GET /reports/ HTTP/1.1\r\nHost: "+a.host()+"\r\nCookie: "+cookie+"\r\n\r\n", "bob")
		}
		a.bytes(t, "GET /reports/ HTTP/1.1\r\nHost: "+a.host()+"\r\nCookie: theme=dark\r\nCookie: "+a.bob+"\r\nCookie: "+tossed+"\r\n\r\n", "bob")
	}
	// Written strangely, and between two that begin and end a quoted text.
	for _, cookie := range []string{"theme=dark;" + a.bob, a.bob + ";theme=dark;", " " + a.bob + " ; theme=dark", "a=\"; " + a.bob + "; b=\"", "a=\"x; " + a.bob, a.bob + "; b=\"", ";;" + a.bob, "a; " + a.bob + "; b"} {
		a.bytes(t, "GET /reports/ HTTP/1.1\r\nHost: "+a.host()+"\r\nCookie: "+cookie+"\r\n\r\n", "bob")
		a.bytes(t, "GET /public/ HTTP/1.1\r\nHost: "+a.host()+"\r\nCookie: "+cookie+"\r\n\r\n", "bob")
	}
}

// framing: where proxy and application could see different requests, the attacker's
// second one must not arrive as a request of its own.
func (a *attacks) framing(t *testing.T) {
	a.wait = 2 * time.Second // some wait for more, and so would we
	defer func() { a.wait = patience }()
	const hidden = "GET /admin/hidden HTTP/1.1\r\nHost: site.localhost\r\nRemote-User: ada\r\nX: "
	chunked := "0\r\n\r\n" + hidden
	head := "POST /public/ HTTP/1.1\r\nHost: " + a.host() + "\r\n"
	for _, lines := range []string{
		"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", "Transfer-Encoding : chunked\r\nContent-Length: 6\r\n", "Transfer-Encoding: xchunked\r\nContent-Length: 6\r\n", "Transfer-Encoding: chunked, identity\r\nContent-Length: 6\r\n",
		"Transfer-Encoding: identity, chunked\r\nContent-Length: 6\r\n", "Transfer-Encoding:\tchunked\r\nContent-Length: 6\r\n", "Transfer-Encoding:\x0bchunked\r\nContent-Length: 6\r\n", " Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", "Transfer_Encoding: chunked\r\nContent-Length: 6\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\nContent-Length: 6\r\n", "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n", "Transfer-Encoding\x00: chunked\r\nContent-Length: 6\r\n", "Content-Length: 0\r\nContent-Length: 6\r\n", "Content-Length: 6\r\nContent-Length: 0\r\n", "Content-Length: +6\r\n",
		"Content-Length: 0x6\r\n", "Content-Length: 6, 6\r\n", "Content-Length: 6 0\r\n", "Content-Length: -1\r\n", "Content_Length: 6\r\nContent-Length: 5\r\n", "Connection: Content-Length\r\nContent-Length: 5\r\n", "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "Expect: 100-continue\r\nContent-Length: 5\r\n", "",
	} {
		a.bytes(t, head+lines+"\r\n"+chunked+"\r\n\r\n", "")
	}
	// Chunks that are written strangely, and trailers.
	for _, body := range []string{"0\r\nRemote-User: mallory\r\n\r\n", "0\r\nRemote_User: mallory\r\n\r\n", "1\nx\n0\n\n" + hidden, "1;x=\"\r\n0\r\n\r\n" + hidden, "00000000000000001\r\nx\r\n0\r\n\r\n", "1 \r\nx\r\n0\r\n\r\n", "0x1\r\nx\r\n0\r\n\r\n", "ffffffffffffffff1\r\nx\r\n0\r\n\r\n", "-1\r\nx\r\n0\r\n\r\n"} {
		a.bytes(t, head+"Transfer-Encoding: chunked\r\nTrailer: Remote-User\r\n\r\n"+body, "")
	}
}

func (a *attacks) connection(t *testing.T) {
	// Headers that a proxy may drop because the client says so (RFC 9110 §7.6.1): those
	// of idp are not among them, in neither direction.
	for _, names := range []string{"Remote-User", "close, Remote-User, Remote-Groups, Remote-Assertion", "X-Forwarded-For", "X-Forwarded-Host, X-Forwarded-Proto", "X-Forwarded-Uri", "X-Original-URL", "X-Original-Method", "Cookie", "Host", "keep-alive, X-Forwarded-Method"} {
		for _, user := range []string{"", "bob"} {
			a.send(t, "GET /admin/ HTTP/1.1", user, "Connection: "+names)
			_, got := a.send(t, "GET /reports/ HTTP/1.1", user, "Connection: "+names)
			if user == "" && len(got) > 0 {
				t.Errorf("Connection: %s lets anybody in", names)
			}
		}
	}
	// Another protocol inside of the connection would have no questions.
	for _, headers := range [][]string{
		{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"}, {"Connection: Upgrade", "Upgrade: h2c"}, {"Connection: Upgrade", "Upgrade: websocket, h2c"}, {"Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"}, {"Connection: Upgrade", "Upgrade: TLS/1.0"},
	} {
		for _, user := range []string{"", "bob"} {
			target := map[string]string{"": "/public/", "bob": "/reports/"}[user]
			_, got := a.send(t, "GET "+target+" HTTP/1.1", user, headers...)
			for _, h := range got {
				if up := h.all("Upgrade"); up != nil && !slices.Equal(up, []string{"websocket"}) || bytes.Contains([]byte(strings.Join(h.Headers, "\n")), []byte("h2c")) {
					t.Errorf("%q has reached the application with Upgrade %q", headers, up)
				}
			}
		}
	}
	// Two requests in one go are two questions.
	a.app.take()
	second := "GET /admin/ HTTP/1.1\r\nHost: " + a.host() + "\r\nRemote-User: ada\r\n\r\n"
	resp, c := a.raw(t, "GET /public/ HTTP/1.1\r\nHost: "+a.host()+"\r\n\r\n"+second)
	if resp == nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the first is answered %v", resp)
	}
	idptest.ReadAll(t, resp)
	next, err := http.ReadResponse(c.from, nil)
	must(t, err)
	if idptest.ReadAll(t, next); next.StatusCode != http.StatusUnauthorized {
		t.Errorf("the second is answered %d", next.StatusCode)
	}
	for _, h := range a.app.take() {
		a.judge(t, h, "")
	}
}
