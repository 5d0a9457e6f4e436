package store_test

import (
	"context"
	"errors"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/secret"
	"idp/internal/store"
)

// visit gives a relying party a code in a session.
func (w *world) visit(sess store.Session, clients ...string) {
	w.t.Helper()
	for _, id := range clients {
		c := newCode(w, sess)
		c.ClientID = id
		must(w.t, w.FinishAuthorization(w.t.Context(), store.Finish{SessionID: sess.ID, Code: c}))
	}
}

// queued lists whom the queue holds for a session.
func (w *world) queued(sess store.Session, clients ...string) (found []string) {
	w.t.Helper()
	for _, id := range clients {
		list, err := w.LogoutDeliveries(w.t.Context(), id, 0)
		must(w.t, err)
		for _, d := range list {
			if d.SessionID == sess.ID && d.UserID == sess.UserID && d.DoneAt == 0 {
				found = append(found, d.ClientID)
			}
		}
	}
	return found
}

func (w *world) woken() bool {
	select {
	case <-w.LogoutsQueued():
		return true
	default:
		return false
	}
}

// Every way a session can end puts the relying parties it visited into the queue,
// those of nobody else's session, and says so.
func TestEveryEndOfASessionIsQueuedForItsRelyingParties(t *testing.T) {
	ctx := context.Background()
	e := store.Entry{Actor: "test"}
	for name, end := range map[string]func(w *world, s store.Session) error{
		"sign-out":         func(w *world, s store.Session) error { return w.EndSession(ctx, s.ID, e) },
		"user disabled":    func(w *world, s store.Session) error { return w.SetDisabled(ctx, s.UserID, true, e) },
		"user enabled":     func(w *world, s store.Session) error { return w.SetDisabled(ctx, s.UserID, false, e) },
		"password changed": func(w *world, s store.Session) error { return w.SetPassword(ctx, s.UserID, "hash", e) },
		"identity unlinked": func(w *world, s store.Session) error {
			i := store.Identity{Source: "kerberos:X", Key: "alice", UserID: s.UserID}
			must(w.t, w.LinkIdentity(ctx, i, e))
			return w.UnlinkIdentity(ctx, i, e)
		},
		"another user": func(w *world, s store.Session) error {
			return w.StartSession(ctx, store.StartSession{Session: w.newSession(w.user("bob")), EndOther: s.ID})
		},
		"idle": func(w *world, s store.Session) error {
			w.pass(time.Hour)
			_, err := w.Sweep(ctx)
			return err
		},
		"expired": func(w *world, s store.Session) error {
			must(w.t, w.TouchSession(ctx, s.ID, w.in(time.Minute), w.in(100*time.Hour)))
			w.pass(12 * time.Hour)
			_, err := w.Sweep(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				alice := w.user("alice")
				sess, other := w.login(alice), w.login(w.user("carol"))
				w.visit(sess, "wiki", "tickets", "wiki")
				w.visit(other, "mail")
				must(t, w.TouchSession(ctx, other.ID, w.in(time.Minute), w.in(100*time.Hour)))
				if w.woken() {
					t.Fatal("woken before a session has ended")
				}
				must(t, end(w, sess))
				if d := cmp.Diff([]string{"tickets", "wiki"}, w.queued(sess, "tickets", "wiki")); d != "" {
					t.Error(d)
				}
				if name != "expired" && len(w.queued(other, "mail")) != 0 {
					t.Error("another's session is told of")
				}
				if !w.woken() {
					t.Error("nobody is woken")
				}
				if _, _, err := w.SessionBySecret(ctx, sess.SecretHash, w.Now()); err == nil {
					t.Error("the session lives")
				}
				must(t, w.EndSession(ctx, sess.ID, e))
				if w.woken() {
					t.Error("woken by a session that was over")
				}
			})
		})
	}
}

// A login of the same user at the same browser goes on with the session.
func TestLoggingInAgainTellsNobody(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		sess := w.login(w.user("alice"))
		w.visit(sess, "wiki")
		again := sess
		again.SecretHash = secret.Bytes(32)
		must(t, w.StartSession(t.Context(), store.StartSession{Session: again}))
		if len(w.queued(sess, "wiki")) != 0 || w.woken() {
			t.Error("told")
		}
	})
}

