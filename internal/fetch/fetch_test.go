package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/doctor/dnstest"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// quiet is the log of servers whose clients give up.
var quiet = log.New(io.Discard, "", 0)

// site is an https server on loopback, which counts its requests.
type site struct {
	*httptest.Server
	asked atomic.Int64
	conns atomic.Int64
	gone  chan struct{} // closed when the test ends
}

func newSite(t *testing.T, h http.HandlerFunc) *site {
	t.Helper()
	s := &site{gone: make(chan struct{})}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		h(w, r)
	}))
	s.Config.ErrorLog = quiet
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(s.gone) }) // before Close, which waits for handlers
	return s
}

// fetcher trusts the certificate of s.
func (s *site) fetcher(t *testing.T, c Config) *Fetcher {
	t.Helper()
	c.RootCAs = x509.NewCertPool()
	c.RootCAs.AddCert(s.Certificate())
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (s *site) port() string {
	return s.Listener.Addr().(*net.TCPAddr).AddrPort().String()[len("127.0.0.1"):]
}

// expect demands an *Error whose text holds want and nothing of an answer.
func expect(t *testing.T, err error, want string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want an *Error with %q", err, want)
		return
	}
	if strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 300 || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %q: not one plain line", err)
	}
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func TestGet(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.UserAgent() != "idp" || r.Header.Get("Accept") != "application/json" || r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" {
			t.Errorf("%s, %v", r.Method, r.Header)
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		hello(w, r)
	})
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	f := s.fetcher(t, Config{AllowPrivate: loopback})
	for range 3 {
		if body, err := f.Get(t.Context(), s.URL+"/jwks?a=b"); err != nil || string(body) != "hello" {
			t.Errorf("%q, %v", body, err)
		}
	}
	if s.conns.Load() != 1 {
		t.Errorf("%d connections for three requests", s.conns.Load())
	}
}

func TestPost(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || string(body) != "logout_token=x" || r.ContentLength != 14 {
			t.Errorf("%s %q, %v, %v", r.Method, body, r.Header, err)
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	})
	f := s.fetcher(t, Config{AllowPrivate: loopback})
	for range 2 {
		if status, err := f.Post(t.Context(), s.URL, "application/x-www-form-urlencoded", []byte("logout_token=x")); err != nil || status != http.StatusBadRequest {
			t.Errorf("%d, %v", status, err)
		}
	}
}

// TestHoleSSRF: an address that is not public is not dialled, however it is written
// or named.
func TestHoleSSRF(t *testing.T) {
	s := newSite(t, hello)
	f := s.fetcher(t, Config{})
	f.resolver = dnstest.Resolver(t, dnstest.Zone{
		"four.example A": {"127.0.0.1"}, "six.example AAAA": {"::1"}, "mapped.example AAAA": {"::ffff:127.0.0.1"}, "metadata.example A": {"169.254.169.254"},
		"several.example A": {"10.0.0.1", "127.0.0.1"}, "alias.example CNAME": {"four.example"}, "nat64.example AAAA": {"64:ff9b::7f00:1"},
	})
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "localhost", "LOCALHOST", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
		"four.example", "six.example", "mapped.example", "metadata.example", "several.example", "alias.example", "nat64.example", "four.example.",
		"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "[fe80::1]", "[fd00::1]", "[ff02::1]", "[2002:7f00:1::]",
	} {
		_, err := f.Get(t.Context(), "https://"+host+s.port())
		expect(t, err, "not an address of the public Internet")
		_, err = f.Post(t.Context(), "http://"+host+s.port(), "text/plain", nil)
		expect(t, err, "not allowed")
	}
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1.", "１２７.0.0.1", "[fe80::1%25lo]", "%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1"} { // how others write 127.0.0.1
		if body, err := f.Get(t.Context(), "https://"+host+s.port()); err == nil {
			t.Errorf("%s: %q", host, body)
		}
	}
	if s.conns.Load() != 0 {
		t.Errorf("%d connections were made", s.conns.Load())
	}
}

