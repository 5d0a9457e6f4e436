package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/secret"
	"idp/internal/store"
)

// device is a device that waits.
func (w *world) device() store.DeviceCode {
	w.t.Helper()
	d := newDevice(w)
	must(w.t, w.PutDeviceCode(w.t.Context(), d))
	return d
}

func newDevice(w *world) store.DeviceCode {
	return store.DeviceCode{
		Hash: secret.Bytes(32), UserCode: secret.ID(), GrantID: secret.ID(), ClientID: "tv", Address: "192.0.2.9", Network: "192.0.2.9", Wide: "192.0.2.0/24", Outside: true,
		Scope: "openid offline_access", PollEvery: 5000, CreatedAt: w.Now(), ExpiresAt: w.in(10 * time.Minute),
	}
}

func answerOf(sess store.Session, d store.DeviceCode, allow bool) store.DeviceAnswer {
	return store.DeviceAnswer{Hash: d.Hash, Allow: allow, Session: sess, Scope: "openid", Entry: store.Entry{Actor: "alice"}}
}

func (w *world) poll(d store.DeviceCode) store.Poll {
	return store.Poll{
		Hash: d.Hash, ClientID: d.ClientID, Now: w.Now(),
		Grant: func(d store.DeviceCode, _ store.Standing) (store.Grant, *store.RefreshFamily, error) {
			g := store.Grant{Scope: d.Scope, AMR: d.AMR, ACR: d.ACR, AuthTime: d.AuthTime, CreatedAt: w.Now(), ExpiresAt: w.in(time.Hour)}
			return g, &store.RefreshFamily{ID: "family " + d.GrantID, IdleExpiresAt: w.in(time.Hour), ExpiresAt: w.in(time.Hour)}, nil
		},
	}
}

// expectPoll asks and compares the state; a nil error only.
func (w *world) expectPoll(d store.DeviceCode, state store.DeviceState) *store.Polled {
	w.t.Helper()
	got, err := w.PollDevice(w.t.Context(), w.poll(d))
	must(w.t, err)
	if got.State != state {
		w.t.Fatalf("state %d, want %d", got.State, state)
	}
	return got
}

func TestADeviceThatAsksTooSoonHasToWaitLonger(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		d := w.device()
		every := func(wanted time.Duration) {
			t.Helper()
			got, err := w.DeviceByUserCode(t.Context(), d.UserCode)
			must(t, err)
			if got.PollEvery != wanted.Milliseconds() {
				t.Errorf("asks every %d ms, want %s", got.PollEvery, wanted)
			}
		}
		w.expectPoll(d, store.DevicePending) // the first time at once
		w.pass(5 * time.Second)
		w.expectPoll(d, store.DevicePending)
		w.pass(4 * time.Second) // clocks are not even
		w.expectPoll(d, store.DevicePending)
		every(5 * time.Second)
		w.pass(4*time.Second - time.Millisecond)
		w.expectPoll(d, store.DeviceTooFast)
		every(10 * time.Second)
		w.pass(5 * time.Second)
		w.expectPoll(d, store.DeviceTooFast)
		every(15 * time.Second)
		w.pass(15 * time.Second)
		w.expectPoll(d, store.DevicePending)
		every(15 * time.Second)
		w.pass(10 * time.Minute)
		w.expectPoll(d, store.DeviceExpired)
	})
}

