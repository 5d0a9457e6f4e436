package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"idp/internal/config"
	"idp/internal/kerberos"
)

// Limits of a connection. Headers hold a ticket of up to 64 KB beside cookies.
const (
	MaxHeaderBytes = 128 << 10 // also of the tests' server
	drainTimeout   = 20 * time.Second
)

// Serve answers requests on the configured address until ctx ends, then lets
// those under way finish. ready is called once, with the address it listens on.
func (s *Server) Serve(ctx context.Context, c *config.Config, ready func(net.Addr)) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	hs := &http.Server{
		Handler: s, MaxHeaderBytes: MaxHeaderBytes,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	if s.certificate != nil {
		hs.TLSConfig = tlsConfig(s.certificate)
		ln = tls.NewListener(ln, hs.TLSConfig)
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	s.Work(work)
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(ln) }()
	ready(ln.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return s.drain(hs)
	}
}

func (s *Server) drain(hs *http.Server) error {
	s.draining.Store(true)
	s.log.Info("draining: no new requests are taken")
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	return hs.Shutdown(ctx)
}

// tlsConfig keeps HTTP/1.1 on offer beside HTTP/2: browsers answer Negotiate over
// HTTP/1.1 only.
func tlsConfig(c *certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

// certificate is our own, read again when its file changes.
type certificate struct {
	files config.TLS

	mu      sync.Mutex
	looked  time.Time
	changed time.Time
	pair    *tls.Certificate
}

// get looks at the files at most once a second; a broken new pair keeps the old.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.looked) < time.Second {
		return c.pair, nil
	}
	c.looked = time.Now()
	info, err := os.Stat(c.files.Certificate)
	if err == nil && (c.pair == nil || !info.ModTime().Equal(c.changed)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.files.Certificate, c.files.Key); err == nil {
			c.pair, c.changed = &pair, info.ModTime()
		}
	}
	if c.pair == nil {
		return nil, err
	}
	return c.pair, nil
}

// bindings is what a token of a client that sees our certificate is bound to
// (RFC 5929 §4); nothing where we do not end TLS.
func (c *certificate) bindings() [][]byte {
	if c == nil {
		return nil
	}
	pair, err := c.get(nil)
	if err != nil || pair.Leaf == nil {
		return nil
	}
	return [][]byte{kerberos.EndPointHash(pair.Leaf)}
}
