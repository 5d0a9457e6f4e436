// Package idptest runs a whole idp in the test's own process, on a real database
// and a free port of loopback, so that tests go in through the front door: a
// small browser that keeps cookies and follows redirects, relying parties that
// are go-oidc, tickets from a real KDC (package krbtest).
package idptest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"idp/internal/config"
	"idp/internal/server"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// BobPassword is the password of the local user bob, whom every server has.
const BobPassword = "correct horse battery staple"

// WikiSecret is the client secret of the relying party wiki, whom every server has.
const WikiSecret = "a-secret-of-256-bits-would-be-better"

// Server is one running node.
type Server struct {
	*server.Server
	Issuer string
	Dir    string // holds idp.yaml and everything it names
	Log    *Log

	t        testing.TB
	http     *httptest.Server
	database string
	address  string // that it listens at
	stop     context.CancelFunc
}

// Options change a server; the zero value is a server on SQLite without Kerberos.
type Options struct {
	Host     string // of the issuer; default idp.localhost
	Database string // default: a SQLite file of its own
	YAML     string // added to the configuration: kerberos:, trusted_proxies: …
	Clients  string // added to the list of clients, indented by two
	Users    string // added to the list of users, indented by two
	KeyFile  string // secret_key_file of another node on the same database
	// Beside is another node of the same installation: issuer, database and key file
	// are its own. Its browsers go on here (Browser.At).
	Beside *Server
	// Now is what the server takes for the time, beside the database's; default time.Now.
	Now func() time.Time
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, Dir: t.TempDir(), Log: &Log{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.Host == "" {
		o.Host = "idp.localhost"
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	s.Issuer, s.address = "http://"+o.Host+":"+port, ln.Addr().String()
	if o.Beside != nil {
		s.Issuer, o.Database, o.KeyFile = o.Beside.Issuer, o.Beside.database, filepath.Join(o.Beside.Dir, "idp.key")
	}
	s.write("bob.txt", BobPassword+"\n")
	s.write("wiki.secret", WikiSecret+"\n")
	if o.Database == "" {
		o.Database = "sqlite:idp.db"
	}
	s.database = o.Database
	if o.KeyFile == "" {
		o.KeyFile = "idp.key"
	}
	s.write("idp.yaml", fmt.Sprintf(baseYAML, s.Issuer, ln.Addr(), o.Database, o.KeyFile, o.Users)+o.Clients+o.YAML)
	s.open(ln, o.Now)
	t.Cleanup(s.Close)
	return s
}

const baseYAML = `issuer: %s
listen: %s
database: %s
secret_key_file: %s
users:
  - {name: bob, password_file: bob.txt, email: bob@example.com, groups: [partners, staff-eu]}
%sclients:
  - client_id: wiki
    client_name: Wiki
    client_secret_file: wiki.secret
    redirect_uris: [http://wiki.localhost/callback]
    post_logout_redirect_uris: [http://wiki.localhost/]
    grant_types: [authorization_code, refresh_token, client_credentials]
  - client_id: app
    client_name: App
    token_endpoint_auth_method: none
    redirect_uris: [http://app.localhost/callback, "http://127.0.0.1/callback"]
    grant_types: [authorization_code, refresh_token]
    id_token_signed_response_alg: ES256
  - client_id: finance
    client_name: Finance
    client_secret_file: wiki.secret
    redirect_uris: [http://finance.localhost/callback]
    allow_groups: [finance]
`

func (s *Server) open(ln net.Listener, now func() time.Time) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	var err error
	log := slog.New(slog.NewTextHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Server, err = server.Open(ctx, server.Options{Config: s.Config(), Log: log, Now: now})
	if err != nil {
		s.t.Fatalf("opening the server: %v", err)
	}
	s.Work(ctx)
	s.http = httptest.NewUnstartedServer(s.Server)
	_ = s.http.Listener.Close()
	s.http.Listener = ln
	s.http.Config.MaxHeaderBytes = server.MaxHeaderBytes
	s.http.Start()
}

// Close stops the node; the test's end does too.
func (s *Server) Close() {
	if s.http == nil {
		return
	}
	s.http.Close()
	s.http = nil
	s.stop()
	if err := s.Server.Close(); err != nil {
		s.t.Errorf("closing the server: %v", err)
	}
	if strings.Contains(s.Log.String(), "goroutine ") {
		s.t.Errorf("a stack trace is in the log:\n%s", s.Log)
	}
}

// Config reads the server's configuration file again.
func (s *Server) Config() *config.Config {
	s.t.Helper()
	c, err := config.Load(filepath.Join(s.Dir, "idp.yaml"), nil)
	if err != nil {
		s.t.Fatalf("configuration: %v", err)
	}
	return c
}

func (s *Server) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Each runs a test on a server on SQLite and on one on PostgreSQL.
func Each(t *testing.T, o Options, test func(t *testing.T, s *Server)) {
	t.Run("sqlite", func(t *testing.T) { test(t, Start(t, o)) })
	t.Run("postgres", func(t *testing.T) {
		o.Database = storetest.Postgres(t)
		test(t, Start(t, o))
	})
}

// User is bob, or another user of the database.
func (s *Server) User(name string) *store.User {
	s.t.Helper()
	u, err := s.Store().UserByName(context.Background(), name)
	if err != nil {
		s.t.Fatalf("user %s: %v", name, err)
	}
	return u
}

// Log keeps what the server logs.
type Log struct {
	mu    sync.Mutex
	text  strings.Builder
	wrote chan struct{} // closed at the next write; nil: nobody waits
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrote != nil {
		close(l.wrote)
		l.wrote = nil
	}
	return l.text.Write(p)
}

// Await waits until a line contains all of the words, or ctx ends.
func (l *Log) Await(ctx context.Context, words ...string) error {
	for {
		l.mu.Lock()
		if l.wrote == nil {
			l.wrote = make(chan struct{})
		}
		wrote := l.wrote
		l.mu.Unlock()
		if len(l.Lines(words...)) > 0 {
			return nil
		}
		select {
		case <-wrote:
		case <-ctx.Done():
			return fmt.Errorf("no line with %q: %w", words, ctx.Err())
		}
	}
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Lines returns the log lines that contain all of the words.
func (l *Log) Lines(words ...string) []string {
	var out []string
lines:
	for line := range strings.SplitSeq(l.String(), "\n") {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		out = append(out, line)
	}
	return out
}

// Transport dials loopback for every *.localhost name, which only browsers
// resolve by themselves.
func Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the standard library's own
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(host, ".localhost") {
			addr = net.JoinHostPort("127.0.0.1", port)
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	return t
}

// ReadAll reads a body to its end and closes it.
func ReadAll(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