func TestAnAllowedDeviceGetsItsGrantOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u := t.Context(), w.user("alice")
		sess, d := w.login(u), w.device()
		must(t, w.AnswerDevice(ctx, answerOf(sess, d, true)))
		want(t, w.AnswerDevice(ctx, answerOf(sess, d, false)), store.ErrNotFound) // the first answer counts
		other := w.poll(d)
		other.ClientID = "evil"
		_, err := w.PollDevice(ctx, other)
		want(t, err, store.ErrNotFound)
		refusing := w.poll(d)
		refusing.Grant = func(store.DeviceCode, store.Standing) (store.Grant, *store.RefreshFamily, error) {
			return store.Grant{}, nil, store.ErrConflict
		}
		_, err = w.PollDevice(ctx, refusing)
		want(t, err, store.ErrConflict) // and nothing is used up
		got := w.expectPoll(d, store.DeviceGranted)
		if got.User.ID != u.ID || got.Grant.UserID != u.ID || got.Grant.SessionID != sess.ID || got.Grant.ClientID != "tv" || got.Grant.ID != d.GrantID || got.Grant.Scope != "openid" {
			t.Errorf("%+v", got.Grant)
		}
		if visited, _ := w.VisitedClients(ctx, sess.ID); !slices.Equal(visited, []string{"tv"}) {
			t.Errorf("visited %v: nobody tells the device that the session ended", visited)
		}
		_, _, err = w.TokenState(ctx, d.GrantID, "", w.Now())
		must(t, err)
		_, err = w.PollDevice(ctx, w.poll(d))
		want(t, err, store.ErrReused)
		_, _, err = w.TokenState(ctx, d.GrantID, "", w.Now())
		want(t, err, store.ErrNotFound)
		if e := w.events(); !slices.Contains(e, "device_allowed") || !slices.Contains(e, "code_reused") {
			t.Errorf("events %v", e)
		}
	})
}

func TestADeviceThatGetsNothingIsToldWhy(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u := t.Context(), w.user("alice")
		sess := w.login(u)
		denied := w.device()
		must(t, w.AnswerDevice(ctx, answerOf(sess, denied, false)))
		w.expectPoll(denied, store.DeviceRefused)
		late := w.device()
		w.pass(10*time.Minute - time.Second)
		must(t, w.AnswerDevice(ctx, answerOf(sess, late, true)))
		w.pass(30 * time.Second) // allowed in the last second: it has time to ask once more
		w.expectPoll(late, store.DeviceGranted)
		forgotten := w.device()
		must(t, w.AnswerDevice(ctx, answerOf(sess, forgotten, true)))
		w.pass(10 * time.Minute)
		w.expectPoll(forgotten, store.DeviceExpired)
		want(t, w.AnswerDevice(ctx, answerOf(sess, forgotten, true)), store.ErrNotFound)
		_, err := w.PollDevice(ctx, w.poll(newDevice(w)))
		want(t, err, store.ErrNotFound)
	})
}

// Whatever ends the login that allowed a device ends what it was allowed.
func TestADeviceLivesByTheSessionThatAllowedIt(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for name, end := range map[string]func(u store.User, sess store.Session) error{
			"signed out": func(_ store.User, sess store.Session) error { return w.EndSession(ctx, sess.ID, store.Entry{}) },
			"disabled":   func(u store.User, _ store.Session) error { return w.SetDisabled(ctx, u.ID, true, store.Entry{}) },
			"taken back": func(u store.User, _ store.Session) error { return w.RevokeConsent(ctx, u.ID, "tv", store.Entry{}) },
			"removed":    func(store.User, store.Session) error { return w.RemoveClient(ctx, "tv", store.Entry{}) },
		} {
			must(t, w.AddClient(ctx, store.Client{ClientID: "tv"}, store.Entry{}))
			u := w.user(name)
			sess := w.login(u)
			w.login(u) // elsewhere, which does not count
			before, d := w.device(), w.device()
			a := answerOf(sess, d, true)
			a.Consent = "openid"
			must(t, w.AnswerDevice(ctx, a))
			if c, err := w.Consent(ctx, u.ID, "tv"); err != nil || c.Scope != "openid" {
				t.Errorf("%s: consent %v, %v", name, c, err)
			}
			must(t, end(u, sess))
			_, err := w.PollDevice(ctx, w.poll(d))
			want(t, err, store.ErrNotFound)
			if name == "signed out" || name == "disabled" {
				want(t, w.AnswerDevice(ctx, answerOf(sess, before, true)), store.ErrNotFound)
			}
			if name != "removed" {
				must(t, w.RemoveClient(ctx, "tv", store.Entry{}))
			}
		}
	})
}

