package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/secret"
	"idp/internal/store"
)

// What is told to whoever gives something: the client and the consent as they are
// when it is given, and not as they were.
func TestStandingIsThatOfTheMoment(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.user("alice")
		sess := w.login(u)
		told := func() map[string]store.Standing {
			t.Helper()
			all := map[string]store.Standing{}
			redeem := w.redeem(w.code(sess), true)
			give := redeem.Grant
			redeem.Grant = func(c store.Code, now store.Standing) (store.Grant, *store.RefreshFamily, error) {
				all["code"] = now
				return give(c, now)
			}
			_, g, err := w.RedeemCode(ctx, redeem)
			must(t, err)
			rotate := w.rotate(g, 0)
			rotate.Check = func(_ store.Grant, now store.Standing) error { all["refresh"] = now; return nil }
			_, _, _, err = w.RotateRefresh(ctx, rotate)
			must(t, err)
			_, now, err := w.TokenState(ctx, g.ID, "jti", w.Now())
			must(t, err)
			all["state"] = *now
			d := newDevice(w)
			d.ClientID = "wiki"
			must(t, w.PutDeviceCode(ctx, d))
			must(t, w.AnswerDevice(ctx, answerOf(sess, d, true)))
			poll := w.poll(d)
			answered := poll.Grant
			poll.Grant = func(d store.DeviceCode, now store.Standing) (store.Grant, *store.RefreshFamily, error) {
				all["device"] = now
				return answered(d, now)
			}
			_, err = w.PollDevice(ctx, poll)
			must(t, err)
			return all
		}
		expect := func(when string, client *store.Client, consent string) {
			t.Helper()
			for by, now := range told() {
				if d := cmp.Diff(store.Standing{User: u, Client: client, Consent: consent}, now); d != "" {
					t.Errorf("%s, by %s: %s", when, by, d)
				}
			}
		}
		expect("the file's, trusted", nil, "")
		w.allow(sess, "openid email")
		expect("allowed", nil, "openid email")
		c := w.added(store.Client{ClientID: "wiki", Scope: "openid"})
		expect("of the database", &store.Client{ClientID: "wiki", Scope: "openid"}, "") // an earlier owner's consent has gone
		c.Scope = "email"
		must(t, w.UpdateClient(ctx, c, false, store.Entry{}))
		expect("changed", &store.Client{ClientID: "wiki", Scope: "email"}, "")
	})
}

// Whatever ends a client's grants ends what has not become one yet.
func TestHoleRevokedClientKeepsItsCodes(t *testing.T) {
	for name, end := range map[string]func(*world) error{
		"changed": func(w *world) error {
			return w.UpdateClient(w.t.Context(), w.client("wiki"), true, store.Entry{Actor: "test"})
		},
		"removed": func(w *world) error { return w.RemoveClient(w.t.Context(), "wiki", store.Entry{Actor: "test"}) },
		"removed and added": func(w *world) error {
			return errors.Join(w.RemoveClient(w.t.Context(), "wiki", store.Entry{Actor: "test"}), w.AddClient(w.t.Context(), store.Client{ClientID: "wiki"}, store.Entry{Actor: "test"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				ctx, sess := t.Context(), w.login(w.user("alice"))
				w.added(store.Client{ClientID: "wiki"})
				code, others, grant := w.code(sess), newCode(w, sess), w.granted(sess, true)
				others.ClientID = "other"
				must(t, w.FinishAuthorization(ctx, store.Finish{SessionID: sess.ID, Code: others}))
				d := newDevice(w)
				d.ClientID = "wiki"
				must(t, w.PutDeviceCode(ctx, d))
				must(t, w.AnswerDevice(ctx, answerOf(sess, d, true)))
				kept := map[string]store.PushedRequest{}
				for name, p := range map[string]store.PushedRequest{"pushed": {ClientID: "wiki", PushedHash: secret.Bytes(32)}, "parked": {ClientID: "wiki"}, "another's": {ClientID: "other", PushedHash: secret.Bytes(32)}} {
					p.Hash, p.ExpiresAt = secret.Bytes(32), w.in(time.Minute)
					kept[name] = p
					must(t, w.PutPushedRequest(ctx, p))
				}
				must(t, end(w))
				_, _, err := w.RedeemCode(ctx, w.redeem(code, true))
				want(t, err, store.ErrNotFound)
				_, err = w.PollDevice(ctx, w.poll(d))
				want(t, err, store.ErrNotFound)
				_, _, _, err = w.RotateRefresh(ctx, w.rotate(grant, 0))
				want(t, err, store.ErrNotFound)
				_, err = w.PushedRequest(ctx, kept["pushed"].Hash)
				want(t, err, store.ErrNotFound)
				for _, name := range []string{"parked", "another's"} {
					_, err = w.PushedRequest(ctx, kept[name].Hash)
					must(t, err)
				}
				_, _, err = w.RedeemCode(ctx, w.redeem(others, true))
				must(t, err)
			})
		})
	}
}

