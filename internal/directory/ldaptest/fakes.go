package ldaptest

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// Fake is a server that does what no real one would. It takes connections until the
// test ends.
type Fake struct {
	Addr  string
	taken atomic.Int64
}

// Taken is how many connections it has taken.
func (f *Fake) Taken() int { return int(f.taken.Load()) }

// Hang shows a good certificate, and says nothing then.
func (a *Authority) Hang() *Fake {
	a.t.Helper()
	cert, key := a.Issue("127.0.0.1")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		a.t.Fatal(err)
	}
	return serve(a.t, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}})) // until it is closed
	})
}

// Silent says nothing.
func Silent(t testing.TB) *Fake {
	t.Helper()
	return serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }) // until it is closed
}

// Answers to StartTLS: an ExtendedResponse of message 1, RFC 4511 §4.12.
var (
	startTLSGood    = []byte{0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00}
	startTLSRefused = []byte{0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x02, 0x04, 0x00, 0x04, 0x00} // protocolError
)

// HangsAfterStartTLS agrees to TLS, and says nothing then.
func HangsAfterStartTLS(t testing.TB) *Fake {
	t.Helper()
	return Says(t, string(startTLSGood))
}

// NoTLS does not want TLS.
func NoTLS(t testing.TB) *Fake {
	t.Helper()
	return Says(t, string(startTLSRefused))
}

// Says answers whatever it is asked with a text, and nothing more.
func Says(t testing.TB, text string) *Fake {
	t.Helper()
	return serve(t, func(c net.Conn) {
		if _, err := c.Read(make([]byte, 512)); err == nil {
			_, _ = io.WriteString(c, text) // who left does not hear it
		}
		_, _ = io.Copy(io.Discard, c) // until it is closed
	})
}

func serve(t testing.TB, talk func(net.Conn)) *Fake {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	f := &Fake{Addr: ln.Addr().String()}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.taken.Add(1)
			go func() { defer c.Close(); talk(c) }()
		}
	}()
	return f
}

// WriteFile writes a file or ends the test.
func WriteFile(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Forgetful passes on what is said to a server and what it says, as a firewall does;
// after Forget it ends each connection that it has as soon as somebody speaks on it.
type Forgetful struct {
	*Fake
	mu   sync.Mutex
	gone int // connections up to this one are forgotten
}

// Through makes one in front of a server.
func Through(t testing.TB, to string) *Forgetful {
	t.Helper()
	f := &Forgetful{}
	ready := make(chan struct{})
	f.Fake = serve(t, func(c net.Conn) {
		<-ready
		number := f.Taken()
		up, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer up.Close()
		go func() { _, _ = io.Copy(c, up) }()
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil || f.forgot(number) {
				return
			}
			if _, err := up.Write(b[:n]); err != nil {
				return
			}
		}
	})
	close(ready)
	return f
}

// Forget what there is.
func (f *Forgetful) Forget() { f.mu.Lock(); defer f.mu.Unlock(); f.gone = f.Taken() }

func (f *Forgetful) forgot(number int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return number <= f.gone
}
