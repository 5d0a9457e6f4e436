//go:build interop

package interop_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"idp/internal/idptest"
)

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

// The matchers vars and vars_regexp of many a Caddy take placeholders in a value for what
// they stand for (CVE-2026-30852): of an address with {http.request.body} Caddy 2.10.2 kept
// all that a stranger sent, 1.8 GB for 400 MB. The Caddy that is run here does not, so the
// file is looked at.
func TestHoleCaddyExpandsWhatClientsWrite(t *testing.T) {
	text, err := os.ReadFile("../deploy/proxies/caddy/Caddyfile")
	must(t, err)
	if found := regexp.MustCompile(`(?m)^\s*@\S+ .*\bvars(_regexp)? .*|^\s*rewrite .*\{.*`).FindAll(text, -1); found != nil {
		t.Errorf("what clients write is matched by %q", found)
	}
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