func TestALogoutIsClaimedOnceUntilItsLeaseEnds(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sess := w.login(w.user("alice"))
		w.visit(sess, "wiki", "mail")
		must(t, w.EndSession(ctx, sess.ID, store.Entry{}))
		due, err := w.DueLogouts(ctx)
		must(t, err)
		if d := cmp.Diff([]string{"mail", "wiki"}, due); d != "" {
			t.Error(d)
		}
		claim := func() *store.LogoutDelivery {
			list, err := w.ClaimLogouts(ctx, "wiki", 8, time.Minute)
			must(t, err)
			if len(list) == 0 {
				return nil
			}
			return &list[0]
		}
		first := claim()
		if first == nil || first.SessionID != sess.ID || first.UserID != sess.UserID || first.Attempts != 1 || claim() != nil {
			t.Fatalf("claimed %+v, want it once", first)
		}
		w.pass(time.Minute) // the node that had it is dead
		second := claim()
		if second == nil || second.Attempts != 2 {
			t.Fatalf("%+v: a dead node's delivery is lost", second)
		}
		want(t, w.RecordLogout(ctx, *first, store.LogoutDelivered, "", 0), store.ErrNotFound)
		must(t, w.RecordLogout(ctx, *second, store.LogoutDelayed, "answered 500", w.in(time.Second)))
		if claim() != nil {
			t.Error("tried again at once")
		}
		w.pass(time.Second)
		third := claim()
		must(t, w.RecordLogout(ctx, *third, store.LogoutDelivered, "", 0))
		want(t, w.RecordLogout(ctx, *third, store.LogoutDelivered, "", 0), store.ErrNotFound)
		w.pass(time.Hour)
		if claim() != nil {
			t.Error("delivered twice")
		}
		list, err := w.LogoutDeliveries(ctx, "wiki", 0)
		must(t, err)
		if len(list) != 1 || list[0].Result != store.LogoutDelivered || list[0].Attempts != 3 || list[0].DoneAt == 0 {
			t.Errorf("%+v", list)
		}
		must(t, w.DropLogouts(ctx, "mail", w.Now()))
		if due, _ := w.DueLogouts(ctx); len(due) != 0 || len(w.queued(sess, "mail")) != 0 {
			t.Errorf("due %v after the drop", due)
		}
		w.pass(7 * 24 * time.Hour)
		_, err = w.Sweep(ctx)
		must(t, err)
		if list, _ := w.LogoutDeliveries(ctx, "wiki", 0); len(list) != 0 {
			t.Error("kept for ever")
		}
	})
}

func TestTheFirstDelayAndTheEndAreAudited(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sess := w.login(w.user("alice"))
		w.visit(sess, "wiki")
		must(t, w.EndSession(ctx, sess.ID, store.Entry{}))
		for _, result := range []string{store.LogoutDelayed, store.LogoutDelayed, store.LogoutGivenUp} {
			list, err := w.ClaimLogouts(ctx, "wiki", 1, time.Minute)
			must(t, err)
			must(t, w.RecordLogout(ctx, list[0], result, "the connection is refused", w.Now()))
		}
		if d := cmp.Diff([]string{"login", "logout_delayed", "logout_given_up", "signed_out", "user_added"}, sorted(w.events())); d != "" {
			t.Error(d)
		}
		entries, err := w.Entries(ctx, store.Filter{Event: "logout_given_up"})
		must(t, err)
		if e := entries[0]; e.ClientID != "wiki" || e.SessionID != sess.ID || e.UserID != sess.UserID || e.Detail != "the connection is refused" {
			t.Errorf("%+v", e)
		}
	})
}

// Two nodes that claim at once get each delivery once.
func TestTwoNodesClaimEachLogoutOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.user("alice")
		for range 60 {
			w.visit(w.login(u), "wiki")
		}
		must(t, w.SetDisabled(t.Context(), u.ID, true, store.Entry{}))
		nodes := []*store.Store{w.Store, w.another()}
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 12 {
					list, err := nodes[i%2].ClaimLogouts(t.Context(), "wiki", 5, time.Minute)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					for _, d := range list {
						got[d.SessionID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for {
			list, err := w.ClaimLogouts(t.Context(), "wiki", 5, time.Minute)
			must(t, err)
			if len(list) == 0 {
				break
			}
			for _, d := range list {
				got[d.SessionID]++
			}
		}
		for id, n := range got {
			if n != 1 {
				t.Errorf("%s: claimed %d times", id, n)
			}
		}
		if len(got) != 60 {
			t.Errorf("%d sessions claimed, want 60", len(got))
		}
	})
}

// A relying party that gets a code while the session ends is told of the end, or
// gets no code.
func TestACodeGivenWhileTheSessionEndsIsToldOf(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, other := w.user("alice"), w.another()
		for range 50 {
			sess := w.login(u)
			var wg sync.WaitGroup
			var mu sync.Mutex
			var visited []string
			for i := range 6 {
				wg.Go(func() {
					c := newCode(w, sess)
					c.ClientID = string(rune('a' + i))
					if i == 3 {
						if err := other.EndSession(t.Context(), sess.ID, store.Entry{}); err != nil {
							t.Error(err)
						}
						return
					}
					err := w.FinishAuthorization(t.Context(), store.Finish{SessionID: sess.ID, Code: c})
					if err != nil {
						if !errors.Is(err, store.ErrNotFound) {
							t.Error(err)
						}
						return
					}
					mu.Lock()
					visited = append(visited, c.ClientID)
					mu.Unlock()
				})
			}
			wg.Wait()
			sort.Strings(visited)
			if d := cmp.Diff(visited, w.queued(sess, "a", "b", "c", "d", "e", "f")); d != "" {
				t.Fatal(d)
			}
		}
	})
}