// TestHoleDNSRebinding: what counts is the address that is dialled, not the one that
// a name had when somebody looked.
func TestHoleDNSRebinding(t *testing.T) {
	s := newSite(t, hello)
	f := s.fetcher(t, Config{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	zone := dnstest.Zone{"example.com A": {"127.0.0.2"}}
	f.resolver = dnstest.Resolver(t, zone)
	_, err := f.Get(t.Context(), "https://example.com"+s.port()) // allowed, and nobody is there
	expect(t, err, "the connection is refused")
	f.resolver = dnstest.Resolver(t, dnstest.Zone{"example.com A": {"127.0.0.1"}})
	_, err = f.Get(t.Context(), "https://example.com"+s.port())
	expect(t, err, "127.0.0.1 is not an address of the public Internet")
	if s.conns.Load() != 0 {
		t.Errorf("%d connections were made", s.conns.Load())
	}
}

// TestAllowedNetworks: only what is listed, and plain http only on loopback.
func TestAllowedNetworks(t *testing.T) {
	s := newSite(t, hello)
	f := s.fetcher(t, Config{AllowPrivate: loopback})
	f.resolver = dnstest.Resolver(t, dnstest.Zone{"example.com A": {"127.0.0.1"}, "example.com AAAA": {"fd00::1"}})
	for _, host := range []string{"127.0.0.1", "example.com", "[::ffff:127.0.0.1]"} {
		if body, err := f.Get(t.Context(), "https://"+host+s.port()); err != nil && !strings.Contains(err.Error(), "another name") || err == nil && string(body) != "hello" {
			t.Errorf("%s: %q, %v", host, body, err)
		}
	}
	_, err := f.Get(t.Context(), "https://10.1.2.3"+s.port())
	expect(t, err, "10.1.2.3 is not an address")
	plain := httptest.NewServer(http.HandlerFunc(hello))
	t.Cleanup(plain.Close)
	if body, err := f.Get(t.Context(), plain.URL); err != nil || string(body) != "hello" {
		t.Errorf("plain http on loopback: %q, %v", body, err)
	}
	company := s.fetcher(t, Config{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	_, err = company.Get(t.Context(), plain.URL)
	expect(t, err, "plain http to 127.0.0.1 is not allowed")
	_, err = company.Get(t.Context(), "http://10.0.0.1/")
	expect(t, err, "plain http to 10.0.0.1 is not allowed")
	_, err = company.Get(t.Context(), "http://192.0.2.1/")
	expect(t, err, "plain http to 192.0.2.1 is not allowed")
}

func TestAddresses(t *testing.T) {
	f, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	company, err := New(Config{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd12::/16"), netip.MustParsePrefix("64:ff9b::/96")}})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string][2]bool{ // by default, for the company
		"8.8.8.8": {true, true}, "1.1.1.1": {true, true}, "172.15.255.255": {true, true}, "172.32.0.0": {true, true}, "100.63.255.255": {true, true}, "100.128.0.0": {true, true},
		"223.255.255.255": {true, true}, "2606:4700::1111": {true, true}, "2a00:1450::1": {true, true}, "2001:200::1": {true, true}, "::ffff:8.8.8.8": {true, true},
		"10.0.0.0": {false, true}, "10.255.255.255": {false, true}, "::ffff:10.0.0.1": {false, true}, "fd12::1": {false, true}, "fd12::1%eth0": {false, true},
		"64:ff9b::808:808": {false, true}, "64:ff9b::a00:1": {false, true}, "64:ff9b::7f00:1": {false, false}, "64:ff9b::c0a8:1": {false, false}, "64:ff9b:1::808:808": {},
		"0.0.0.0": {}, "0.1.2.3": {}, "127.0.0.1": {}, "127.255.255.255": {}, "169.254.169.254": {}, "172.16.0.0": {}, "172.31.255.255": {}, "192.168.0.1": {}, "100.64.0.0": {}, "100.127.255.255": {},
		"192.0.0.8": {}, "192.0.2.1": {}, "198.18.0.1": {}, "198.19.255.255": {}, "198.51.100.1": {}, "203.0.113.1": {}, "224.0.0.1": {}, "239.1.1.1": {}, "240.0.0.1": {}, "255.255.255.255": {},
		"::": {}, "::1": {}, "::ffff:127.0.0.1": {}, "::127.0.0.1": {}, "::8.8.8.8": {}, "fe80::1": {}, "fe80::1%eth0": {}, "fec0::1": {}, "fc00::1": {}, "fd13::1": {}, "ff02::1": {}, "ff0e::1": {},
		"2001::1": {}, "2001:db8::1": {}, "2002:808:808::": {}, "3fff::1": {}, "100::1": {}, "5f00::1": {}, "4000::1": {},
	} {
		for i, g := range []*Fetcher{f, company} {
			err := control(g.permit)(t.Context(), "tcp", netip.AddrPortFrom(netip.MustParseAddr(address), 443).String(), nil)
			if (err == nil) != want[i] {
				t.Errorf("%s, fetcher %d: %v", address, i, err)
			}
		}
	}
	if err := control(f.permit)(t.Context(), "unix", "/run/postgresql", nil); err == nil {
		t.Error("a path is an address")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var s *site
	s = newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Error("followed")
		}
		http.Redirect(w, r, s.URL+"/secret", http.StatusFound)
	})
	f := s.fetcher(t, Config{AllowPrivate: loopback})
	_, err := f.Get(t.Context(), s.URL+"/")
	expect(t, err, "answered 302: redirects are not followed")
	if status, err := f.Post(t.Context(), s.URL+"/", "text/plain", nil); err != nil || status != http.StatusFound {
		t.Errorf("%d, %v", status, err)
	}
}

func TestAnswersWithoutEnd(t *testing.T) {
	var s *site
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 1024)); err != nil {
				return
			}
		}
	}
	s = newSite(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/body":
			endless(w, r)
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			endless(w, r)
		case "/length":
			w.Header().Set("Content-Length", fmt.Sprint(1<<40))
			endless(w, r)
		case "/exact":
			_, _ = io.WriteString(w, strings.Repeat("x", 64<<10))
		case "/more":
			_, _ = io.WriteString(w, strings.Repeat("x", 64<<10+1))
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		case "/cut":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "secret")
		case "/hint":
			for range 10000 {
				w.Header().Set("Link", strings.Repeat("x", 1000))
				w.WriteHeader(http.StatusEarlyHints)
			}
		}
	})
	f := s.fetcher(t, Config{AllowPrivate: loopback})
	for path, want := range map[string]string{
		"/body": "longer than 65536 bytes", "/zipped": "longer than 65536 bytes", "/length": "longer than 65536 bytes", "/more": "longer than 65536 bytes",
		"/header": "not HTTP", "/cut": "broke", "/hint": "not HTTP",
	} {
		_, err := f.Get(t.Context(), s.URL+path)
		expect(t, err, want)
	}
	if body, err := f.Get(t.Context(), s.URL+"/exact"); err != nil || len(body) != 64<<10 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	small := s.fetcher(t, Config{AllowPrivate: loopback, MaxBytes: 10})
	_, err := small.Get(t.Context(), s.URL+"/exact")
	expect(t, err, "longer than 10 bytes")
}

