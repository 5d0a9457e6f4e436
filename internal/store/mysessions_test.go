package store_test

import (
	"slices"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/store"
)

// ids of what somebody holds beside sessions.
func (w *world) held(userID string) (ids []string) {
	w.t.Helper()
	grants, err := w.HeldGrants(w.t.Context(), userID)
	must(w.t, err)
	for _, g := range grants {
		ids = append(ids, g.ID)
	}
	slices.Sort(ids)
	return ids
}

// onADevice is a grant that a session allowed to a device.
func (w *world) onADevice(sess store.Session, offline bool) *store.Grant {
	w.t.Helper()
	d := w.device()
	must(w.t, w.AnswerDevice(w.t.Context(), answerOf(sess, d, true)))
	p := w.poll(d)
	give := p.Grant
	p.Grant = func(d store.DeviceCode, now store.Standing) (store.Grant, *store.RefreshFamily, error) {
		g, f, err := give(d, now)
		g.Offline = offline
		return g, f, err
	}
	polled, err := w.PollDevice(w.t.Context(), p)
	must(w.t, err)
	return polled.Grant
}

// What outlives a session, and what was allowed to a device, is listed while it counts;
// a browser's grant that ends with its session is not.
func TestHeldGrantsAreThoseThatStillCount(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, sess, other := t.Context(), w.login(w.user("alice")), w.login(w.user("bob"))
		w.granted(sess, false)
		w.granted(other, true)
		offline, device, both := w.granted(sess, true), w.onADevice(sess, false), w.onADevice(sess, true)
		all := []string{offline.ID, device.ID, both.ID}
		slices.Sort(all)
		if got := w.held(sess.UserID); !slices.Equal(got, all) {
			t.Fatalf("%v, want %v", got, all)
		}
		grants, err := w.HeldGrants(ctx, sess.UserID)
		must(t, err)
		for _, g := range grants {
			if g.Device != (g.ID != offline.ID) || g.Device && g.Address != "192.0.2.9" || g.UsedAt != w.Now() {
				t.Errorf("%+v", g)
			}
		}
		w.pass(time.Minute)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(offline, 0))
		must(t, err)
		grants, err = w.HeldGrants(ctx, sess.UserID)
		must(t, err)
		if i := slices.IndexFunc(grants, func(g store.HeldGrant) bool { return g.ID == offline.ID }); grants[i].UsedAt != w.Now() {
			t.Errorf("used at %d, want now", grants[i].UsedAt)
		}
		must(t, w.EndSession(ctx, sess.ID, store.Entry{}))
		outlive := []string{offline.ID, both.ID}
		slices.Sort(outlive)
		if got := w.held(sess.UserID); !slices.Equal(got, outlive) {
			t.Errorf("after the session: %v, want %v", got, outlive)
		}
		w.pass(8*time.Hour + time.Minute) // the refresh tokens were not used for so long
		if got := w.held(sess.UserID); len(got) != 0 {
			t.Errorf("idle: %v", got)
		}
	})
}

// TestHoleEndingAnothersSession: an id is no secret (it is the sid of every token), and
// ends nothing of anybody else's.
func TestHoleEndingAnothersSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, mine, bobs := t.Context(), w.login(w.user("alice")), w.login(w.user("bob"))
		bobsGrant, bobsDevice := w.granted(bobs, true), w.onADevice(bobs, false)
		before := len(w.events())
		for _, id := range []string{bobs.ID, "", "nobody's", "\x00"} {
			if ended, err := w.EndSessionOf(ctx, mine.UserID, id, store.Entry{}); ended || err != nil && id != "\x00" {
				t.Errorf("session %q: %v %v", id, ended, err)
			}
		}
		for _, id := range []string{bobsGrant.ID, bobsDevice.ID, "", "nobody's"} {
			if ended, err := w.EndGrantOf(ctx, mine.UserID, id, store.Entry{}); ended || err != nil {
				t.Errorf("grant %q: %v %v", id, ended, err)
			}
		}
		if _, err := w.EndLogins(ctx, mine.UserID, bobs.ID, store.Entry{}); err != nil { // ends alice's
			t.Fatal(err)
		}
		if n := len(w.events()); n != before+1 {
			t.Errorf("%d traces, want one of alice's own", n-before)
		}
		if got := w.held(bobs.UserID); len(got) != 2 {
			t.Errorf("bob has %v left", got)
		}
		_, _, err := w.SessionBySecret(ctx, bobs.SecretHash, w.Now())
		must(t, err)
	})
}