// fill puts n devices that nobody polls, as PutDeviceCode does, thousands in one
// statement. Each is in a network of its own when network ends in "#".
func (w *world) fill(network, wide string, n int64) {
	w.t.Helper()
	w.pass(time.Millisecond)
	must(w.t, w.Write(w.t.Context(), func(t store.Tx) error {
		_, err := t.Exec(`
			INSERT INTO device_codes (hash, user_code, grant_id, client_id, address, network, wide_network, scope, poll_every, created_at, expires_at)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
			SELECT CAST($2 || i AS BYTEA), $2 || i, '', 'tv', '', CASE WHEN $3 LIKE '%#' THEN $3 || i ELSE $3 END, CASE WHEN $4 LIKE '%#' THEN $4 || i ELSE $4 END, '', 5000, $5, $6 FROM n`,
			n, fmt.Sprintf("%d000000", w.Now()%10_000_000), network, wide, w.Now(), w.in(10*time.Minute))
		return err
	}))
	w.pass(time.Millisecond)
}

func (w *world) there(d store.DeviceCode) bool {
	w.t.Helper()
	_, err := w.DeviceByUserCode(w.t.Context(), d.UserCode)
	if err != nil {
		want(w.t, err, store.ErrNotFound)
	}
	return err == nil
}

func (w *world) waiting(where string) (n int64) {
	w.t.Helper()
	must(w.t, w.Read(w.t.Context(), func(t store.Tx) error {
		return t.QueryRow([]any{&n}, `SELECT COUNT(*) FROM device_codes WHERE answer = '' AND (network = $1 OR wide_network = $1 OR $1 = '')`, where)
	}))
	return n
}

// TestHoleDevicesCrowdedOut: nobody keeps the devices of others from being logged
// in by asking for codes without end, neither elsewhere nor in the same network.
func TestHoleDevicesCrowdedOut(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		from := func(network, wide string) store.DeviceCode {
			d := newDevice(w)
			d.Network, d.Wide = network, wide
			must(t, w.PutDeviceCode(ctx, d))
			return d
		}
		const home, around = "192.0.2.1", "192.0.2.0/24"
		answered := from(home, around)
		must(t, w.AnswerDevice(ctx, answerOf(w.login(w.user("alice")), answered, false)))
		silent, polling := from(home, around), from(home, around)
		w.fill(home, around, 197)
		w.expectPoll(polling, store.DevicePending)
		newest := from(home, around) // the 200th
		if !w.there(silent) || w.waiting(home) != 200 {
			t.Errorf("silent %v, %d wait", w.there(silent), w.waiting(home))
		}
		for range 50 {
			w.fill(home, around, 150)
			newest = from(home, around)
			w.pass(5 * time.Second)
			w.expectPoll(polling, store.DevicePending)
		}
		if w.there(silent) || !w.there(polling) || !w.there(newest) || !w.there(answered) || w.waiting(home) != 200 {
			t.Errorf("in one network: silent %v, polling %v, newest %v, answered %v, %d wait", w.there(silent), w.there(polling), w.there(newest), w.there(answered), w.waiting(home))
		}

		// Many networks of one provider: the flood of one /64 after the other.
		const customer = "2001:db8:1::/48"
		polling = from("2001:db8:1:1::/64", customer)
		w.fill("flood#", customer, 999)
		w.pass(time.Second)
		w.expectPoll(polling, store.DevicePending)
		newest = from("2001:db8:1:2::/64", customer)
		if !w.there(polling) || !w.there(newest) || w.waiting(customer) != 1000 {
			t.Errorf("in a wide network: polling %v, newest %v, %d wait", w.there(polling), w.there(newest), w.waiting(customer))
		}

		// Everywhere: the busiest makes room, and not who is alone.
		w.pass(10 * time.Minute)
		alone := from("203.0.113.2", "203.0.113.0/24")
		w.fill("a#", "few", 100)
		w.fill("b#", "most", 10_000)
		newest = from("203.0.113.200", "203.0.113.0/24")
		if most := w.waiting("most"); !w.there(alone) || !w.there(newest) || w.waiting("few") != 100 || most != 9900 {
			t.Errorf("everywhere: alone %v, newest %v, of few %d, of most %d", w.there(alone), w.there(newest), w.waiting("few"), most)
		}
		// And where each has one, those that show no sign of life.
		w.pass(10 * time.Minute)
		polling = from("203.0.113.2", "203.0.113.0/24")
		w.fill("c#", "c#", 10_000)
		w.expectPoll(polling, store.DevicePending)
		newest = from("198.51.100.2", "198.51.100.0/24")
		if !w.there(polling) || !w.there(newest) {
			t.Errorf("all alone: polling %v, newest %v", w.there(polling), w.there(newest))
		}
		again := newDevice(w)
		again.UserCode = newest.UserCode
		want(t, w.PutDeviceCode(ctx, again), store.ErrConflict)
	})
}

