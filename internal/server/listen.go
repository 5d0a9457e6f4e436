package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"idp/internal/config"
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
	if c.TLS.Certificate != "" {
		if hs.TLSConfig, err = tlsConfig(c.TLS); err != nil {
			return errors.Join(err, ln.Close())
		}
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

// tlsConfig reads the certificate again when its file changes. HTTP/1.1 stays on
// offer beside HTTP/2: browsers answer Negotiate over HTTP/1.1 only.
func tlsConfig(t config.TLS) (*tls.Config, error) {
	c := &certificate{files: t}
	if _, err := c.get(nil); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}, nil
}

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
