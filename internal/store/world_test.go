package store_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// world is a store with a clock of its own, and helpers that fail the test.
type world struct {
	*store.Store
	t     testing.TB
	clock *atomic.Int64
	url   string
}

func newWorld(t testing.TB, url string) *world {
	t.Helper()
	w := &world{t: t, clock: &atomic.Int64{}, url: url}
	w.clock.Store(1_800_000_000_000)
	w.Store = w.another()
	return w
}

// another opens a second handle on the same database: another node.
func (w *world) another() *store.Store {
	w.t.Helper()
	return storetest.Open(w.t, store.Config{URL: w.url, Now: func() time.Time { return time.UnixMilli(w.clock.Load()) }})
}

func (w *world) pass(d time.Duration) { w.clock.Add(d.Milliseconds()) }

func (w *world) in(d time.Duration) store.Millis { return w.Now() + d.Milliseconds() }

// eachWorld runs a test on both databases.
func eachWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) { test(t, newWorld(t, url)) })
}

func (w *world) user(name string) store.User {
	w.t.Helper()
	u, err := w.CreateUser(w.t.Context(), store.User{Name: name, Groups: []string{"staff"}}, nil, store.Entry{Actor: "test"})
	must(w.t, err)
	return u
}

// login starts a session of a user and returns it with the cookie's secret.
func (w *world) login(u store.User) store.Session {
	w.t.Helper()
	sess := w.newSession(u)
	must(w.t, w.StartSession(w.t.Context(), store.StartSession{Session: sess}))
	return sess
}

func (w *world) newSession(u store.User) store.Session {
	return store.Session{
		ID: secret.ID(), SecretHash: secret.Bytes(32), UserID: u.ID, AMR: []string{"pwd"}, ACR: "1",
		AuthTime: w.Now(), CreatedAt: w.Now(), SeenAt: w.Now(), IdleExpiresAt: w.in(time.Hour), ExpiresAt: w.in(12 * time.Hour),
		Address: "192.0.2.1", UserAgent: "test",
	}
}

// code issues a code in a session.
func (w *world) code(sess store.Session) store.Code {
	w.t.Helper()
	c := newCode(w, sess)
	must(w.t, w.FinishAuthorization(w.t.Context(), store.Finish{SessionID: sess.ID, Code: c}))
	return c
}

func newCode(w *world, sess store.Session) store.Code {
	return store.Code{
		Hash: secret.Bytes(32), GrantID: secret.ID(), ClientID: "wiki", RedirectURI: "https://wiki.example/cb", CodeChallenge: "challenge",
		UserID: sess.UserID, SessionID: sess.ID, Scope: "openid", Nonce: "n", AMR: sess.AMR, ACR: sess.ACR,
		AuthTime: sess.AuthTime, CreatedAt: w.Now(), ExpiresAt: w.in(time.Minute),
	}
}

// redeem is the request that fits a code.
func (w *world) redeem(c store.Code, offline bool) store.Redeem {
	return store.Redeem{
		Hash: c.Hash, ClientID: c.ClientID, RedirectURI: c.RedirectURI, CodeChallenge: c.CodeChallenge, Now: w.Now(),
		Grant: func(c store.Code, _ store.Standing) (store.Grant, *store.RefreshFamily, error) {
			g := store.Grant{Offline: offline, Scope: c.Scope, AMR: c.AMR, ACR: c.ACR, AuthTime: c.AuthTime, CreatedAt: w.Now(), ExpiresAt: w.in(24 * time.Hour)}
			return g, &store.RefreshFamily{ID: "family " + c.GrantID, IdleExpiresAt: w.in(8 * time.Hour), ExpiresAt: w.in(24 * time.Hour)}, nil
		},
	}
}

// granted goes all the way to a grant with a refresh family.
func (w *world) granted(sess store.Session, offline bool) *store.Grant {
	w.t.Helper()
	_, g, err := w.RedeemCode(w.t.Context(), w.redeem(w.code(sess), offline))
	must(w.t, err)
	return g
}

func (w *world) rotate(g *store.Grant, generation int64) store.Rotate {
	return store.Rotate{
		Family: "family " + g.ID, ClientID: g.ClientID, Generation: generation, Now: w.Now(),
		IdleExpiresAt: w.in(8 * time.Hour), Grace: 30 * time.Second,
	}
}

func (w *world) pending(browser []byte) store.LoginRequest {
	return store.LoginRequest{
		ID: secret.ID(), BrowserHash: browser, Address: "192.0.2.1", ClientID: "wiki", Params: "scope=openid", ExpiresAt: w.in(10 * time.Minute),
	}
}

// events lists what the audit log says, newest first.
func (w *world) events() (events []string) {
	w.t.Helper()
	list, err := w.Entries(w.t.Context(), store.Filter{Limit: 1000})
	must(w.t, err)
	for _, e := range list {
		events = append(events, e.Event)
	}
	return events
}

// atOnce runs n writes side by side, so that the store groups them.
func atOnce(t testing.TB, n int, write func(i int) error) {
	t.Helper()
	var all sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := write(i); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Fatalf("error = %v, want %v", err, wanted)
	}
}
