//go:build interop

package interop_test

import (
	"bufio"
	"context"
	"crypto/elliptic"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
)

// behind is an application behind one of the proxies, and the idp that the proxy
// asks.
type behind struct {
	*binary
	*front
	proxy proxy
	app   *echo
	wait  time.Duration // for an answer to bytes
}

// proxiesYAML protects the application at site.localhost. open.localhost is
// protected by less; no proxy here serves it.
const proxiesYAML = `trusted_proxies: [127.0.0.0/8]
users:
  - {name: bob, password_file: %[1]s, email: bob@example.com, groups: [partners], full_name: %[3]q}
  - {name: ada, password_file: %[1]s, groups: [admins]}
%[2]sforward_auth:
  - host: site.localhost
    name: Reports
    rules:
      - {path: /public/, allow: anyone}
      - {path: /admin/, groups: [admins]}
  - host: open.localhost
    name: Open
    rules:
      - {path: /, allow: anyone}
`

// bobsName is text, whatever a proxy's configuration would make of it.
const bobsName = "Bob Ä. {env.HOME} {http.request.host} $host ${HOME} %[src] %{HTTP_HOST}e"

// siteKey makes the service of the site's own name, for which programs ask the KDC.
var siteKey = sync.OnceValue(func() error {
	return set.Realm.Kadmin(fmt.Sprintf("addprinc -randkey HTTP/site.localhost\nktadd -k %s HTTP/site.localhost\n", set.Realm.Keytab))
})

// everyProxy runs tests at each of these; all of them ask one idp.
func everyProxy(t *testing.T, proxies []proxy, test func(*testing.T, *behind)) {
	t.Helper()
	addr, port := freeAddress(t)
	certificate, key := pair(t, elliptic.P256())
	idp := &binary{Issuer: "http://idp.localhost:" + port, CA: certificate}
	words := filepath.Join(t.TempDir(), "password.txt")
	must(t, os.WriteFile(words, []byte(stage.BobPassword+"\n"), 0o600), siteKey())
	leavers := ""
	for _, p := range proxies {
		leavers += fmt.Sprintf("  - {name: leaver-%s, password_file: %s}\n", p.name, words)
	}
	idp.start(t, addr, "  basic_realm: Example Ltd\n", fmt.Sprintf(proxiesYAML, words, leavers, bobsName))
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			app := newEcho(t)
			b := &behind{binary: idp, front: newFront(t, addr, app.Addr, certificate, key), proxy: p, app: app, wait: patience}
			p.start(b.front, t)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("%s said:\n%s\nidp said:\n%s", p.name, tail(b.Log), tail(idp.log))
				}
			})
			test(t, b)
		})
	}
}

// The whole of what a person, a program and an administrator expect, at each proxy
// as deploy/proxies/ ships it.
func TestProxies(t *testing.T) { serve(t, proxies) }

func serve(t *testing.T, proxies []proxy) {
	everyProxy(t, proxies, func(t *testing.T, b *behind) {
		for _, check := range []struct {
			name string
			run  func(*testing.T, *behind)
		}{
			{"a person comes back to where they were", comesBack},
			{"a ticket shows no page", silently},
			{"a program is told", programIsTold},
			{"curl", curlAtSite},
			{"question", question},
			{"large ticket", largeTicket},
			{"WebSocket", webSocket},
			{"bodies", bodies},
			{"group", groupOfRule},
			{"open path", openPath},
			{"sign-out", signOutEnds},
			{"disabled", disabledEnds},
			{"plain HTTP", plainHTTP},
		} {
			t.Run(check.name, func(t *testing.T) { check.run(t, b) })
		}
	})
}

// besideProxy is the connection to idp through a proxy of its own: whoever comes from
// the address of one, and through none, counts as outside.
type besideProxy struct {
	http.RoundTripper
	issuer string
}

func (p besideProxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == p.issuer {
		r = r.Clone(r.Context())
		r.Header.Set("X-Forwarded-For", "127.0.0.1")
	}
	return p.RoundTripper.RoundTrip(r)
}

// visitor is a person's browser, inside.
func (b *behind) visitor(t *testing.T) *visitor {
	t.Helper()
	v := newVisitor(t, b.binary)
	v.http.Transport = besideProxy{v.http.Transport, strings.TrimPrefix(b.Issuer, "http://")}
	return v
}