// Codes are redeemed while their client is revoked: whatever the order, neither they
// nor what they gave are good afterwards.
func TestNothingSurvivesAClientThatIsRevokedMeanwhile(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		sess := w.login(w.user("alice"))
		w.added(store.Client{ClientID: "wiki"})
		for range 5 {
			w.nothingSurvives(sess, func(s *store.Store) error { return s.UpdateClient(t.Context(), w.client("wiki"), true, store.Entry{}) })
		}
	})
}

// Whoever knew the old password is out, however many codes are being redeemed.
func TestNothingSurvivesAPasswordThatIsChangedMeanwhile(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.user("alice")
		for range 5 {
			w.nothingSurvives(w.login(u), func(s *store.Store) error { return s.SetPassword(t.Context(), u.ID, "$new", store.Entry{}) })
		}
	})
}

// nothingSurvives redeems codes of a session while something ends what they give.
func (w *world) nothingSurvives(sess store.Session, end func(*store.Store) error) {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	var codes []store.Code
	for range racers {
		codes = append(codes, w.code(sess))
	}
	var mu sync.Mutex
	var grants []*store.Grant
	counts := together(w, racers, byError, func(s *store.Store, i int) error {
		if i == racers/2 {
			return end(s)
		}
		_, g, err := s.RedeemCode(ctx, w.redeem(codes[i], true))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		grants = append(grants, g)
		return err
	})
	expectCounts(t, counts, map[string]int{"ok": racers})
	w.gone(grants, codes)
}

// gone checks that grants are good for nothing, and codes neither.
func (w *world) gone(grants []*store.Grant, codes []store.Code) {
	w.t.Helper()
	ctx := w.t.Context()
	for _, g := range grants {
		_, _, err := w.TokenState(ctx, g.ID, "", w.Now())
		want(w.t, err, store.ErrNotFound)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(g, 0))
		want(w.t, err, store.ErrNotFound)
	}
	for _, c := range codes {
		_, _, err := w.RedeemCode(ctx, w.redeem(c, true))
		want(w.t, err, store.ErrNotFound)
	}
}

// What a client got when it was trusted, and nobody was asked, can be taken back,
// too; once, and of one user.
func TestHoleTakingBackWithoutAConsent(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, sess := t.Context(), w.login(w.user("alice"))
		colleague := w.login(w.user("bob"))
		code, grant, bobs, bobsCode := w.code(sess), w.granted(sess, true), w.granted(colleague, true), w.code(colleague)
		before := len(w.events())
		for range 2 {
			must(t, w.RevokeConsent(ctx, sess.UserID, "wiki", store.Entry{Actor: "alice"}))
		}
		if events := w.events(); len(events) != before+1 {
			t.Errorf("traces: %v", events)
		}
		_, _, err := w.RedeemCode(ctx, w.redeem(code, false))
		want(t, err, store.ErrNotFound)
		_, _, err = w.TokenState(ctx, grant.ID, "", w.Now())
		want(t, err, store.ErrNotFound)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(grant, 0))
		want(t, err, store.ErrNotFound)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(bobs, 0))
		must(t, err)
		_, _, err = w.RedeemCode(ctx, w.redeem(bobsCode, false))
		must(t, err)
	})
}
