package store_test

import (
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/secret"
	"idp/internal/store"
)

func (w *world) factor(u store.User, kind string) store.Factor {
	w.t.Helper()
	f := store.Factor{ID: secret.ID(), UserID: u.ID, Kind: kind, Name: "Phone", Data: []byte{0, 255}, Counter: 7}
	must(w.t, w.AddFactor(w.t.Context(), store.NewFactor{Factor: f}))
	return f
}

func TestFactorsComeBackAsTheyWereStored(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u, other := t.Context(), w.user("alice"), w.user("bob")
		f := w.factor(u, store.FactorTOTP)
		f.Key, f.CreatedAt = []byte(f.ID), w.Now()
		w.pass(time.Second)
		key := store.Factor{ID: "p", UserID: u.ID, Kind: store.FactorPasskey, Key: []byte{1, 2, 3}, Data: []byte("public"), CreatedAt: w.Now()}
		must(t, w.AddFactor(ctx, store.NewFactor{Factor: key, Entry: store.Entry{Actor: "alice"}}))
		got, err := w.FactorsOf(ctx, u.ID)
		must(t, err)
		if d := cmp.Diff([]store.Factor{f, key}, got); d != "" {
			t.Error(d)
		}
		found, of, err := w.FactorByKey(ctx, store.FactorPasskey, []byte{1, 2, 3})
		must(t, err)
		if found.ID != "p" || of.ID != u.ID {
			t.Errorf("by its key: %+v of %s", found, of.Name)
		}
		_, _, err = w.FactorByKey(ctx, store.FactorTOTP, []byte{1, 2, 3})
		want(t, err, store.ErrNotFound)
		key.ID, key.UserID = "q", other.ID
		want(t, w.AddFactor(ctx, store.NewFactor{Factor: key}), store.ErrConflict)
		must(t, w.SetDisabled(ctx, u.ID, true, store.Entry{}))
		_, of, err = w.FactorByKey(ctx, store.FactorPasskey, []byte{1, 2, 3})
		must(t, err)
		if !of.Disabled { // whoever asks says why nobody is let in
			t.Error("a disabled user is not said to be")
		}
	})
}

// Of 64 that would be the first, on two nodes, one is.
func TestTheFirstFactorIsOne(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.user("alice")
		nodes := [2]*store.Store{w.Store, w.another()}
		var added atomic.Int64
		atOnce(t, 64, func(i int) error {
			f := store.Factor{ID: strconv.Itoa(i), UserID: u.ID, Kind: store.FactorTOTP, Data: []byte{1}}
			err := nodes[i%2].AddFactor(t.Context(), store.NewFactor{Factor: f, First: true})
			if err == nil {
				added.Add(1)
			}
			if errors.Is(err, store.ErrConflict) {
				return nil
			}
			return err
		})
		if added.Load() != 1 {
			t.Errorf("%d are the first", added.Load())
		}
	})
}

func TestWhoMayAddAFactor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u := t.Context(), w.user("alice")
		must(t, w.SetPassword(ctx, u.ID, "$new", store.Entry{}))
		n := 0
		add := func(hash string) error {
			n++
			return w.AddFactor(ctx, store.NewFactor{Factor: store.Factor{ID: strconv.Itoa(n), UserID: u.ID, Kind: store.FactorTOTP, Data: []byte{1}}, PasswordHash: hash})
		}
		want(t, add("$old"), store.ErrNotFound)
		must(t, add("$new"))
		for range 19 {
			must(t, add(""))
		}
		want(t, add(""), store.ErrTooMany)
		must(t, w.SetDisabled(ctx, u.ID, true, store.Entry{}))
		want(t, add(""), store.ErrNotFound)
	})
}

func TestACounterOnlyGrows(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u, other := t.Context(), w.user("alice"), w.user("bob")
		code, key := w.factor(u, store.FactorTOTP), w.factor(u, store.FactorPasskey)
		none := store.Factor{ID: "none", UserID: u.ID, Kind: store.FactorPasskey, Data: []byte{1}}
		must(t, w.AddFactor(ctx, store.NewFactor{Factor: none}))
		for _, c := range []struct {
			id      string
			counter int64
			want    error
		}{
			{code.ID, 7, store.ErrReused}, {code.ID, 8, nil}, {code.ID, 8, store.ErrReused}, {code.ID, 0, store.ErrReused}, {code.ID, 10, nil}, {code.ID, 9, store.ErrReused},
			{key.ID, 0, store.ErrReused}, {key.ID, 8, nil}, {key.ID, 8, store.ErrReused},
			{none.ID, 0, nil}, {none.ID, 0, nil}, {none.ID, 1, nil}, {none.ID, 0, store.ErrReused}, // WebAuthn §7.2: one that counts never says 0 again
			{"unknown", 9, store.ErrNotFound},
		} {
			if err := w.AcceptFactor(ctx, u.ID, c.id, c.counter); !errors.Is(err, c.want) || (err != nil) != (c.want != nil) {
				t.Errorf("%s, %d: %v, want %v", c.id, c.counter, err, c.want)
			}
		}
		want(t, w.AcceptFactor(ctx, other.ID, code.ID, 99), store.ErrNotFound)
	})
}

