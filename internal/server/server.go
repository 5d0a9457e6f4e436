// Package server puts idp together: it opens the database and the keys, builds
// every part in the order in which they depend on each other, and serves them.
//
// What lives as long as the process (store, secret key ring, signing keys,
// listener) is opened once, in Open. What the configuration file decides is a
// generation: SIGHUP builds a new one beside the running one and, when all of it
// is sound, swaps one pointer, so that a bad file changes nothing and no request
// sees half of a new one.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"idp/internal/config"
	"idp/internal/factor"
	"idp/internal/keys"
	"idp/internal/mail"
	"idp/internal/metrics"
	"idp/internal/oidc/backchannel"
	"idp/internal/secret"
	"idp/internal/store"
)

// Options is everything Open needs.
type Options struct {
	Config  *config.Config
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
	Version string           // of idp, for the metrics
}

// Server is one node.
type Server struct {
	log         *slog.Logger
	now         func() time.Time
	store       *store.Store
	ring        *secret.Ring
	keys        *keys.Keys
	factors     *factor.Factors
	started     *config.Config   // what needs a restart is compared with this
	certificate *certificate     // nil: plain HTTP
	metrics     *metrics.Metrics // nil: no metrics_listen, nothing is counted
	logouts     *backchannel.Backchannel
	mail        *mail.Mail
	current     atomic.Pointer[generation]
	draining    atomic.Bool
}

// Open opens the database, the key ring and the signing keys, and builds the
// first generation. Close it.
func Open(ctx context.Context, o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{log: o.Log, now: o.Now, started: o.Config}
	s.metrics = s.newMetrics(o.Config, o.Version)
	var err error
	if s.store, s.ring, err = OpenStore(ctx, o.Config, o.Log); err != nil {
		return nil, err
	}
	if err = s.open(ctx, o.Config); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context, c *config.Config) (err error) {
	if c.TLS.Certificate != "" {
		s.certificate = &certificate{files: c.TLS, log: s.log}
		if _, err := s.certificate.get(nil); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	if s.keys, err = OpenKeys(ctx, c, s.store, s.ring, s.log, s.now); err != nil {
		return err
	}
	if s.factors, err = factor.New(ctx, factor.Config{Store: s.store, Ring: s.ring, Now: s.now}); err != nil {
		return err
	}
	if err = resealCheck(ctx, s.store, s.ring); err != nil {
		return err
	}
	if s.logouts, err = s.backchannel(c); err != nil {
		return err
	}
	if s.mail, err = s.mailer(); err != nil {
		return err
	}
	g, err := s.build(ctx, c)
	if err != nil {
		return err
	}
	if err = s.keys.Need(ctx, signingAlgs(c)...); err != nil {
		return err
	}
	if err = s.seed(ctx, c); err != nil {
		return err
	}
	s.current.Store(g)
	return nil
}

// OpenKeys reads the signing keys and makes those that are missing.
func OpenKeys(ctx context.Context, c *config.Config, st *store.Store, ring *secret.Ring, log *slog.Logger, now func() time.Time) (*keys.Keys, error) {
	return keys.New(ctx, keys.Config{
		Store: st, Ring: ring, Log: log, Now: now,
		TokenLifetime: tokenLifetime(c),
	})
}

// tokenLifetime is the longest life of any signed token.
func tokenLifetime(c *config.Config) time.Duration {
	return max(c.Lifetimes.AccessToken.D(), c.Lifetimes.IDToken.D())
}

// ServeHTTP answers with the current generation.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.current.Load().handler.ServeHTTP(w, r)
}

// Reload builds a generation from a new configuration and swaps it in. On an
// error the old one goes on.
func (s *Server) Reload(ctx context.Context, c *config.Config) error {
	old := s.started
	if c.Issuer != old.Issuer || c.Listen != old.Listen || c.Database != old.Database || c.SecretKeyFile != old.SecretKeyFile || c.TLS != old.TLS || c.MetricsListen != old.MetricsListen {
		return errors.New("issuer, listen, tls, database, secret_key_file and metrics_listen need a restart; nothing was changed")
	}
	if c.SMTP.On() != old.SMTP.On() {
		return errors.New("the first smtp section, and none any more, need a restart; nothing was changed")
	}
	g, err := s.build(ctx, c)
	if err != nil {
		return err
	}
	if err := loses(s.current.Load(), g); err != nil {
		return err
	}
	if err := s.keys.Need(ctx, signingAlgs(c)...); err != nil {
		return err
	}
	if err := s.seed(ctx, c); err != nil {
		return err
	}
	s.keys.SetTokenLifetime(tokenLifetime(c))
	g.run(ctx)
	s.current.Swap(g).stop()
	return nil
}

// loses refuses a configuration by which nobody could log in by ticket any more
// although its kerberos section says so: at a start that is said and the other
// methods go on, at a reload the old keys are at hand.
func loses(old, next *generation) error {
	if old.acceptor == nil || old.acceptor.Ready() != nil || next.acceptor == nil {
		return nil
	}
	if err := next.acceptor.Ready(); err != nil {
		return fmt.Errorf("tickets could no longer be checked: %w", err)
	}
	return nil
}

// Work runs what is to be done beside requests until ctx ends: expired rows
// swept, signing keys rotated, relying parties told of ended sessions, keytabs
// watched.
func (s *Server) Work(ctx context.Context) {
	s.current.Load().run(ctx)
	go s.background(ctx, "sweeping expired rows", s.store.RunSweeper)
	go s.background(ctx, "rotating signing keys", s.keys.Run)
	go s.background(ctx, "telling relying parties of ended sessions", s.logouts.Run)
	go s.background(ctx, "sending mail", s.mail.Run)
}

// background restarts a task that failed, for none of them may end before ctx.
func (s *Server) background(ctx context.Context, what string, task func(context.Context) error) {
	for ctx.Err() == nil {
		if err := task(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("background task failed", "task", what, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Second):
			}
		}
	}
}

// Close closes the database; no request may be under way.
func (s *Server) Close() error {
	s.current.Load().stop()
	return s.store.Close()
}

// Store is the server's database, for tests through the front door.
func (s *Server) Store() *store.Store { return s.store }

func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) error {
	return text(w, http.StatusOK, "ok\n")
}

// serveReady says whether a load balancer should send requests here.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) error {
	if s.draining.Load() {
		return text(w, http.StatusServiceUnavailable, "draining\n")
	}
	if err := s.store.Ping(r.Context()); err != nil {
		s.log.Error("not ready", "err", err)
		return text(w, http.StatusServiceUnavailable, "the database does not answer\n")
	}
	return text(w, http.StatusOK, "ready\n")
}

func text(w http.ResponseWriter, status int, body string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, err := fmt.Fprint(w, body)
	return err
}
