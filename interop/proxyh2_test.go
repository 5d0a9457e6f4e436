//go:build interop

package interop_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Frames attacks by frames, as no client library would write them: what HTTP/2
// carries in one field may be a line of HTTP/1.1 to the application (RFC 9113 §10.3).
func (a *attacks) http2Frames(t *testing.T) {
	if a.proxy.name == "apache" { // as shipped it speaks HTTP/1.1
		return
	}
	const hidden = "GET /admin/hidden HTTP/1.1\r\nHost: site.localhost\r\nRemote-User: ada\r\nX: "
	request := func(changes ...string) (fields []string) {
		fields = []string{":method", "GET", ":scheme", "https", ":path", "/public/", ":authority", a.host()}
		for i := 0; i < len(changes); i += 2 {
			if at := slices.Index(fields, changes[i]); at >= 0 && changes[i][0] == ':' {
				fields[at+1] = changes[i+1]
				continue
			}
			fields = append(fields, changes[i], changes[i+1])
		}
		return fields
	}
	status, got := a.frames(t, "", request(), "", nil)
	if len(got) != 1 || status != "200" {
		t.Fatalf("an honest request: %s, and %d arrived", status, len(got))
	}
	bob := func(changes ...string) []string { return request(append(changes, "cookie", a.bob)...) }
	if _, got := a.frames(t, "bob", bob(":path", "/reports/"), "", nil); len(got) != 1 {
		t.Fatalf("bob's honest request: %d arrived", len(got))
	}
	a.wait = 2 * time.Second // some are never answered
	defer func() { a.wait = patience }()
	for _, fields := range [][]string{
		request(":path", "https://site.localhost/admin/"), request(":path", "/public/#/../../admin/"), request(":path", "/public/ /../../admin/"), request(":path", "/admin/ HTTP/1.1\r\nX: y"), request(":path", "/public/\r\n/admin/"),
		request(":path", "/admin/\x00"), request(":path", "admin/"), request(":path", "*"), request(":path", ""), request(":path", "//h/admin/"), request(":path", "/public/ HTTP/1.1\r\n\r\n"+hidden),
		request(":method", "GET /admin/ HTTP/1.1\r\nX:"), request(":method", "GET /admin/"), request(":method", "get"), request(":method", "CONNECT"), request(":scheme", "https://open.localhost/admin/?"), request(":scheme", "http"), request(":scheme", "x y"),
		request(":authority", "open.localhost"), request(":authority", "open.localhost", "host", a.host()), request("host", "open.localhost"), request("host", "open.localhost", "host", a.host()), request(":authority", a.host()+"\r\nRemote-User: ada"), request(":authority", "x@"+a.host()), request(":authority", ""),
		request("remote-user", "ada"), request("Remote-User", "ada"), request("remote_user", "ada"), request("remote-user ", "ada"), request(" remote-user", "ada"), request("remote-user:", "ada"), request("x\r\nRemote-User", "ada"), request("x: y\r\nremote-user", "ada"), request("", "Remote-User: ada"),
		request("x", "y\r\nRemote-User: ada"), request("x", "y\nRemote-User: ada"), request("x", "y\rRemote-User: ada"), request("x", "y\x00\r\nRemote-User: ada"), request("x", "y\r\n\r\n"+hidden),
		request("cookie", "a=b\r\nRemote-User: ada"), request("accept", "text/html\r\nX-Original-URL: https://site.localhost/public/"), request("user-agent", "x\r\nCookie: "+a.ada), request("authorization", "x\nX-Forwarded-Uri: /public/"),
		request("connection", "Remote-User, X-Forwarded-Host"), request("upgrade", "websocket", "connection", "upgrade"), request("te", "trailers, Remote-User"), request("transfer-encoding", "chunked"), request("proxy-connection", "Remote-User"), request("keep-alive", "Remote-User"),
		request(":method", "CONNECT", ":protocol", "websocket", "sec-websocket-version", "13"), request(":method", "CONNECT", ":protocol", "h2c"), request(":method", "CONNECT", ":protocol", "websocket\r\nRemote-User: ada"), request(":method", "CONNECT", ":protocol", "h2c", ":path", "/admin/"),
		request(":path", "/admin/", ":path", "/public/"), append(request(), ":path", "/admin/"), append([]string{":path", "/admin/"}, request()...), append(request(), ":authority", "open.localhost"), append(request("x", "y"), ":method", "POST"),
	} {
		a.frames(t, "", fields, "", nil)
		a.frames(t, "bob", append(fields, "cookie", a.bob), "", nil)
	}
	// A cookie in several fields is one (RFC 9113 §8.2.3).
	parts := strings.SplitN(a.bob, "=", 2)
	for _, fields := range [][]string{request(":path", "/reports/", "cookie", "a=b", "cookie", a.bob, "cookie", "c=d"), request(":path", "/reports/", "cookie", a.bob, "cookie", a.ada), request(":path", "/reports/", "cookie", parts[0], "cookie", "="+parts[1])} {
		a.frames(t, "bob", fields, "", nil)
	}
	// A body that is another request where its length is read otherwise, and trailers.
	for _, c := range []struct {
		fields, trailers []string
		body             string
	}{
		{request(":method", "POST", "transfer-encoding", "chunked"), nil, "0\r\n\r\n" + hidden}, {request(":method", "POST", "content-length", "0"), nil, hidden}, {request(":method", "POST", "content-length", "5"), nil, "hello" + hidden},
		{request(":method", "POST", "content-length", "5", "content-length", "100"), nil, "hello"}, {request(":method", "POST", "x", "y\r\nTransfer-Encoding: chunked"), nil, "0\r\n\r\n" + hidden}, {request(":method", "POST", "content-length", "+5"), nil, "hello"},
		{request("content-length", "5"), nil, "hello" + hidden}, {request(), nil, hidden}, {request(":method", "POST"), []string{"remote-user", "ada"}, "hello"}, {request(":method", "POST"), []string{"remote_user", "ada", "x", "y\r\nRemote-User: ada"}, "hello"},
		{request(":method", "POST", "trailer", "remote-user"), []string{"remote-user", "ada"}, ""}, {request(":method", "POST"), []string{":path", "/admin/", "cookie", a.ada}, "hello"},
	} {
		a.frames(t, "", c.fields, c.body, c.trailers)
		a.frames(t, "bob", append(c.fields, "cookie", a.bob), c.body, c.trailers)
	}
}