// logsIn is somebody's browser that has logged in at a page of the site.
func (b *behind) logsIn(t *testing.T, name, path string) (*visitor, *idptest.Page) {
	t.Helper()
	v := b.visitor(t)
	return v, v.logIn(v.open(b.URL+path), name, stage.BobPassword)
}

// hears is what the application got, by its own answer.
func hears(t *testing.T, p *idptest.Page) heard {
	t.Helper()
	return reads[heard](t, p, http.StatusOK)
}

// names fails the test unless the application was told of this user, once, and
// saw nothing that is ours.
func (b *behind) names(t *testing.T, h heard, user string) {
	t.Helper()
	if got := h.all("Remote-User"); user == "" && got != nil || user != "" && !slices.Equal(got, []string{user}) {
		t.Errorf("the application got Remote-User %q, want %q\n%s", got, user, strings.Join(h.Headers, "\n"))
	}
	b.clean(t, h)
}

func comesBack(t *testing.T, b *behind) {
	const path = "/reports/q1%20a?year=2026&to=%2Fx%3Fy&z"
	if p := b.visitor(t).send(http.MethodGet, b.URL+path, "", ""); p.StatusCode != http.StatusSeeOther { // browsers make nothing of a 401 with Location
		t.Errorf("a person is answered %d", p.StatusCode)
	}
	v, p := b.logsIn(t, "bob", path)
	at(t, p, http.StatusOK, b.URL+"/reports/q1%20a")
	h := hears(t, p)
	b.names(t, h, "bob")
	if h.target() != path || p.Request.URL.RequestURI() != path {
		t.Errorf("back at %s, and the application got %s, want %s", p.Request.URL, h.Line, path)
	}
	if h.get("Remote-Email") != "bob@example.com" || h.get("Remote-Groups") != "partners" || h.get("Remote-Name") != bobsName {
		t.Errorf("want bob's address, group and name\n%s", strings.Join(h.Headers, "\n"))
	}
	b.verifies(t, h.get("Remote-Assertion"), "bob")
	// The application's own cookies pass.
	to, err := url.Parse(b.URL)
	must(t, err)
	v.http.Jar.SetCookies(to, []*http.Cookie{{Name: "theme", Value: "dark", Path: "/"}, {Name: "lang", Value: "en", Path: "/"}})
	h = hears(t, v.open(b.URL+path))
	if got := h.get("Cookie"); got != "theme=dark; lang=en" {
		t.Errorf("the application got the cookies %q", got)
	}
	b.names(t, h, "bob")
	// As they are.
	const odd = `prefs="a b"; json={"x":[1,"%41"]}; path=\\%2F/$host; tail=é`
	b.app.take()
	_, c := b.raw(t, "GET / HTTP/1.1\r\nHost: "+b.host()+"\r\nCookie: "+odd+"; "+b.cookies(t, v)+"\r\n\r\n")
	_ = c.Close()
	if heard := b.app.take(); len(heard) != 1 || heard[0].get("Cookie") != odd+"; theme=dark; lang=en" {
		t.Errorf("of %s arrived %v", odd, heard)
	}
}

// verifies checks an assertion as an application would.
func (b *behind) verifies(t *testing.T, assertion, user string) {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), &http.Client{Transport: idptest.Transport()})
	keys := oidc.NewRemoteKeySet(ctx, b.Issuer+"/jwks")
	token, err := oidc.NewVerifier(b.Issuer, keys, &oidc.Config{ClientID: "site.localhost", SupportedSigningAlgs: []string{"ES256"}}).Verify(ctx, assertion)
	if err != nil {
		t.Errorf("assertion %q: %v", assertion, err)
		return
	}
	var claims struct {
		Name string `json:"preferred_username"`
	}
	must(t, token.Claims(&claims))
	if claims.Name != user || time.Until(token.Expiry) > time.Minute {
		t.Errorf("the assertion is for %q and until %s", claims.Name, token.Expiry)
	}
}

func silently(t *testing.T, b *behind) {
	v := b.visitor(t)
	p := v.negotiate(v.open(b.URL+"/reports/"), aliceTicket(t))
	at(t, p, http.StatusOK, b.URL+"/reports/")
	b.names(t, hears(t, p), "alice")
}

