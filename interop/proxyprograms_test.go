//go:build interop

package interop_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
)

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
