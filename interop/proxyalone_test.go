//go:build interop

package interop_test

import (
	"bufio"
	"bytes"
	"crypto/elliptic"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Nobody answers the proxy's question, or not to its end, or otherwise than idp ever
// should: nothing reaches the application, and the visitor is not kept waiting.
func TestHoleProxiesWithoutIDP(t *testing.T) { withoutIDP(t, proxies) }

// soon bounds what a visitor waits, on a machine that is slow; the files of
// deploy/proxies/ say 5 s.
const soon = 30 * time.Second

func withoutIDP(t *testing.T, proxies []proxy) {
	certificate, key := pair(t, elliptic.P256())
	nobody, _ := freeAddress(t)
	strange, deaf := strangeIDP(t), deafIDP(t)
	v := newVisitor(t, &binary{CA: certificate})
	app := newEcho(t)
	var all sync.WaitGroup
	for _, p := range proxies {
		for idp, paths := range map[string][]string{nobody: {"/public/nobody"}, deaf: {"/public/deaf"}, strange: strangeAnswers} {
			f := newFront(t, idp, app.Addr, certificate, key)
			p.start(f, t)
			for _, path := range paths {
				all.Go(func() { asksInVain(t, p, f, v.http, path) })
			}
		}
	}
	all.Wait()
	if got := app.take(); len(got) > 0 {
		t.Errorf("the application got %v", got)
	}
}

// asksInVain asks for a page that is open to anybody, or one of idp's.
func asksInVain(t *testing.T, p proxy, f *front, c *http.Client, path string) {
	began := time.Now()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+path, nil)
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Remote-User", "ada")
	resp, err := c.Do(req)
	if err != nil {
		t.Errorf("%s%s: %v\n%s", p.name, path, err, tail(f.Log))
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !p.blank && path != "/public/500" && resp.StatusCode >= http.StatusInternalServerError && len(bytes.TrimSpace(body)) == 0 {
		t.Errorf("%s%s is answered %d with a blank page: %v", p.name, path, resp.StatusCode, err)
	}
	if resp.StatusCode < http.StatusMultipleChoices || resp.StatusCode == http.StatusUnauthorized || path != "/public/302" && resp.StatusCode < http.StatusInternalServerError {
		t.Errorf("%s%s is answered %d\n%s", p.name, path, resp.StatusCode, tail(f.Log))
	}
	if took := time.Since(began); took > max(soon, p.waits) {
		t.Errorf("%s%s is answered %d after %s", p.name, path, resp.StatusCode, took)
	}
}

// strangeAnswers are paths, by whose ends a strange idp knows what to answer. Each
// answer names a user.
var strangeAnswers = []string{"/public/500", "/public/302", "/public/garbage", "/public/nothing", "/public/half", "/public/silence", "/.idp/silence"}

// strangeIDP answers so until the test ends.
func strangeIDP(t *testing.T) (addr string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended); _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				answerStrangely(c, ended)
			}()
		}
	}()
	return l.Addr().String()
}

func answerStrangely(c net.Conn, ended <-chan struct{}) {
	const named = "Remote-User: ada\r\nLocation: /elsewhere\r\n"
	var question strings.Builder
	for from := bufio.NewReader(c); !strings.HasSuffix(question.String(), "\r\n\r\n"); {
		line, err := from.ReadString('\n')
		if err != nil {
			return
		}
		question.WriteString(line)
	}
	switch asked := question.String(); {
	case strings.Contains(asked, "/500"):
		_, _ = io.WriteString(c, "HTTP/1.1 500 Internal Server Error\r\n"+named+"Content-Length: 0\r\nConnection: close\r\n\r\n")
	case strings.Contains(asked, "/302"):
		_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\n"+named+"Content-Length: 0\r\nConnection: close\r\n\r\n")
	case strings.Contains(asked, "/garbage"):
		_, _ = io.WriteString(c, "nothing that is HTTP\r\n"+named+"\r\n")
	case strings.Contains(asked, "/half"):
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+named)
		<-ended
	case strings.Contains(asked, "/silence"):
		<-ended
	}
}

// deafIDP is one whose machine answers nobody any more: no connection comes about.
func deafIDP(t *testing.T) (addr string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(t, err)
	file := os.NewFile(uintptr(fd), "deaf")
	t.Cleanup(func() { _ = file.Close() })
	must(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0))
	l, err := net.FileListener(file)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	// The system answers for it until its queue is full.
	for {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			return l.Addr().String()
		}
		t.Cleanup(func() { _ = c.Close() })
	}
}
