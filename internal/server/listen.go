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

	// drainNotice is how long requests are still taken after /readyz began to say
	// no, so that a load balancer that asks every second or two sees it before the
	// listener closes.
	drainNotice = 3 * time.Second
)

// Serve answers requests on the configured address until ctx ends, then tells
// load balancers, and lets the requests under way finish. ready is called once,
// with the address it listens on.
func (s *Server) Serve(ctx context.Context, c *config.Config, ready func(net.Addr)) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	stopMetrics, err := s.serveMetrics(ctx, c.MetricsListen)
	if err != nil {
		_ = ln.Close()
		return err
	}
	defer stopMetrics()
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
	s.log.Info("draining: /readyz says so; new requests are taken for a moment", "seconds", drainNotice.Seconds())
	time.Sleep(drainNotice)
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	return hs.Shutdown(ctx)
}

// suites are those of TLS 1.2 that RFC 9325 §4.2 recommends, as FAPI 2.0 Security
// Profile §5.2.2 demands; those of TLS 1.3 are all good.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// tlsConfig keeps HTTP/1.1 on offer beside HTTP/2: browsers answer Negotiate over
// HTTP/1.1 only.
func tlsConfig(c *certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: suites, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

// certificate is our own, read again when one of its files changes.
type certificate struct {
	files config.TLS
	log   *slog.Logger

	mu     sync.Mutex
	looked time.Time
	state  string // of both files, when they were last read
	pair   *tls.Certificate
}

// get looks at the files at most once a second; a broken new pair keeps the old,
// and is logged once.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.looked) < time.Second {
		return c.pair, nil
	}
	c.looked = time.Now()
	state := fileState(c.files.Certificate) + fileState(c.files.Key)
	if c.pair != nil && state == c.state {
		return c.pair, nil
	}
	c.state = state
	pair, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	switch {
	case err == nil:
		c.pair = &pair
	case c.pair == nil:
		return nil, err
	default:
		c.log.Error("the TLS certificate was changed and cannot be used; the one before goes on", "err", err)
	}
	return c.pair, nil
}

// fileState changes when a file does.
func fileState(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size(), "\n")
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
