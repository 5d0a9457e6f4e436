package backchannel

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"idp/internal/keys"
	"idp/internal/keys/keystest"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

const (
	testStart  = keystest.Start
	testIssuer = "https://sso.example.com"
)

// world is a node on a real database, with a clock that the test moves.
type world struct {
	*Backchannel
	t       testing.TB
	clock   *atomic.Int64
	clients map[string]*store.Client
	log     *strings.Builder
	counts  map[string]int
	mu      sync.Mutex
	url     string
}

func newWorld(t testing.TB) *world { return newWorldOn(t, storetest.SQLite(t)) }

func newWorldOn(t testing.TB, url string) *world {
	t.Helper()
	w := &world{t: t, clock: &atomic.Int64{}, clients: map[string]*store.Client{}, log: &strings.Builder{}, counts: map[string]int{}, url: url}
	w.clock.Store(testStart)
	w.Backchannel = w.node()
	return w
}

func (w *world) now() time.Time { return time.UnixMilli(w.clock.Load()) }

// node is another node on the same database.
func (w *world) node() *Backchannel {
	w.t.Helper()
	ring, rows := keystest.Signing()
	st := storetest.Open(w.t, store.Config{URL: w.url, Now: w.now, Log: slog.New(slog.DiscardHandler)})
	for _, row := range rows {
		_ = st.AddSigningKey(w.t.Context(), row, store.Entry{Actor: "test"}) // the first node has done it
	}
	k, err := keys.New(w.t.Context(), keys.Config{Store: st, Ring: ring, Now: w.now, Log: slog.New(slog.DiscardHandler)})
	must(w.t, err)
	b, err := New(Config{Issuer: testIssuer, Store: st, Keys: k, Client: w.client, Log: slog.New(slog.NewTextHandler(w, nil)), Count: w.count})
	must(w.t, err)
	return b
}

func (w *world) client(_ context.Context, id string) (*store.Client, error) {
	if c := w.clients[id]; c != nil {
		return c, nil
	}
	return nil, store.ErrNotFound
}

func (w *world) count(result string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[result]++
}

// Write keeps the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func (w *world) pass(d time.Duration) { w.clock.Add(d.Milliseconds()) }

// deliver makes every delivery that is due.
func (w *world) deliver() {
	w.t.Helper()
	must(w.t, w.round(w.t.Context()))
	w.busy.Wait()
}

// ended is a session of a new user that visited relying parties, and has ended.
func (w *world) ended(clients ...string) store.Session {
	w.t.Helper()
	ctx := w.t.Context()
	u, err := w.Store.CreateUser(ctx, store.User{Name: secret.ID()}, nil, store.Entry{Actor: "test"})
	must(w.t, err)
	now := w.Store.Now()
	sess := store.Session{ID: secret.ID(), SecretHash: secret.Bytes(32), UserID: u.ID, IdleExpiresAt: now + 3600_000, ExpiresAt: now + 3600_000}
	must(w.t, w.Store.StartSession(ctx, store.StartSession{Session: sess}))
	for _, id := range clients {
		must(w.t, w.Store.FinishAuthorization(ctx, store.Finish{SessionID: sess.ID, Code: store.Code{Hash: secret.Bytes(32), ClientID: id, UserID: u.ID}}))
	}
	must(w.t, w.Store.EndSession(ctx, sess.ID, store.Entry{Actor: "test"}))
	return sess
}

// state is how the only delivery to a relying party stands.
func (w *world) state(id string) store.LogoutDelivery {
	w.t.Helper()
	list, err := w.Store.LogoutDeliveries(w.t.Context(), id, 0)
	must(w.t, err)
	if len(list) != 1 {
		w.t.Fatalf("%d deliveries to %s, want 1", len(list), id)
	}
	return list[0]
}

// site is a relying party on this machine.
type site struct {
	t      testing.TB
	keys   func() []byte // the issuer's JWKS
	answer atomic.Int64  // status
	got    chan *request // what it was sent; nil: not kept
	held   chan struct{} // answers come when it is closed; nil: at once
	hits   atomic.Int64
	asked  func() // at every request; nil: nothing
	srv    *httptest.Server
}

type request struct {
	header http.Header
	form   map[string][]string
}

// site registers a relying party of the administrator's.
func (w *world) site(id, alg string) *site {
	w.t.Helper()
	s := &site{t: w.t, keys: w.Keys.JWKS, got: make(chan *request, 100)}
	s.answer.Store(http.StatusOK)
	s.srv = httptest.NewServer(s)
	w.t.Cleanup(s.srv.Close)
	w.clients[id] = &store.Client{ClientID: id, IDTokenAlg: alg, BackchannelLogoutURI: s.srv.URL + "/logout?x=1"}
	return s
}

// also gives the site's address to more relying parties.
func (w *world) also(id string, more ...string) {
	for _, other := range more {
		c := *w.clients[id]
		c.ClientID = other
		w.clients[other] = &c
	}
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.URL.RequestURI() != "/logout?x=1" {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	s.hits.Add(1)
	if s.asked != nil {
		s.asked()
	}
	select {
	case s.got <- &request{r.Header, r.PostForm}:
	default:
	}
	if s.held != nil {
		select {
		case <-s.held:
		case <-r.Context().Done():
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(int(s.answer.Load()))
}

// verified is the logout token of the next request, judged as a relying party
// does that knows only the issuer's published keys (§2.6).
func (s *site) verified(alg jose.SignatureAlgorithm) map[string]any {
	s.t.Helper()
	r := <-s.got
	if len(r.form) != 1 || len(r.form["logout_token"]) != 1 || r.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		s.t.Fatalf("sent %v as %q, want logout_token alone", r.form, r.header.Get("Content-Type"))
	}
	token, err := jose.ParseSignedCompact(r.form["logout_token"][0], []jose.SignatureAlgorithm{alg})
	must(s.t, err)
	var published jose.JSONWebKeySet
	must(s.t, json.Unmarshal(s.keys(), &published))
	head := token.Signatures[0].Header
	key := published.Key(head.KeyID)
	if len(key) != 1 || head.ExtraHeaders["typ"] != "logout+jwt" {
		s.t.Fatalf("header %+v", head)
	}
	payload, err := token.Verify(key[0])
	must(s.t, err)
	var claims map[string]any
	must(s.t, json.Unmarshal(payload, &claims))
	return claims
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
