//go:build interop

package interop_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"idp/internal/idptest"
)

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