// frames sends one request as frames, and looks at all that has reached the application.
// status is the first answer's; empty: there was none.
func (a *attacks) frames(t *testing.T, user string, fields []string, body string, trailers []string) (status string, got []heard) {
	t.Helper()
	a.app.take()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	pool := a.client(t).Transport.(*http.Transport).TLSClientConfig.RootCAs //nolint:forcetypeassert // client's
	c, err := (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: "site.localhost", NextProtos: []string{"h2"}}}).DialContext(ctx, "tcp", a.Addr)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(a.wait)))
	_, _ = c.Write([]byte(http2.ClientPreface))
	f := http2.NewFramer(c, c)
	f.AllowIllegalWrites = true
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = f.WriteSettings()
	headers := func(list []string, end bool) {
		var block bytes.Buffer
		encode := hpack.NewEncoder(&block)
		for i := 0; i < len(list); i += 2 {
			_ = encode.WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1]})
		}
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
	}
	headers(append(slices.Clip(fields), "x-as", user), body == "" && trailers == nil)
	if body != "" || trailers != nil {
		_ = f.WriteData(1, trailers == nil, []byte(body))
	}
	if trailers != nil {
		headers(trailers, true)
	}
	for over := false; !over; {
		frame, err := f.ReadFrame()
		if err != nil {
			break
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			status = cmp.Or(status, frame.PseudoValue("status"))
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			over = true
		}
		over = over || frame.Header().StreamID == 1 && frame.Header().Flags.Has(http2.FlagDataEndStream)
	}
	got = a.app.take()
	for _, h := range got {
		as := user
		if said := h.all("X-As"); len(said) == 1 { // it may be the one before, late
			as = said[0]
		}
		a.judge(t, h, as)
		if t.Failed() {
			t.Fatalf("after\n%q\n%q\nthe application got\n%s\n%s", fields, body, h.Line, strings.Join(h.Headers, "\n"))
		}
	}
	return status, got
}
