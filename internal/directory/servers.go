package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"idp/internal/secret"
)

const (
	// atOnce bounds the connections, and who asks at the same time.
	atOnce = 8
	// idleMost: a connection that nobody used for so long is not used again.
	// Firewalls forget them without a word, and servers close them.
	idleMost = time.Minute
	// quiet is how long nobody is kept waiting for a directory that did not answer,
	// and quietRefused for one that did not take our password: it counts them.
	quiet        = 10 * time.Second
	quietRefused = time.Minute
	// back is when the first server is tried again after another took over.
	back = 5 * time.Minute
)

// server is one of the directory's.
type server struct {
	url      *url.URL
	tls      *tls.Config
	bindDN   string
	password func() (secret.String, error)
	timeout  Duration

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

// servers are asked in their order, beginning with the one that answered last.
type servers struct {
	list  []*server
	slots chan struct{}
	log   *slog.Logger
	now   func() time.Time

	mu       sync.Mutex
	current  int       // answered last
	since    time.Time // when it became so
	silent   error     // why none answered; nil: one did
	until    time.Time // when the next question may wait for an answer again
	reported bool      // that none answers is in the log
}

func newServers(o Options) (*servers, error) {
	roots, err := readRoots(o.CAFile)
	if err != nil {
		return nil, err
	}
	if o.Password == nil {
		o.Password = func() (secret.String, error) { return "", errors.New("there is none") }
	}
	s := &servers{slots: make(chan struct{}, atOnce), log: o.Log, now: o.Now}
	for _, text := range o.URLs() {
		u, err := parseURL(text)
		if err != nil {
			return nil, err
		}
		s.list = append(s.list, &server{url: u, bindDN: o.BindDN, password: o.Password, timeout: o.Timeout,
			tls: &tls.Config{RootCAs: roots, ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}})
	}
	return s, nil
}

// readRoots reads the certificates that are believed; nil: the system's.
func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // as crypto/tls has it
	}
	text, err := os.ReadFile(path) //nolint:gosec // the admin names the file
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate in it (PEM)", path)
	}
	return pool, nil
}

// do lets one server after the other do an operation until one has. An operation may
// be done twice.
func (s *servers) do(ctx context.Context, op func(*conn) error) error {
	first, err := s.begin()
	if err != nil {
		return err
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return fmt.Errorf("%d questions are waiting for an answer already", atOnce)
	}
	var failures []error
	for i := range s.list {
		at := (first + i) % len(s.list)
		err := s.share(ctx, len(s.list)-i, func(ctx context.Context) error { return s.list[at].try(ctx, op) })
		if err == nil {
			s.answered(at)
			return nil
		}
		failures = append(failures, err)
		if refused(err) { // the others know the same password, and count it
			break
		}
	}
	err = errors.Join(failures...)
	s.failed(err)
	return err
}

// begin says which server comes first, or why none is asked now. Of those who come
// when one may wait again, one does.
func (s *servers) begin() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.silent != nil {
		if now.Before(s.until) {
			return 0, s.silent
		}
		s.until = now.Add(quiet)
	}
	if s.current != 0 && now.Sub(s.since) >= back {
		s.since = now
		return 0, nil
	}
	return s.current, nil
}

// share gives a server its part of the time that is left.
func (s *servers) share(ctx context.Context, parts int, try func(context.Context) error) error {
	end, ok := ctx.Deadline()
	if !ok || parts < 2 {
		return try(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Until(end)/time.Duration(parts))
	defer cancel()
	return try(ctx)
}

func (s *servers) answered(at int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != at {
		s.current, s.since = at, s.now()
	}
	if s.reported {
		s.log.Info("the directory answers again", "server", s.list[at].url.Host)
	}
	s.silent, s.reported = nil, false
}

func (s *servers) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := quiet
	if refused(err) {
		wait = quietRefused
	}
	s.silent, s.until = err, s.now().Add(wait)
	if !s.reported {
		s.log.Warn("the directory does not answer; tickets count, and nothing is extended beyond them", "err", err)
	}
	s.reported = true
}

// refused reports whether a server did not take our password: RFC 4511 §A.2,
// invalidCredentials.
func refused(err error) bool { return ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) }

func (s *servers) close() {
	for _, srv := range s.list {
		srv.mu.Lock()
		idle := srv.idle
		srv.idle, srv.closed = nil, true
		srv.mu.Unlock()
		for _, c := range idle {
			_ = c.Close()
		}
	}
}

// try does the operation on an idle connection or a new one. An idle one may have
// been closed by the other side: then on a new one, once.
func (s *server) try(ctx context.Context, op func(*conn) error) error {
	if c := s.take(); c != nil {
		err := s.on(ctx, c, op)
		if err == nil || !broken(err) || ctx.Err() != nil {
			return err
		}
	}
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	return s.on(ctx, c, op)
}

func (s *server) on(ctx context.Context, c *conn, op func(*conn) error) error {
	c.raw.left.Store(maxAnswer)
	release := c.raw.until(ctx)
	err := op(c)
	if !release() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		_ = c.Close()
		return &Failure{s.url.Host, stepSearch, inTime(ctx, err)}
	}
	s.give(c)
	return nil
}

// broken reports whether the connection failed, and not what was asked: there is no
// result of a server, or that it is closing down.
func broken(err error) bool {
	var result *ldap.Error
	return !errors.As(err, &result) || result.ResultCode >= ldap.ErrorNetwork || result.ResultCode == ldap.LDAPResultUnavailable
}

// take returns the connection that was used last, and closes those that are too old.
func (s *server) take() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.idle) > 0 {
		c := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		if time.Since(c.freed) < idleMost && !c.IsClosing() {
			return c
		}
		go func() { _ = c.Close() }()
	}
	return nil
}

func (s *server) give(c *conn) {
	c.freed = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		go func() { _ = c.Close() }()
		return
	}
	s.idle = append(s.idle, c)
}
