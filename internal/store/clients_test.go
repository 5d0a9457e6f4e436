package store_test

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/store"
)

// added is a relying party as it is read.
func (w *world) added(c store.Client) store.Client {
	w.t.Helper()
	must(w.t, w.AddClient(w.t.Context(), c, store.Entry{}))
	return w.client(c.ClientID)
}

func (w *world) client(id string) store.Client {
	w.t.Helper()
	c, err := w.ClientByID(w.t.Context(), id)
	must(w.t, err)
	return *c
}

func TestChangedClientKeepsItsGrantsUnlessTheyAreRevoked(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := w.added(store.Client{ClientID: "wiki", RedirectURIs: []string{"https://x/"}})
		grant := w.granted(w.login(w.user("alice")), true)
		c.RedirectURIs = append(c.RedirectURIs, "https://y/")
		must(t, w.UpdateClient(ctx, c, false, store.Entry{Actor: "test"}))
		if _, _, err := w.TokenState(ctx, grant.ID, "", w.Now()); err != nil {
			t.Errorf("a new redirect URI has ended a grant: %v", err)
		}
		got := w.client("wiki")
		c.UpdatedAt = got.UpdatedAt
		if d := cmp.Diff(c, got); d != "" {
			t.Error(d)
		}
		must(t, w.UpdateClient(ctx, got, true, store.Entry{Actor: "test"}))
		_, _, err := w.TokenState(ctx, grant.ID, "", w.Now())
		want(t, err, store.ErrNotFound)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(grant, 0))
		want(t, err, store.ErrNotFound)
		if d := cmp.Diff([]string{"client_added", "client_changed", "client_changed", "login", "user_added"}, sorted(w.events())); d != "" {
			t.Error(d)
		}
	})
}

// Of two who change a relying party at once one is told that it is another by now,
// also when both come in the same millisecond, which the clock of a test always is.
func TestNoChangeOfAClientIsLost(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		c := w.added(store.Client{ClientID: "wiki"})
		nodes, won := []*store.Store{w.Store, w.another()}, atomic.Int64{}
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				mine := c
				mine.ClientName = strconv.Itoa(i)
				switch err := nodes[i%2].UpdateClient(t.Context(), mine, false, store.Entry{}); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrConflict):
					t.Errorf("change: %v, want ErrConflict", err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d changes of one reading were written", won.Load())
		}
		must(t, w.UpdateClient(t.Context(), w.client("wiki"), false, store.Entry{}))
		must(t, w.RemoveClient(t.Context(), "wiki", store.Entry{}))
		want(t, w.UpdateClient(t.Context(), c, false, store.Entry{}), store.ErrNotFound)
		if n := len(w.events()); n != 4 { // added, changed twice, removed
			t.Errorf("%d audit entries: %v", n, w.events())
		}
	})
}

func TestSecretsRollOver(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := w.added(store.Client{ClientID: "wiki", SecretHashes: [][]byte{{1}}})
		want(t, w.DropClientSecret(ctx, c, store.Entry{}), store.ErrNotFound)
		must(t, w.AddClientSecret(ctx, c, []byte{2}, store.Entry{Actor: "test"}))
		want(t, w.AddClientSecret(ctx, c, []byte{3}, store.Entry{}), store.ErrConflict)
		c = w.client("wiki")
		if d := cmp.Diff([][]byte{{1}, {2}}, c.SecretHashes); d != "" {
			t.Error(d)
		}
		want(t, w.AddClientSecret(ctx, c, []byte{3}, store.Entry{}), store.ErrTooMany)
		must(t, w.DropClientSecret(ctx, c, store.Entry{Actor: "test"}))
		if d := cmp.Diff([][]byte{{2}}, w.client("wiki").SecretHashes); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"client_added", "client_secret_added", "client_secret_dropped"}, sorted(w.events())); d != "" {
			t.Error(d)
		}
	})
}

// 64 register at once on two nodes where there is room for five, beside those that
// an administrator made, which do not count.
func TestRegistrationsAreBounded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const limit = 5
		ctx := t.Context()
		for i := range limit {
			w.added(store.Client{ClientID: "ours " + strconv.Itoa(i)})
		}
		nodes, in := []*store.Store{w.Store, w.another()}, atomic.Int64{}
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() {
				err := nodes[i%2].RegisterClient(ctx, store.Client{ClientID: "theirs " + strconv.Itoa(i)}, limit, store.Entry{Actor: "test"})
				switch {
				case err == nil:
					in.Add(1)
				case !errors.Is(err, store.ErrTooMany):
					t.Errorf("register: %v", err)
				}
			})
		}
		all.Wait()
		list, err := w.Clients(ctx)
		must(t, err)
		if in.Load() != limit || len(list) != 2*limit {
			t.Errorf("%d registered, %d relying parties", in.Load(), len(list))
		}
		entries, err := w.Entries(ctx, store.Filter{Event: "client_registered"})
		must(t, err)
		if len(entries) != limit {
			t.Errorf("%d audit entries", len(entries))
		}
		var theirs store.Client
		for _, c := range list {
			if c.Registered {
				theirs = c
			}
		}
		want(t, w.RegisterClient(ctx, theirs, 2*limit, store.Entry{}), store.ErrConflict)
		must(t, w.RemoveClient(ctx, theirs.ClientID, store.Entry{}))
		must(t, w.RegisterClient(ctx, store.Client{ClientID: "late"}, limit, store.Entry{}))
		want(t, w.RegisterClient(ctx, store.Client{ClientID: "later"}, limit, store.Entry{}), store.ErrTooMany)
	})
}
