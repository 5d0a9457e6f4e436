package ticket

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"idp/internal/kerberos/wire"
)

// The real servers are asked by make interop. What is here is what none of them does.

// kcmSays answers what is asked on a socket by giving always the same, and says where.
func kcmSays(t *testing.T, listen func(path string) net.Listener, says []byte) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l := listen(socket)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := conn.Read(make([]byte, 1024)); err == nil {
				_, _ = conn.Write(says)
			}
		}
	}()
	return socket
}

func ordinary(t *testing.T) func(path string) net.Listener {
	return func(path string) net.Listener {
		l, err := net.Listen("unix", path)
		must(t, err)
		return l
	}
}

// answered is an answer of the protocol.
func answered(body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))
	return append(append(b, make([]byte, 8)...), body...)
}

// TestHoleKCMServedBySomebodyElse: whoever comes to serve the socket would decide as
// whom we act.
func TestHoleKCMServedBySomebodyElse(t *testing.T) {
	stranger := func(path string) net.Listener {
		made := make(chan net.Listener)
		go func() {
			runtime.LockOSThread()                                                         // and never unlocked: the thread ends as who it has become
			_, _, _ = syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, ^uintptr(0)) // fails, unless we are root, whom everybody believes
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Error(err)
			}
			made <- l
		}()
		return <-made
	}
	dir, err := os.MkdirTemp("", "idp-kcm-")
	must(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	must(t, os.Chmod(dir, 0o777)) // the stranger's socket comes into it
	l := stranger(filepath.Join(dir, "s"))
	defer l.Close()
	_, err = kcm{socket: filepath.Join(dir, "s"), me: os.Getuid() + 1, wait: 100 * time.Millisecond}.read()
	if err == nil || !strings.Contains(err.Error(), "is served by somebody else (uid ") {
		t.Error(err)
	}
}

// TestHoleKCMWithoutEnd: a server that stops answering, or does not stop, costs some
// seconds and some memory.
func TestHoleKCMWithoutEnd(t *testing.T) {
	for name, says := range map[string][]byte{
		"a length of 4 GB":    {255, 255, 255, 255, 0, 0, 0, 0},
		"a length of nothing": {0, 0, 0, 0, 0, 0, 0, 0},
		"no end of a name":    answered([]byte("name")),
		"no name":             answered([]byte{0}),
		"control characters":  answered([]byte("\x1b[2J\x00")),
	} {
		_, err := kcm{socket: kcmSays(t, ordinary(t), says), me: os.Getuid(), wait: time.Minute}.read()
		if err != errKCM { //nolint:errorlint // nothing may be wrapped around it
			t.Errorf("%s: %v", name, err)
		}
	}
	answer := answered(slices.Repeat([]byte{1}, 1<<20))
	c := &kcmConn{ReadWriteCloser: said(bytes.Repeat(answer, 100)), left: maxCache}
	n := 0
	for n < 100 {
		if _, err := c.call(kcmGetCredByUUID); err != nil {
			break
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d answers of a megabyte were taken, want 3", n)
	}
	_, err := kcm{socket: kcmSays(t, ordinary(t), nil), me: os.Getuid(), wait: 100 * time.Millisecond}.read()
	if err == nil || !strings.Contains(err.Error(), "said nothing") {
		t.Error(err)
	}
}

// Older servers do not know how to tell all tickets at once, and sssd-kcm breaks off then.
func TestKCMWithoutTheExtension(t *testing.T) {
	e := entry{client: alice, server: alice, key: wire.Key{Etype: 18, Value: make([]byte, 32)}, ticket: []byte("ticket")}
	says := map[uint16][]byte{
		kcmGetDefaultCache: []byte("0\x00"), kcmGetPrincipal: writtenPrincipal(nil, alice),
		kcmGetCredUUIDList: make([]byte, 2*kcmUUID), kcmGetCredByUUID: writtenEntry(nil, e, false),
	}
	socket := filepath.Join(t.TempDir(), "s")
	l := ordinary(t)(socket)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			asked := make([]byte, 1024)
			for _, err := conn.Read(asked); err == nil; _, err = conn.Read(asked) {
				body, ok := says[binary.BigEndian.Uint16(asked[6:])]
				if !ok {
					break
				}
				_, _ = conn.Write(answered(body))
			}
			_ = conn.Close()
		}
	}()
	c, err := kcm{socket: socket, me: os.Getuid(), wait: time.Minute}.read()
	if err != nil || len(c.entries) != 2 || !c.client.Equal(alice) {
		t.Errorf("%+v %v", c, err)
	}
}

// said is a server that has said all this, whatever is asked.
func said(b []byte) io.ReadWriteCloser {
	return struct {
		io.Reader
		io.Writer
		io.Closer
	}{bytes.NewReader(b), io.Discard, io.NopCloser(nil)}
}

// FuzzKCM: what a server says, from one answer to the next.
func FuzzKCM(f *testing.F) {
	home := wire.Principal{Components: []string{"krbtgt", "EXAMPLE.TEST"}, Realm: "EXAMPLE.TEST", NameType: 2}
	e := entry{client: alice, server: home, key: wire.Key{Etype: 18, Value: make([]byte, 32)}, end: time.Unix(2_000_000_000, 0), ticket: []byte("ticket")}
	principal, cred := answered(writtenPrincipal(nil, alice)), writtenEntry(nil, e, false)
	list := answered(writtenData([]byte{0, 0, 0, 1}, cred))
	refused := []byte{0, 0, 0, 0, 0x96, 0xc7, 0x3a, 0x77} // so the next thing is asked
	f.Add(slices.Concat(answered([]byte("0\x00")), principal, list))
	f.Add(slices.Concat(answered([]byte("0\x00")), principal, refused, answered(make([]byte, 16)), answered(cred)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &kcmConn{ReadWriteCloser: said(b), left: maxCache}
		got, err := c.read("")
		if err != nil {
			return
		}
		if checkPrincipal(got.client) != nil || len(got.entries) > maxKCMCreds {
			t.Errorf("%+v", got)
		}
		for _, e := range got.entries {
			if !bytes.Contains(b, e.ticket) || !bytes.Contains(b, e.key.Value) {
				t.Errorf("%+v is not in what was said", e)
			}
		}
		_, _ = got.tgt(time.Unix(1_000_000_000, 0))
	})
}