// ask sends a request as a program does, with more headers: pairs.
func (b *behind) ask(t *testing.T, v *visitor, method, path, body string, headers ...string) *idptest.Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.URL+path, strings.NewReader(body))
	must(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := v.http.Do(req)
	must(t, err)
	return &idptest.Page{Response: resp, Body: idptest.ReadAll(t, resp)}
}

func programIsTold(t *testing.T, b *behind) {
	b.app.take()
	v := b.visitor(t)
	p := b.ask(t, v, http.MethodGet, "/reports/", "")
	if p.StatusCode != http.StatusUnauthorized || p.Header.Get("Location") != "" || p.Header.Get("Idp-Reason") != "LOGIN_REQUIRED" {
		t.Errorf("%d %v, want 401 with the reason alone", p.StatusCode, p.Header)
	}
	offers := strings.Join(p.Header.Values("WWW-Authenticate"), ", ")
	if want := "Negotiate"; !strings.HasPrefix(offers, want) {
		t.Errorf("offers %q", offers)
	}
	if strings.Contains(offers, "Basic") != (b.proxy.name != "nginx") { // 1.22 passes one line
		t.Errorf("offers %q", offers)
	}
	var body struct {
		Error, Reason string
	}
	if err := json.Unmarshal([]byte(p.Body), &body); err != nil || body.Error != "login_required" || body.Reason != "LOGIN_REQUIRED" {
		t.Errorf("body %q", p.Body)
	}
	p = b.ask(t, v, http.MethodGet, "/reports/", "", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/html")
	if p.StatusCode != http.StatusUnauthorized || p.Header.Get("Location") != "" || p.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("a page's script is answered %d %v, want 401 that shows no prompt", p.StatusCode, p.Header)
	}
	if got := b.app.take(); len(got) > 0 {
		t.Errorf("the application got %v", got)
	}
}

func (b *behind) curl(t *testing.T, ccache string, args ...string) heard {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "curl", append([]string{"-sS", "--cacert", b.CA, "--resolve", b.host() + ":127.0.0.1"}, args...)...)
	cmd.Env = append(set.Realm.Client().Env(), "KRB5CCNAME="+ccache)
	out, err := cmd.CombinedOutput()
	must(t, err)
	var h heard
	if err := json.Unmarshal(out, &h); err != nil || h.Line == "" {
		t.Fatalf("curl got %q", out)
	}
	return h
}

func curlAtSite(t *testing.T, b *behind) {
	cache := ticket(t)
	headers := filepath.Join(t.TempDir(), "headers")
	b.names(t, b.curl(t, cache, "--negotiate", "-u", ":", "-D", headers, b.URL+"/reports/"), "alice")
	said, err := os.ReadFile(headers)
	must(t, err)
	if regexp.MustCompile(`(?i)\r\nwww-authenticate: negotiate [a-z0-9+/]{20}`).Match(said) == b.proxy.mute {
		t.Errorf("idp's proof of itself: %s", said)
	}
	b.names(t, b.curl(t, cache, "--anyauth", "-u", ":", b.URL+"/reports/"), "alice")
	b.names(t, b.curl(t, "/nowhere", "-u", "bob:"+stage.BobPassword, b.URL+"/reports/"), "bob")
	b.names(t, b.curl(t, "/nowhere", "-u", "alice:"+stage.AlicePassword, b.URL+"/reports/"), "alice")
}

// A header of the size that a ticket has of somebody in very many groups: it comes
// through to idp, which says what it is.
func largeTicket(t *testing.T, b *behind) {
	p := b.ask(t, b.visitor(t), http.MethodGet, "/reports/", "", "Authorization", "Negotiate "+strings.Repeat("YIIB", 16<<10))
	if p.StatusCode != http.StatusUnauthorized || p.Header.Get("Idp-Reason") == "" {
		t.Errorf("64 KB are answered %d %v", p.StatusCode, p.Header)
	}
}

