package krbtest

import (
	"net"
	"strconv"
	"testing"

	"idp/internal/freeport"
)

// DeadKDC is where a KDC was: its port takes what is sent to it, by UDP and TCP, and never
// says a word.
func DeadKDC(t testing.TB) (addr string) {
	t.Helper()
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = udp.Close() })
	tcp, err := net.Listen("tcp", addr) // connections come about, and stay in the system's queue
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tcp.Close() })
	return addr
}