// TestSlowAnswers: whatever part of an answer is slow, the deadline is for all.
func TestSlowAnswers(t *testing.T) {
	var s *site
	s = newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "secret")
			_ = http.NewResponseController(w).Flush()
		}
		<-s.gone // not the client's end: an answer that ends with it may still arrive
	})
	f := s.fetcher(t, Config{AllowPrivate: loopback, timeout: 200 * time.Millisecond})
	for _, path := range []string{"/header", "/body"} {
		_, err := f.Get(t.Context(), s.URL+path)
		expect(t, err, "no complete answer within 200ms")
	}
	_, err := f.Post(t.Context(), s.URL+"/header", "text/plain", nil)
	expect(t, err, "no complete answer within 200ms")

	silent, err := net.Listen("tcp", "127.0.0.1:0") // connects, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	_, err = f.Get(t.Context(), "https://"+silent.Addr().String())
	expect(t, err, "no complete answer within 200ms")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.Get(ctx, s.URL+"/header")
	expect(t, err, "given up")
	if !errors.Is(err, context.Canceled) {
		t.Error("the cause is lost")
	}
}

func TestReasons(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "secret")
	})
	f := s.fetcher(t, Config{AllowPrivate: loopback})
	f.resolver = dnstest.Resolver(t, dnstest.Zone{"other.test A": {"127.0.0.1"}, "broken.test SERVFAIL": nil})
	_, err := f.Get(t.Context(), s.URL+"/jwks?token=secret")
	expect(t, err, s.URL+"/jwks: answered 404")
	_, err = f.Get(t.Context(), "https://nobody.test/")
	expect(t, err, "the name is not known")
	_, err = f.Get(t.Context(), "https://broken.test/")
	expect(t, err, "the name cannot be resolved now")
	_, err = f.Get(t.Context(), "https://other.test"+s.port())
	expect(t, err, "the certificate is for another name")

	strangers, err := New(Config{AllowPrivate: loopback})
	if err != nil {
		t.Fatal(err)
	}
	_, err = strangers.Get(t.Context(), s.URL)
	expect(t, err, "the certificate is not trusted: nobody we trust signed it")

	plain := httptest.NewServer(http.HandlerFunc(hello))
	t.Cleanup(plain.Close)
	_, err = f.Get(t.Context(), strings.Replace(plain.URL, "http:", "https:", 1))
	expect(t, err, "does not speak TLS")

	old := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = quiet
	old.StartTLS()
	t.Cleanup(old.Close)
	_, err = f.Get(t.Context(), old.URL)
	expect(t, err, "the server refuses our TLS")

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	_, err = f.Get(t.Context(), "https://"+closed.Addr().String())
	expect(t, err, "the connection is refused")

	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = garbage.Close() })
	go func() {
		for {
			c, err := garbage.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "the secret of another protocol\r\n\r\n")
			_ = c.Close()
		}
	}()
	_, err = f.Get(t.Context(), "http://"+garbage.Addr().String())
	expect(t, err, "not HTTP")
}

