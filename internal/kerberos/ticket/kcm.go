package ticket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// kcm is the machine's server of credential caches, which knows by the socket whose
// they are: sssd-kcm, the default of Red Hat's systems, or Heimdal's kcm. The protocol
// is described in MIT Kerberos' kcm.h.
type kcm struct {
	socket string // path
	name   string // of one cache; empty: the user's collection
	me     int
	wait   time.Duration // for all that is asked
}

// Where MIT Kerberos and its servers have the socket, and how much of them we bear.
const (
	kcmSocket  = "/var/run/.heim_org.h5l.kcm-socket"
	kcmTimeout = 5 * time.Second
)

func (k kcm) read() (*cache, error) {
	c, err := k.readBy(false)
	if errors.Is(err, io.EOF) { // so sssd-kcm answers what it does not know
		return k.readBy(true)
	}
	return c, err
}

func (k kcm) readBy(oneByOne bool) (*cache, error) {
	c, err := k.dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.oneByOne = oneByOne
	return c.read(k.name)
}

func (k kcm) all() []*cache {
	if k.name != "" {
		return nil
	}
	c, err := k.dial()
	if err != nil {
		return nil
	}
	defer c.Close()
	c.oneByOne = true
	return c.all()
}

// dial connects to the server. Who answers decides as whom we act, so it has to be
// the machine's, or our own.
func (k kcm) dial() (*kcmConn, error) {
	d := net.Dialer{Timeout: k.wait}
	conn, err := d.Dial("unix", k.socket)
	if err != nil {
		return nil, fmt.Errorf("the tickets are kept by a KCM server, which does not answer: %w; start it (systemctl start sssd-kcm.socket), or %s", err, another)
	}
	peer, err := peerOf(conn)
	if err == nil && peer != 0 && peer != k.me {
		err = fmt.Errorf("%s is served by somebody else (uid %d): want root, or yourself", k.socket, peer)
	}
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(k.wait))
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &kcmConn{ReadWriteCloser: conn, left: maxCache}, nil
}

// peerOf is the uid of who listens at the other end.
func peerOf(conn net.Conn) (uid int, err error) {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	asked := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(asked, err); err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}
