package krbtest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// Listen serves every connection to a port of loopback until the test ends.
func Listen(t testing.TB, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go serve(c)
		}
	}()
	return l.Addr().String()
}

// FakeKDC is a KDC over TCP for faults that a real one will not make on demand:
// it answers every request with reply(request), which begins with its length
// (Framed); nil keeps the connection open in silence.
func FakeKDC(t testing.TB, reply func(req []byte) []byte) (addr string) {
	t.Helper()
	return Listen(t, func(c net.Conn) {
		if req, err := readFramed(c); err == nil {
			if b := reply(req); b != nil {
				_, _ = c.Write(b)
			}
		}
	})
}

// Framed puts the length of TCP in front of a message, RFC 4120 §7.2.2.
func Framed(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg...)
}

func readFramed(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint32(head))
	_, err := io.ReadFull(r, msg)
	return msg, err
}

// Relay passes a request on to the realm's KDC, for whoever stands in the middle.
func (r *Realm) Relay(req []byte) ([]byte, error) {
	c, err := net.Dial("tcp", r.Addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := c.Write(Framed(req)); err != nil {
		return nil, err
	}
	return readFramed(c)
}

// UseKDCs rewrites the realm's krb5.conf for other KDCs.
func (r *Realm) UseKDCs(t testing.TB, libdefaults string, kdcs ...string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "[libdefaults]\ndns_lookup_kdc = false\n%s\n[realms]\n%s = {\n", libdefaults, r.Name)
	for _, k := range kdcs {
		fmt.Fprintf(&b, "kdc = %s\n", k)
	}
	b.WriteString("}\n")
	if err := os.WriteFile(r.Krb5Conf, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TCPOnly stands before the realm's KDC as a firewall does that passes TCP and
// drops UDP without a word.
func (r *Realm) TCPOnly(t testing.TB) (addr string) {
	t.Helper()
	addr = Listen(t, func(c net.Conn) {
		defer c.Close()
		kdc, err := net.Dial("tcp", r.Addr)
		if err != nil {
			return
		}
		defer kdc.Close()
		go func() { _, _ = io.Copy(kdc, c) }() // ends with the client
		_, _ = io.Copy(c, kdc)
	})
	u, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return addr
}
