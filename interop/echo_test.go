//go:build interop || bench

package interop_test

import (
	"bufio"
	"bytes"
	"crypto/sha1" // RFC 6455 §4.2.2 wants it
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// echo is an application that knows no logins: it answers every request with what
// it got, and remembers it.
type echo struct {
	Addr    string
	forgets bool // nobody takes what was heard

	mu    sync.Mutex
	heard []heard
}

// heard is a request as it came, byte by byte, but for the framing of the body.
type heard struct {
	Line    string // the request line
	Headers []string
	Body    string
}

// newEcho starts an echo until the test ends.
func newEcho(t testing.TB) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	e := &echo{Addr: l.Addr().String()}
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				for from := bufio.NewReader(c); e.answer(c, from) == nil; {
				}
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return e
}

// answer answers one request; an error ends the connection.
func (e *echo) answer(c net.Conn, from *bufio.Reader) error {
	var head bytes.Buffer
	for !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) {
		line, err := from.ReadBytes('\n')
		if err != nil {
			return err
		}
		head.Write(line)
	}
	lines := strings.Split(strings.TrimRight(head.String(), "\r\n"), "\r\n")
	h := heard{Line: lines[0], Headers: lines[1:]}
	// What Go refuses has been heard all the same.
	req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(&head, from)))
	if err == nil && req.Body != nil {
		var body []byte
		body, err = io.ReadAll(req.Body)
		h.Body = string(body)
	}
	e.mu.Lock()
	if !e.forgets {
		e.heard = append(e.heard, h)
	}
	e.mu.Unlock()
	if err != nil {
		return err
	}
	if strings.EqualFold(req.Header.Get("Upgrade"), "websocket") {
		return switchProtocols(c, req, h)
	}
	return write(c, "200 OK"+deliveredFrom(req), h)
}

// deliveredFrom is the header by which the proxy is to deliver a file, where a request
// says that it does and from where, as Rack's and Plack's Sendfile make it.
func deliveredFrom(req *http.Request) string {
	from, to, ok := strings.Cut(req.Header.Get("X-Accel-Mapping"), "=")
	if !ok || req.Header.Get("X-Sendfile-Type") == "" {
		return ""
	}
	return "\r\n" + req.Header.Get("X-Sendfile-Type") + ": " + strings.Replace(req.URL.Path, from, to, 1)
}

func write(c net.Conn, status string, h heard) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(text), text)
	return err
}

// switchProtocols accepts a WebSocket, and sends back whatever comes through it.
func switchProtocols(c net.Conn, req *http.Request, h heard) error {
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err := fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nX-User: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]), h.get("Remote-User"))
	if err != nil {
		return err
	}
	_, _ = io.Copy(c, c)
	return io.EOF
}

// take is what was heard since the last time.
func (e *echo) take() []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.heard
	e.heard = nil
	return out
}

func (h heard) method() string { m, _, _ := strings.Cut(h.Line, " "); return m }

// target is the request target as it came.
func (h heard) target() string {
	_, rest, _ := strings.Cut(h.Line, " ")
	target, _, _ := strings.Cut(rest, " HTTP/")
	return target
}

// all are the values of a header, whichever of its spellings they came by: to a
// CGI or WSGI application whatever is no letter or digit is the same.
func (h heard) all(name string) (out []string) {
	for _, line := range h.Headers {
		n, value, _ := strings.Cut(line, ":")
		if spelled(n) == spelled(name) {
			out = append(out, textproto.TrimString(value))
		}
	}
	return out
}

func spelled(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(textproto.TrimString(name)))
}

// get is the value of a header that is there once, or "".
func (h heard) get(name string) string {
	if all := h.all(name); len(all) == 1 {
		return all[0]
	}
	return ""
}
