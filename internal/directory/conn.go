package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Bounds of what a server may send: for one operation, and before anybody knows who
// it is. The reader below recurses into what it reads.
const (
	maxAnswer   = 2 << 20
	maxGreeting = 64 << 10 // a chain of certificates
)

// The steps on which a server can fail, as log and doctor name them.
const (
	stepConnect  = "connect"
	stepStartTLS = "StartTLS"
	stepTLS      = "TLS"
	stepPassword = "password"
	stepBind     = "bind"
	stepSearch   = "search"
)

// Failure is a server that could not be asked.
type Failure struct {
	Server string // host:port
	Step   string
	Err    error
}

// Error implements error.
func (f *Failure) Error() string {
	return strings.TrimRight(fmt.Sprintf("%s: %s: %v", f.Server, f.Step, f.Err), ": ") // the library's, where a server says no more
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// conn is a connection that one operation has at a time.
type conn struct {
	*ldap.Conn
	raw   *bounded
	freed time.Time // when its last operation ended
}

// dial connects, by TLS, and binds. ctx bounds all of it.
func (s *server) dial(ctx context.Context) (*conn, error) {
	fail := func(step string, err error) (*conn, error) {
		return nil, &Failure{s.url.Host, step, inTime(ctx, err)}
	}
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.url.Host)
	if err != nil {
		return fail(stepConnect, err)
	}
	raw := &bounded{Conn: nc}
	raw.left.Store(maxGreeting)
	release := raw.until(ctx)
	step := stepTLS
	if s.url.Scheme == "ldap" {
		step, err = stepStartTLS, askForTLS(raw)
	}
	tc := tls.Client(raw, s.tls)
	if err == nil {
		step, err = stepTLS, tc.HandshakeContext(ctx)
	}
	if err != nil {
		_ = raw.Close()
		return fail(step, err)
	}
	c := &conn{Conn: ldap.NewConn(tc, true), raw: raw}
	c.SetTimeout(time.Duration(s.timeout))
	c.Start()
	if step, err = s.bind(c); err == nil && !release() {
		step, err = stepBind, context.DeadlineExceeded
	}
	if err != nil {
		_ = c.Close()
		return fail(step, err)
	}
	return c, nil
}

// inTime says of an error that the time was over. The connection's deadline is the
// context's, and the library does not pass on what kind of error it was.
func inTime(ctx context.Context, err error) error {
	if end, ok := ctx.Deadline(); ctx.Err() != nil || ok && !time.Now().Before(end) {
		return fmt.Errorf("no answer in time: %w", err)
	}
	return err
}

// askForTLS: RFC 4511 §4.14. Nothing else is ever said in the clear, and a server that
// does not want TLS is not asked. Not by the library, whose errors do not say what
// is wrong with a certificate; nothing is read beyond the answer.
func askForTLS(raw *bounded) error {
	request := append([]byte{0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16}, "1.3.6.1.4.1.1466.20037"...)
	if _, err := raw.Write(request); err != nil {
		return err
	}
	reply, err := ber.ReadPacket(raw)
	if err != nil {
		return err
	}
	return ldap.GetLDAPError(reply)
}

// bind: RFC 4513 §5.1. A name without a password would be nobody (§5.1.2), and is
// refused before this.
func (s *server) bind(c *conn) (step string, err error) {
	if s.bindDN == "" {
		return "", nil
	}
	password, err := s.password()
	if err != nil {
		return stepPassword, err
	}
	return stepBind, c.Bind(s.bindDN, password.Reveal())
}

// bounded is a connection with a budget of what may be read, and a deadline that is
// a context's.
type bounded struct {
	net.Conn
	left atomic.Int64
}

// Read implements net.Conn.
func (b *bounded) Read(p []byte) (int, error) {
	left := b.left.Load()
	if left <= 0 {
		return 0, errors.New("the answer is too large")
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), left)])
	b.left.Add(-int64(n))
	return n, err
}

// until bounds what is read and written by a context; release lifts that, and is
// false when the context ended first.
func (b *bounded) until(ctx context.Context) (release func() bool) {
	if t, ok := ctx.Deadline(); ok {
		_ = b.SetDeadline(t)
	}
	stop := context.AfterFunc(ctx, func() { _ = b.SetDeadline(time.Unix(1, 0)) })
	return func() bool {
		ok := stop()
		if ok {
			_ = b.SetDeadline(time.Time{})
		}
		return ok
	}
}
