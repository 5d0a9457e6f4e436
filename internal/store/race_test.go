package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
)

// together runs n functions at once, on two handles in turn, and counts how
// they ended by name.
func together(w *world, n int, name func(error) string, run func(s *store.Store, i int) error) map[string]int {
	w.t.Helper()
	nodes := []*store.Store{w.Store, w.another()}
	var mu sync.Mutex
	var all sync.WaitGroup
	counts := map[string]int{}
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			err := run(nodes[i%2], i)
			mu.Lock()
			defer mu.Unlock()
			counts[name(err)]++
		})
	}
	close(start)
	all.Wait()
	return counts
}

func byError(err error) string {
	for _, known := range []error{store.ErrReused, store.ErrNotFound, store.ErrConflict} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func expectCounts(t testing.TB, counts map[string]int, allowed map[string]int) {
	t.Helper()
	for name, n := range counts {
		if limit, ok := allowed[name]; !ok || n > limit {
			t.Errorf("%s: %d times", name, n)
		}
	}
	if counts["ok"] != allowed["ok"] {
		t.Errorf("%d winners, want %d", counts["ok"], allowed["ok"])
	}
}

const racers = 64

func TestOneOf64RedeemsACode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.code(w.login(w.user("alice")))
		counts := together(w, racers, byError, func(s *store.Store, _ int) error {
			_, _, err := s.RedeemCode(t.Context(), w.redeem(code, false))
			return err
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrReused.Error(): racers})
		_, _, err := w.TokenState(t.Context(), code.GrantID, "", w.Now())
		want(t, err, store.ErrNotFound)
	})
}

func TestOneOf64UsesAPushedRequest(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		sess := w.login(w.user("alice"))
		counts := together(w, racers, byError, func(s *store.Store, _ int) error {
			return s.FinishAuthorization(t.Context(), store.Finish{SessionID: sess.ID, Code: newCode(w, sess), PushedHash: secret.Hash("pushed")})
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrReused.Error(): racers})
	})
}

func TestOneOf64ConsumesALoginRequest(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		sess := w.login(w.user("alice"))
		l := w.pending([]byte("b"))
		must(t, w.CreateLoginRequest(t.Context(), l))
		must(t, w.StartSession(t.Context(), store.StartSession{Session: sess, LoginRequestID: l.ID, BrowserHash: l.BrowserHash}))
		counts := together(w, racers, byError, func(s *store.Store, _ int) error {
			return s.FinishAuthorization(t.Context(), store.Finish{LoginRequestID: l.ID, BrowserHash: l.BrowserHash, SessionID: sess.ID, Code: newCode(w, sess)})
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrNotFound.Error(): racers})
	})
}

func TestARefreshTokenUsed64TimesAtOnceHasOneSuccessor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		grant := w.granted(w.login(w.user("alice")), false)
		counts := together(w, racers, byError, func(s *store.Store, _ int) error {
			f, _, _, err := s.RotateRefresh(t.Context(), w.rotate(grant, 0))
			if err == nil && f.Generation != 1 {
				return errors.New("another successor")
			}
			return err
		})
		expectCounts(t, counts, map[string]int{"ok": racers})
	})
}

func TestWithoutGraceOneOf64RotatesAndTheRestIsReuse(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		grant := w.granted(w.login(w.user("alice")), false)
		counts := together(w, racers, byError, func(s *store.Store, _ int) error {
			r := w.rotate(grant, 0)
			r.Grace = 0
			_, _, _, err := s.RotateRefresh(t.Context(), r)
			return err
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrReused.Error(): racers, store.ErrNotFound.Error(): racers})
		_, _, err := w.TokenState(t.Context(), grant.ID, "", w.Now())
		want(t, err, store.ErrNotFound)
	})
}

func TestOneOf64ReplaysIsFirst(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, round := range []string{"new", "expired and taken over"} {
			counts := together(w, racers, byError, func(s *store.Store, _ int) error {
				first, err := s.SeenOnce(t.Context(), store.UseProof, []byte("authenticator"), time.UnixMilli(w.in(time.Minute)))
				if err == nil && !first {
					return store.ErrReused
				}
				return err
			})
			t.Log(round)
			expectCounts(t, counts, map[string]int{"ok": 1, store.ErrReused.Error(): racers})
			w.pass(time.Minute)
		}
	})
}

func Test64GuessesAtOnceGetThreeTries(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, round := range []string{"free", "expired"} {
			counts := together(w, racers, byError, func(s *store.Store, i int) error {
				got, err := s.TakeGuess(t.Context(), "alice", "alice", []byte{byte(i)}, 3, time.Minute, w.Now())
				if err == nil && got.State != store.GuessTaken {
					return store.ErrConflict
				}
				return err
			})
			t.Log(round)
			expectCounts(t, counts, map[string]int{"ok": 3, store.ErrConflict.Error(): racers})
			w.pass(time.Hour)
		}
	})
}

func TestOneOf64GetsAName(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		counts := together(w, racers, byError, func(s *store.Store, _ int) error {
			_, err := s.CreateUser(t.Context(), store.User{Name: "alice"}, &store.Identity{Source: "s", Key: "k"}, store.Entry{})
			return err
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrConflict.Error(): racers})
	})
}

func TestOneOf64SettingsAndLeasesWins(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		counts := together(w, racers, byError, func(s *store.Store, i int) error {
			mine := []byte{byte(i)}
			stored, err := s.PutSettingOnce(t.Context(), "key", mine)
			if err == nil && stored[0] != mine[0] {
				return store.ErrConflict
			}
			return err
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrConflict.Error(): racers})
		counts = together(w, racers, byError, func(s *store.Store, i int) error {
			mine, err := s.Lease(t.Context(), "work", string(rune('A'+i)), time.Minute)
			if err == nil && !mine {
				return store.ErrConflict
			}
			return err
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrConflict.Error(): racers})
	})
}

// Whatever comes first, a code that is redeemed while its session ends leaves
// no tokens that work.
func TestSignOutWhileCodesAreRedeemedLeavesNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		sess := w.login(w.user("alice"))
		codes := make([]store.Code, racers)
		for i := range codes {
			codes[i] = w.code(sess)
		}
		counts := together(w, racers, byError, func(s *store.Store, i int) error {
			if i == racers/2 {
				return s.EndSession(t.Context(), sess.ID, store.Entry{})
			}
			_, _, err := s.RedeemCode(t.Context(), w.redeem(codes[i], false))
			return err
		})
		expectCounts(t, counts, map[string]int{"ok": counts["ok"], store.ErrNotFound.Error(): racers})
		for _, c := range codes {
			_, _, err := w.TokenState(t.Context(), c.GrantID, "", w.Now())
			want(t, err, store.ErrNotFound)
			_, _, _, err = w.RotateRefresh(t.Context(), w.rotate(&store.Grant{ID: c.GrantID, ClientID: c.ClientID}, 0))
			want(t, err, store.ErrNotFound)
		}
	})
}