func TestSweptDevices(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, d := t.Context(), w.device()
		w.pass(70*time.Minute - time.Millisecond)
		if n, err := w.Sweep(ctx); err != nil || n != 0 {
			t.Errorf("swept %d, %v", n, err)
		}
		w.expectPoll(d, store.DeviceExpired)
		w.pass(time.Millisecond)
		if n, err := w.Sweep(ctx); err != nil || n != 1 {
			t.Errorf("swept %d, %v", n, err)
		}
		_, err := w.DeviceByUserCode(ctx, d.UserCode)
		want(t, err, store.ErrNotFound)
	})
}

func TestOneOf64RedeemsADeviceCode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		d := w.device()
		must(t, w.AnswerDevice(t.Context(), answerOf(w.login(w.user("alice")), d, true)))
		counts := together(w, racers, byError, func(s *store.Store, _ int) error {
			got, err := s.PollDevice(t.Context(), w.poll(d))
			if err == nil && got.State != store.DeviceGranted {
				return fmt.Errorf("state %d", got.State)
			}
			return err
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrReused.Error(): racers})
		_, _, err := w.TokenState(t.Context(), d.GrantID, "", w.Now())
		want(t, err, store.ErrNotFound) // it came a second time
	})
}

func TestOneOf64AnswersADevice(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		d, sess := w.device(), w.login(w.user("alice"))
		counts := together(w, racers, byError, func(s *store.Store, i int) error {
			return s.AnswerDevice(t.Context(), answerOf(sess, d, i%2 == 0))
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrNotFound.Error(): racers})
	})
}

// Of 64 questions at once one is in time. And whoever asks while the answer is
// given is told to wait or gets the tokens, and never that all is over.
func TestPollsAtOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		d := w.device()
		counts := together(w, racers, byError, func(s *store.Store, _ int) error {
			got, err := s.PollDevice(t.Context(), w.poll(d))
			if err == nil && got.State == store.DeviceTooFast {
				err = store.ErrConflict
			}
			return err
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrConflict.Error(): racers})

		sess := w.login(w.user("alice"))
		for range 10 {
			d := w.device()
			states := make([]store.DeviceState, racers)
			counts := together(w, 8, byError, func(s *store.Store, i int) (err error) {
				if i == 0 {
					return s.AnswerDevice(t.Context(), answerOf(sess, d, true))
				}
				got, err := s.PollDevice(t.Context(), w.poll(d))
				if err == nil {
					states[i] = got.State
				}
				return err
			})
			for i, state := range states {
				if state == store.DeviceRefused || state == store.DeviceExpired {
					t.Errorf("%d was told %d", i, state)
				}
			}
			if counts[store.ErrNotFound.Error()] > 0 {
				t.Errorf("%v", counts)
			}
		}
	})
}

func TestDevicesComeBackAsTheyWereStored(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		d := w.device()
		got, err := w.DeviceByUserCode(t.Context(), d.UserCode)
		must(t, err)
		if diff := cmp.Diff(&d, got); diff != "" {
			t.Error(diff)
		}
		_, err = w.DeviceByUserCode(t.Context(), "")
		want(t, err, store.ErrNotFound)
	})
}