// question: idp hears of the client's headers those by which it judges.
func question(t *testing.T, b *behind) {
	idp := newEcho(t)
	f := b.another(t, idp.Addr)
	idp.take() // what it was asked to see whether the proxy has started
	want := []string{"Cookie", "theme=dark", "Authorization", "Basic Ym9iOmJvYg==", "Accept", "text/html", "Origin", f.URL, "Referer", f.URL + "/reports/", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty",
		"Sec-Fetch-Site", "same-origin", "X-Requested-With", "XMLHttpRequest", "User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"}
	f.ask(t, b.visitor(t), http.MethodPost, "/reports/", "", want...)
	asked := idp.take()
	if len(asked) != 1 {
		t.Fatalf("%d questions", len(asked))
	}
	for i := 0; i < len(want); i += 2 {
		if got := asked[0].all(want[i]); !slices.Equal(got, want[i+1:i+2]) {
			t.Errorf("of %s: %q idp hears %q", want[i], want[i+1], got)
		}
	}
	// On its own paths it hears whom the proxy serves, for whom, and nothing else of it.
	_, c := f.raw(t, "GET /.idp/start HTTP/1.1\r\nHost: "+strings.ToUpper(f.host())+"\r\nForwarded: for=10.1.2.3;host=open.localhost\r\nX-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Host: open.localhost\r\n"+
		"X-Forwarded-Proto: http\r\nX-Forwarded-Uri: /x\r\nX-Original-URL: https://open.localhost/\r\nX-Original-Method: POST\r\n\r\n")
	_ = c.Close()
	heard := idp.take()
	if len(heard) != 1 || heard[0].target() != "/.idp/start" {
		t.Fatalf("idp got %v", heard)
	}
	f.clean(t, heard[0])
}

// cookies is the Cookie header that a browser sends to the site.
func (b *behind) cookies(t *testing.T, v *visitor) string {
	t.Helper()
	to, err := url.Parse(b.URL)
	must(t, err)
	var out []string
	for _, c := range v.http.Jar.Cookies(to) {
		out = append(out, c.Name+"="+c.Value)
	}
	return strings.Join(out, "; ")
}

const handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://site.localhost\r\n"

func webSocket(t *testing.T, b *behind) {
	if resp, _ := b.raw(t, "GET /socket HTTP/1.1\r\nHost: "+b.host()+"\r\n"+handshake+"\r\n"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a session: %d", resp.StatusCode)
	}
	v, _ := b.logsIn(t, "bob", "/")
	resp, c := b.raw(t, "GET /socket HTTP/1.1\r\nHost: "+b.host()+"\r\nCookie: "+b.cookies(t, v)+"\r\n"+handshake+"\r\n")
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("X-User") != "bob" {
		t.Fatalf("with a session: %d %v", resp.StatusCode, resp.Header)
	}
	heard := b.app.take()
	b.names(t, heard[len(heard)-1], "bob")
	_, err := c.Write([]byte("ping"))
	must(t, err)
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "ping" {
		t.Errorf("through the socket came %q, %v", got, err)
	}
}

// conn is a connection to the proxy, of which some was read.
type conn struct {
	net.Conn
	from *bufio.Reader
}

func (c *conn) Read(p []byte) (int, error) { return c.from.Read(p) }

// raw sends bytes to the proxy over TLS and reads one response; nil: none came, for
// the proxy has closed the connection, or waits for more.
func (b *behind) raw(t *testing.T, request string) (*http.Response, *conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	pool := b.client(t).Transport.(*http.Transport).TLSClientConfig.RootCAs //nolint:forcetypeassert // client's
	nc, err := (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: "site.localhost"}}).DialContext(ctx, "tcp", b.Addr)
	must(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	must(t, nc.SetDeadline(time.Now().Add(b.wait)))
	_, _ = io.WriteString(nc, request) // who has refused may have closed
	c := &conn{Conn: nc, from: bufio.NewReader(nc)}
	resp, err := http.ReadResponse(c.from, nil)
	if err != nil {
		return nil, c
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp, c
}

func bodies(t *testing.T, b *behind) {
	v, _ := b.logsIn(t, "bob", "/")
	body := strings.Repeat("0123456789abcdef", 20_000)
	p := b.ask(t, v, http.MethodPost, "/upload", body, "Content-Type", "text/plain")
	if h := hears(t, p); h.Body != body || h.method() != http.MethodPost {
		t.Errorf("of %d bytes %d arrived by %s", len(body), len(h.Body), h.method())
	}
	p = b.ask(t, v, http.MethodPut, "/upload", "little")
	if h := hears(t, p); h.Body != "little" || h.method() != http.MethodPut {
		t.Errorf("%q arrived by %s", h.Body, h.method())
	}
	if p := b.ask(t, b.visitor(t), http.MethodPost, "/upload", "little"); p.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a session: %d", p.StatusCode)
	}
	for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodDelete} {
		if p := b.ask(t, b.visitor(t), method, "/upload", ""); p.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a session: %d", method, p.StatusCode)
		}
	}
}