func TestEndingOnesOwn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, sess := t.Context(), w.login(w.user("alice"))
		short, grant := w.granted(sess, false), w.granted(sess, true)
		for i := range 2 {
			ended, err := w.EndGrantOf(ctx, sess.UserID, grant.ID, store.Entry{Actor: "alice"})
			if err != nil || ended != (i == 0) {
				t.Fatalf("%d: %v %v", i, ended, err)
			}
		}
		w.gone([]*store.Grant{grant}, nil)
		e, err := w.Entries(ctx, store.Filter{UserID: sess.UserID, Event: audit.GrantRevoked})
		must(t, err)
		if len(e) != 1 || e[0].Actor != "alice" || e[0].ClientID != "wiki" || e[0].SessionID != sess.ID {
			t.Errorf("%+v", e)
		}
		for i := range 2 {
			ended, err := w.EndSessionOf(ctx, sess.UserID, sess.ID, store.Entry{Actor: "alice"})
			if err != nil || ended != (i == 0) {
				t.Fatalf("%d: %v %v", i, ended, err)
			}
		}
		w.gone([]*store.Grant{short}, nil)
		e, err = w.Entries(ctx, store.Filter{UserID: sess.UserID, Event: audit.SignedOut})
		must(t, err)
		if len(e) != 1 || e[0].Actor != "alice" {
			t.Errorf("%+v", e)
		}
	})
}

// Everywhere else is every other session, and what outlives this one or was allowed
// to a device: whoever had this account for a minute may have left either behind.
func TestEndingLoginsElsewhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u := t.Context(), w.user("alice")
		here, there, bobs := w.login(u), w.login(u), w.login(w.user("bob"))
		kept, keptCode := w.granted(here, false), w.code(here)
		bobsGrant, bobsDevice := w.granted(bobs, true), w.onADevice(bobs, false)
		ends := []*store.Grant{w.granted(here, true), w.onADevice(here, false), w.granted(there, false), w.granted(there, true)}
		code, waiting := w.code(there), w.device()
		must(t, w.AnswerDevice(ctx, answerOf(here, waiting, true)))

		ended, err := w.EndLogins(ctx, u.ID, here.ID, store.Entry{Actor: "alice"})
		if err != nil || ended != (store.EndedLogins{Sessions: 1, Grants: 3}) {
			t.Fatalf("%+v %v", ended, err)
		}
		w.gone(ends, []store.Code{code})
		_, err = w.PollDevice(ctx, w.poll(waiting))
		want(t, err, store.ErrNotFound)
		_, _, err = w.SessionBySecret(ctx, there.SecretHash, w.Now())
		want(t, err, store.ErrNotFound)
		for _, g := range []*store.Grant{kept, bobsGrant, bobsDevice} {
			_, _, err = w.TokenState(ctx, g.ID, "", w.Now())
			must(t, err)
		}
		_, _, err = w.RedeemCode(ctx, w.redeem(keptCode, false))
		must(t, err)
		n := len(w.events())
		if ended, err = w.EndLogins(ctx, u.ID, here.ID, store.Entry{}); err != nil || ended != (store.EndedLogins{}) || len(w.events()) != n {
			t.Errorf("once more: %+v %v, %v", ended, err, w.events())
		}
		w.pass(time.Second)
		if ended, err = w.EndLogins(ctx, u.ID, "", store.Entry{}); err != nil || ended.Sessions != 1 {
			t.Errorf("everywhere: %+v %v", ended, err)
		}
		w.gone([]*store.Grant{kept}, nil)
		e, err := w.Entries(ctx, store.Filter{UserID: u.ID, Event: audit.SessionsEnded})
		must(t, err)
		if len(e) != 2 || e[1].Detail != `{"sessions":["`+there.ID+`"],"grants":3,"kept":"`+here.ID+`"}` {
			t.Errorf("%+v", e)
		}
	})
}

// Whoever is redeeming codes while somebody signs out everywhere has nothing of it.
func TestHoleNothingSurvivesSigningOutEverywhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.user("alice")
		for range 3 {
			w.nothingSurvives(w.login(u), func(s *store.Store) error {
				_, err := s.EndLogins(t.Context(), u.ID, "", store.Entry{})
				return err
			})
		}
	})
}