func TestEveryChangeOfAFactorLeavesATrace(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u, other := t.Context(), w.user("alice"), w.user("bob")
		f := w.factor(u, store.FactorTOTP)
		must(t, w.RenameFactor(ctx, u.ID, f.ID, "Old phone")) // no trust: no trace
		want(t, w.RenameFactor(ctx, other.ID, f.ID, "Mine"), store.ErrNotFound)
		want(t, w.RemoveFactor(ctx, other.ID, f.ID, store.Entry{}), store.ErrNotFound)
		must(t, w.PutRecoveryCodes(ctx, u.ID, [][]byte{{1}, {2}}, store.Entry{}))
		must(t, w.UseRecoveryCode(ctx, u.ID, []byte{1}, store.Entry{}))
		want(t, w.UseRecoveryCode(ctx, u.ID, []byte{1}, store.Entry{}), store.ErrReused)
		want(t, w.UseRecoveryCode(ctx, other.ID, []byte{2}, store.Entry{}), store.ErrNotFound)
		if n, err := w.RecoveryCodesLeft(ctx, u.ID); n != 1 || err != nil {
			t.Errorf("%d left, %v", n, err)
		}
		must(t, w.RemoveFactor(ctx, u.ID, f.ID, store.Entry{}))
		if n, err := w.RecoveryCodesLeft(ctx, u.ID); n != 0 || err != nil {
			t.Errorf("%d left without a factor, %v", n, err)
		}
		n, err := w.ResetFactors(ctx, u.ID, store.Entry{})
		if n != 0 || err != nil {
			t.Errorf("reset: %d, %v", n, err)
		}
		_, err = w.ResetFactors(ctx, "unknown", store.Entry{})
		want(t, err, store.ErrNotFound)
		wantEvents := sorted([]string{"user_added", "user_added", "factor_added", "recovery_codes_made", "recovery_code_used", "factor_removed", "factors_reset"})
		if d := cmp.Diff(wantEvents, sorted(w.events())); d != "" {
			t.Error(d)
		}
		entries, err := w.Entries(ctx, store.Filter{UserID: u.ID, Event: "factor_removed"})
		must(t, err)
		if len(entries) != 1 || entries[0].Detail != "totp "+f.ID+": Old phone" {
			t.Errorf("%+v", entries)
		}
	})
}

// A factor that goes takes the sessions along that whoever has it may have: all but
// the one that asks, and all where an administrator does.
func TestWhatEndsWithAFactor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u := t.Context(), w.user("alice")
		f := w.factor(u, store.FactorTOTP)
		mine, phone := w.login(u), w.login(u)
		grant := w.granted(phone, false)
		must(t, w.RemoveFactor(ctx, u.ID, f.ID, store.Entry{SessionID: mine.ID}))
		_, _, err := w.SessionBySecret(ctx, mine.SecretHash, w.Now())
		must(t, err)
		_, _, err = w.SessionBySecret(ctx, phone.SecretHash, w.Now())
		want(t, err, store.ErrNotFound)
		_, _, err = w.TokenState(ctx, grant.ID, "jti", w.Now())
		want(t, err, store.ErrNotFound)

		w.factor(u, store.FactorTOTP)
		offline := w.granted(mine, true)
		n, err := w.ResetFactors(ctx, u.ID, store.Entry{SessionID: mine.ID})
		if n != 1 || err != nil {
			t.Errorf("reset: %d, %v", n, err)
		}
		_, _, err = w.SessionBySecret(ctx, mine.SecretHash, w.Now())
		want(t, err, store.ErrNotFound)
		_, _, err = w.TokenState(ctx, offline.ID, "jti", w.Now())
		want(t, err, store.ErrNotFound)
	})
}

// A session that begins with a factor, or goes on from another session, does so only
// while that is there.
func TestASessionStartsOnlyWithWhatCounts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u, other := t.Context(), w.user("alice"), w.user("bob")
		f := w.factor(u, store.FactorTOTP)
		start := func(change func(*store.StartSession)) error {
			in := store.StartSession{Session: w.newSession(u)}
			change(&in)
			return w.StartSession(ctx, in)
		}
		must(t, start(func(in *store.StartSession) { in.FactorID = f.ID }))
		want(t, start(func(in *store.StartSession) { in.FactorID = w.factor(other, store.FactorTOTP).ID }), store.ErrNotFound)
		sess := w.login(u)
		goesOn := func(in *store.StartSession) { in.Session.ID, in.Continues = sess.ID, sess.ID }
		must(t, start(goesOn))
		want(t, start(func(in *store.StartSession) { in.Continues = sess.ID }), store.ErrNotFound) // in another browser's session
		w.pass(2 * time.Hour)
		want(t, start(goesOn), store.ErrNotFound) // nobody has used it
		must(t, w.RemoveFactor(ctx, u.ID, f.ID, store.Entry{}))
		want(t, start(func(in *store.StartSession) { in.FactorID = f.ID }), store.ErrNotFound)
		want(t, start(goesOn), store.ErrNotFound)
	})
}