func groupOfRule(t *testing.T, b *behind) {
	v, p := b.logsIn(t, "bob", "/admin/")
	if p.StatusCode != http.StatusForbidden || p.Header.Get("Idp-Reason") != "NOT_ALLOWED" || !strings.Contains(p.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %v, want 403 with the reason and a page", p.StatusCode, p.Header)
	}
	if p := b.ask(t, v, http.MethodGet, "/admin/", ""); p.StatusCode != http.StatusForbidden || p.Header.Get("Idp-Reason") != "NOT_ALLOWED" {
		t.Errorf("a program is answered %d %v", p.StatusCode, p.Header)
	}
	b.app.take()
	_, p = b.logsIn(t, "ada", "/admin/")
	b.names(t, hears(t, p), "ada")
}

func openPath(t *testing.T, b *behind) {
	p := b.visitor(t).open(b.URL + "/public/logo.svg")
	b.names(t, hears(t, p), "")
	v, _ := b.logsIn(t, "bob", "/")
	b.names(t, hears(t, v.open(b.URL+"/public/logo.svg")), "bob")
}

// refusedSoon: what idp has ended, it may answer from memory for a second.
func (b *behind) refusedSoon(t *testing.T, v *visitor) {
	t.Helper()
	await(t, "the site lets nobody in any more", time.Second, func() bool {
		return b.ask(t, v, http.MethodGet, "/reports/", "").StatusCode == http.StatusUnauthorized
	})
	v.open(b.URL+"/reports/").Form(t, "password")
}

func signOutEnds(t *testing.T, b *behind) {
	v, _ := b.logsIn(t, "bob", "/")
	v.submit(v.open(b.Issuer+"/end_session"), "form_token", nil)
	b.refusedSoon(t, v)
	v, _ = b.logsIn(t, "bob", "/")
	p := v.open(b.URL + "/.idp/sign-out")
	if !strings.HasPrefix(p.Request.URL.String(), b.Issuer+"/end_session") {
		t.Errorf("signing out at the site leads to %s", p.Request.URL)
	}
	v.submit(p, "form_token", nil)
	b.refusedSoon(t, v)
}

func disabledEnds(t *testing.T, b *behind) {
	v, p := b.logsIn(t, "leaver-"+b.proxy.name, "/")
	b.names(t, hears(t, p), "leaver-"+b.proxy.name)
	b.does(t, "user", "disable", "leaver-"+b.proxy.name)
	await(t, "the site lets nobody in any more", time.Second, func() bool {
		return b.ask(t, v, http.MethodGet, "/reports/", "").StatusCode == http.StatusUnauthorized
	})
}

func plainHTTP(t *testing.T, b *behind) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+b.Plain+"/reports/?a=b", nil)
	must(t, err)
	req.Host = "site.localhost"
	v := b.visitor(t)
	resp, err := v.http.Do(req)
	must(t, err)
	idptest.ReadAll(t, resp)
	to := resp.Header.Get("Location")
	if resp.StatusCode/100 != 3 || !strings.HasPrefix(to, "https://site.localhost") || !strings.HasSuffix(to, "/reports/?a=b") {
		t.Errorf("%d to %q, want the same page by https", resp.StatusCode, to)
	}
}

// another is one more of this proxy, that asks at another address.
func (b *behind) another(t *testing.T, idp string) *behind {
	t.Helper()
	f := newFront(t, idp, b.app.Addr, b.certificate, b.front.key)
	b.proxy.start(f, t)
	return &behind{binary: b.binary, front: f, proxy: b.proxy, app: b.app, wait: patience}
}
