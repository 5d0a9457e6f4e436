package freeport

import (
	"fmt"
	"net"
	"os"
	"testing"
)

// TestAPortIsNobodyElses: neither the kernel's, nor that of another process that asks,
// whose reservation fails.
func TestAPortIsNobodyElses(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Fatal(err)
	}
	var low, high int
	if _, err := fmt.Sscan(string(text), &low, &high); err != nil {
		t.Fatal(err)
	}
	given := map[int]bool{}
	for range 500 {
		port, err := Find()
		if err != nil {
			t.Fatal(err)
		}
		if given[port] || port >= low && port <= high {
			t.Fatalf("%d: given before, or one of the kernel's (%d to %d)", port, low, high)
		}
		given[port] = true
		if l, err := net.Listen("unix", fmt.Sprintf("@idp-port-%d", port)); err == nil {
			_ = l.Close()
			t.Fatalf("%d can be reserved again", port)
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatalf("%d is not free: %v", port, err)
		}
		_ = l.Close()
	}
}

// TestAPortInUseIsNotGiven, whoever uses it.
func TestAPortInUseIsNotGiven(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = u.Close() }()
	if free(l.Addr().(*net.TCPAddr).Port) || free(u.LocalAddr().(*net.UDPAddr).Port) {
		t.Error("a port with a listener counts as free")
	}
}
