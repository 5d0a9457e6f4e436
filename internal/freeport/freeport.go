// Package freeport finds ports of loopback for programs that must be told theirs
// before they start: a KDC, a proxy, idp itself in a test or a demonstration.
//
// A port that the kernel just gave to a listener on port 0, and that is closed again,
// is a poor choice: the kernel gives it next to any connection of any program, and a
// server that starts seconds later finds its address in use. These ports lie below
// those that the kernel gives away (ip_local_port_range), and no two processes that
// ask here get the same one. It is for tests and demonstrations, on Linux; a server
// that can listen on port 0 itself should.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
)

// The lowest port that is given, and the one that the kernel's own begin at where it
// does not say.
const lowest, kernels = 10_000, 32_768

// held are the reservations of this process: a name among Linux's abstract sockets for
// each port, which ends with the process. A variable keeps them from being closed as
// garbage.
var (
	mu   sync.Mutex
	held []net.Listener
)

// Find gives a port of 127.0.0.1 that is free for TCP and UDP, and that it gives to
// nobody else until this process ends. Safe for concurrent use.
func Find() (int, error) {
	below := kernels
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if _, err := fmt.Sscan(string(text), &below); err != nil || below <= lowest {
			below = kernels
		}
	}
	for range 200 {
		port := lowest + rand.IntN(below-lowest)
		l, err := net.Listen("unix", fmt.Sprintf("@idp-port-%d", port))
		if err != nil {
			continue // somebody else's
		}
		if !free(port) {
			_ = l.Close()
			continue
		}
		mu.Lock()
		held = append(held, l)
		mu.Unlock()
		return port, nil
	}
	return 0, errors.New("no port of 127.0.0.1 is free for TCP and UDP")
}

// Address is Find's port with its host: 127.0.0.1:PORT.
func Address() (string, error) {
	port, err := Find()
	return fmt.Sprintf("127.0.0.1:%d", port), err
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	defer l.Close()
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return false
	}
	return u.Close() == nil
}
