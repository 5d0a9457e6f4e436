package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"idp/internal/authn"
	"idp/internal/config"
	"idp/internal/metrics"
	"idp/internal/web"
)

// newMetrics are the counters of the process, which outlive a reload; nil when
// nobody will read them: then nothing is counted.
func (s *Server) newMetrics(c *config.Config, version string) *metrics.Metrics {
	if c.MetricsListen == "" {
		return nil
	}
	return metrics.New(metrics.Config{Version: version, Keytabs: s.keytabs})
}

// keytabs are those of the current generation.
func (s *Server) keytabs() metrics.Keytabs {
	k := metrics.Keytabs{Keys: map[metrics.KeyLabels]int{}}
	g := s.current.Load()
	if g == nil || g.acceptor == nil {
		return k
	}
	k.Ready = g.acceptor.Ready() == nil
	for _, file := range g.acceptor.Status().Keytabs {
		for _, key := range file.Keys {
			k.Keys[metrics.KeyLabels{Enctype: key.Etype, Allowed: key.Allowed}]++
		}
	}
	return k
}

// count is the one place where requests and logins are counted: from the same
// facts as the request's log line, so that the two never contradict each other.
func count(m *metrics.Metrics) func(web.Answered) {
	if m == nil {
		return nil
	}
	return func(a web.Answered) {
		m.Request(a.Route, a.Method, a.Status, a.Took)
		if credentials[a.Login] {
			m.Login(a.Login, a.Reason)
		}
	}
}

// credentials are the methods of a log line that stand for a credential; what asks
// for one (challenge), or for the next token of one, does not.
var credentials = map[string]bool{authn.MethodTicket: true, authn.MethodBasic: true, authn.MethodForm: true, authn.MethodUpstream: true, authn.MethodUnknown: true,
	authn.MethodCode: true, authn.MethodRecovery: true, authn.MethodPasskey: true}

// MetricsHandler answers on metrics_listen: /metrics, and nothing else.
func (s *Server) MetricsHandler() http.Handler {
	mux := http.NewServeMux()
	if s.metrics != nil {
		mux.Handle("GET /metrics", s.metrics.Handler())
	}
	return mux
}

// serveMetrics listens on a listener of its own until stop is called: what it
// shows is for the monitoring, and the public address must not show it.
func (s *Server) serveMetrics(ctx context.Context, address string) (stop func(), err error) {
	if s.metrics == nil {
		return func() {}, nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics_listen: %w", err)
	}
	hs := &http.Server{
		Handler: s.MetricsHandler(), MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := hs.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("metrics are no longer served", "err", err)
		}
	}()
	s.log.Info("serving metrics", "address", ln.Addr().String())
	return func() { _ = hs.Close() }, nil
}