func TestCheck(t *testing.T) {
	for url, want := range map[string]string{
		"https://wiki.example.com/jwks?a=b": "", "https://10.0.0.1:8443": "", "http://localhost:8080/jwks": "",
		"":                              "want an https URL",
		"wiki.example.com/jwks":         "want an https URL",
		"//wiki.example.com/jwks":       "want an https URL",
		"file:///etc/passwd":            "want an https URL",
		"gopher://127.0.0.1:25/x":       "want an https URL",
		"https://":                      "no host",
		"https:wiki.example.com":        "no host",
		"https://:443/":                 "no host",
		"https://user:secret@a.example": "a user or a password",
		"https://a.example/#x":          "fragment",
		"https://a.example/\x00":        "broken",
		"https://a.example/\r\nX: y":    "broken",
		"https://[::1":                  "broken",
		"https://a.example:x/":          "broken",
		"https://a.example/" + strings.Repeat("x", maxURL): "longer",
	} {
		err := Check(url)
		if want == "" && err != nil {
			t.Errorf("%q: %v", url, err)
		}
		if want != "" {
			expect(t, err, want)
			f, err := New(Config{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.Get(t.Context(), url)
			expect(t, err, want)
		}
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	for name, c := range map[string]Config{
		"no network":       {AllowPrivate: []netip.Prefix{{}}},
		"a mapped network": {AllowPrivate: []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.0"), 104)}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
