package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/store"
)

// asked is a login request of a session that waits for its answer.
func (w *world) asked(sess store.Session, browser []byte, scope string) store.LoginRequest {
	w.t.Helper()
	l := w.pending(browser)
	l.UserID, l.SessionID, l.AuthTime, l.Consent = sess.UserID, sess.ID, sess.AuthTime, scope
	must(w.t, w.CreateLoginRequest(w.t.Context(), l))
	return l
}

func answer(l store.LoginRequest, allow bool) store.Answer {
	return store.Answer{LoginRequestID: l.ID, BrowserHash: l.BrowserHash, SessionID: l.SessionID, Asked: l.Consent, Allow: allow, Entry: store.Entry{Actor: "alice"}}
}

// allow goes all the way to a consent.
func (w *world) allow(sess store.Session, scope string) {
	w.t.Helper()
	must(w.t, w.AnswerConsent(w.t.Context(), answer(w.asked(sess, []byte{1}, scope), true)))
}

// allowed is what a user allowed wiki.
func (w *world) allowed(userID string) string {
	w.t.Helper()
	c, err := w.Consent(w.t.Context(), userID, "wiki")
	if errors.Is(err, store.ErrNotFound) {
		return "nothing"
	}
	must(w.t, err)
	return c.Scope
}

func TestConsentIsMergedAndTheFirstAnswerCounts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, sess := t.Context(), w.login(w.user("alice"))
		l := w.asked(sess, []byte{1}, "openid email")
		must(t, w.AnswerConsent(ctx, answer(l, true)))
		want(t, w.AnswerConsent(ctx, answer(l, true)), store.ErrNotFound)
		want(t, w.AnswerConsent(ctx, answer(l, false)), store.ErrNotFound)
		since := w.Now()
		w.pass(time.Minute)
		w.allow(sess, "email read")
		must(t, w.AnswerConsent(ctx, answer(w.asked(sess, []byte{1}, "secrets"), false)))
		list, err := w.Consents(ctx, sess.UserID)
		must(t, err)
		if d := cmp.Diff([]store.Consent{{UserID: sess.UserID, ClientID: "wiki", Scope: "openid email read", CreatedAt: since, UpdatedAt: w.Now()}}, list); d != "" {
			t.Error(d)
		}
		entries, err := w.Entries(ctx, store.Filter{UserID: sess.UserID})
		must(t, err)
		for i, e := range []store.Entry{{Event: "consent_denied", Detail: "secrets"}, {Event: "consent_given", Detail: "email read"}, {Event: "consent_given", Detail: "openid email"}} {
			found := false
			for _, got := range entries {
				found = found || (got.Event == e.Event && got.Detail == e.Detail && got.ClientID == "wiki" && got.SessionID == sess.ID && got.Actor == "alice")
			}
			if !found {
				t.Errorf("entry %d: %+v is not among %+v", i, e, entries)
			}
		}
	})
}

// Only the browser, session and question that the page was made for are answered.
func TestConsentAnswersNothingElse(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, sess := t.Context(), w.login(w.user("alice"))
		other := w.login(w.user("bob"))
		l := w.asked(sess, []byte{1}, "openid email")
		for name, change := range map[string]func(*store.Answer){
			"another browser":  func(a *store.Answer) { a.BrowserHash = []byte{2} },
			"another session":  func(a *store.Answer) { a.SessionID = other.ID },
			"no session":       func(a *store.Answer) { a.SessionID = "" },
			"another question": func(a *store.Answer) { a.Asked = "openid email read" },
			"no question":      func(a *store.Answer) { a.Asked = "" },
			"unknown":          func(a *store.Answer) { a.LoginRequestID = "x" },
		} {
			a := answer(l, true)
			change(&a)
			if err := w.AnswerConsent(ctx, a); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		plain := w.pending([]byte{1})
		must(t, w.CreateLoginRequest(ctx, plain))
		want(t, w.AskConsent(ctx, plain.ID, plain.BrowserHash, "", "openid"), store.ErrNotFound)
		want(t, w.AnswerConsent(ctx, answer(plain, true)), store.ErrNotFound)
		w.pass(11 * time.Minute)
		want(t, w.AnswerConsent(ctx, answer(l, true)), store.ErrNotFound)
		want(t, w.AskConsent(ctx, l.ID, l.BrowserHash, sess.ID, "openid"), store.ErrNotFound)
		if got := w.allowed(sess.UserID); got != "nothing" {
			t.Errorf("allowed %s", got)
		}
	})
}

// Whoever logs in on a login request is asked anew, whatever the user before
// was asked or answered.
func TestLoginTakesBackQuestionAndAnswer(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, alice := t.Context(), w.login(w.user("alice"))
		bob := w.user("bob")
		l := w.asked(alice, []byte{1}, "openid")
		must(t, w.AnswerConsent(ctx, answer(l, true)))
		must(t, w.StartSession(ctx, store.StartSession{Session: w.newSession(bob), LoginRequestID: l.ID, BrowserHash: l.BrowserHash}))
		got, err := w.LoginRequest(ctx, l.ID, l.BrowserHash)
		must(t, err)
		if got.UserID != bob.ID || got.Consent != "" || got.ConsentAnswer != "" {
			t.Errorf("got %+v", got)
		}
		want(t, w.AnswerConsent(ctx, answer(l, true)), store.ErrNotFound)
	})
}

func TestCodeNeedsTheConsentItGives(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, sess := t.Context(), w.login(w.user("alice"))
		finish := func(scope string) error {
			return w.FinishAuthorization(ctx, store.Finish{SessionID: sess.ID, Consent: scope, Code: newCode(w, sess)})
		}
		want(t, finish("openid"), store.ErrConsent)
		w.allow(sess, "openid email")
		must(t, finish("openid"))
		must(t, finish("email openid"))
		want(t, finish("openid email read"), store.ErrConsent)
		want(t, finish("openi"), store.ErrConsent)
		other := newCode(w, sess)
		other.ClientID = "other"
		want(t, w.FinishAuthorization(ctx, store.Finish{SessionID: sess.ID, Consent: "openid", Code: other}), store.ErrConsent)
		l := w.asked(sess, []byte{1}, "openid read")
		f := store.Finish{LoginRequestID: l.ID, BrowserHash: l.BrowserHash, SessionID: sess.ID, Consent: "openid read", Code: newCode(w, sess)}
		want(t, w.FinishAuthorization(ctx, f), store.ErrConsent)
		must(t, w.AnswerConsent(ctx, answer(l, true))) // the refusal has used nothing up
		must(t, w.FinishAuthorization(ctx, f))
	})
}

func TestTakingConsentBackEndsAllItGave(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, sess := t.Context(), w.login(w.user("alice"))
		colleague := w.login(w.user("bob"))
		w.allow(sess, "openid")
		w.allow(colleague, "openid")
		code, grant, offline, bobs := w.code(sess), w.granted(sess, false), w.granted(sess, true), w.granted(colleague, false)
		_, _, err := w.TokenState(ctx, grant.ID, "", w.Now()) // which is kept for a second
		must(t, err)
		must(t, w.RevokeConsent(ctx, sess.UserID, "other", store.Entry{}))
		before := len(w.events())
		must(t, w.RevokeConsent(ctx, sess.UserID, "wiki", store.Entry{Actor: "alice"}))
		must(t, w.RevokeConsent(ctx, sess.UserID, "wiki", store.Entry{}))
		if events := w.events(); len(events) != before+1 {
			t.Errorf("traces: %v", events)
		}
		_, _, err = w.RedeemCode(ctx, w.redeem(code, false))
		want(t, err, store.ErrNotFound)
		for _, g := range []*store.Grant{grant, offline} {
			_, _, err = w.TokenState(ctx, g.ID, "", w.Now())
			want(t, err, store.ErrNotFound)
			_, _, _, err = w.RotateRefresh(ctx, w.rotate(g, 0))
			want(t, err, store.ErrNotFound)
		}
		want(t, w.FinishAuthorization(ctx, store.Finish{SessionID: sess.ID, Consent: "openid", Code: newCode(w, sess)}), store.ErrConsent)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(bobs, 0))
		must(t, err)
		if w.allowed(sess.UserID) != "nothing" || w.allowed(colleague.UserID) != "openid" {
			t.Error("alice's consent is there, or bob's is not")
		}
	})
}

func TestConsentGoesWithItsClientAndUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, sess := t.Context(), w.login(w.user("alice"))
		must(t, w.AddClient(ctx, store.Client{ClientID: "wiki"}, store.Entry{}))
		w.allow(sess, "openid")
		must(t, w.RemoveClient(ctx, "wiki", store.Entry{}))
		if got := w.allowed(sess.UserID); got != "nothing" {
			t.Errorf("after the client was removed: %s", got)
		}
		w.allow(sess, "openid")
		must(t, w.AddClient(ctx, store.Client{ClientID: "wiki"}, store.Entry{})) // another's, of the same id
		if got := w.allowed(sess.UserID); got != "nothing" {
			t.Errorf("to a client that was added: %s", got)
		}
		w.allow(sess, "openid")
		must(t, w.EndSession(ctx, sess.ID, store.Entry{}))
		must(t, w.Write(ctx, func(t store.Tx) error {
			_, err := t.Exec(`DELETE FROM users WHERE id = $1`, sess.UserID)
			return err
		}))
		if got := w.allowed(sess.UserID); got != "nothing" {
			t.Errorf("of a user who is gone: %s", got)
		}
	})
}

func TestConsentsOf64PagesAreAllKept(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		sess := w.login(w.user("alice"))
		var asked []store.LoginRequest
		for i := range racers {
			asked = append(asked, w.asked(sess, []byte{byte(i)}, fmt.Sprintf("openid s%d", i)))
		}
		counts := together(w, racers, byError, func(s *store.Store, i int) error { return s.AnswerConsent(t.Context(), answer(asked[i], true)) })
		expectCounts(t, counts, map[string]int{"ok": racers})
		if got := strings.Fields(w.allowed(sess.UserID)); len(got) != racers+1 {
			t.Errorf("%d items are left of %d: %s", len(got), racers+1, got)
		}
	})
}

// Codes are issued and redeemed while the consent is taken back: whatever the
// order, nothing that they gave is good afterwards.
func TestNothingSurvivesAConsentThatIsTakenBackMeanwhile(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, sess := t.Context(), w.login(w.user("alice"))
		for range 5 {
			w.allow(sess, "openid")
			var mu sync.Mutex
			var grants []*store.Grant
			var left []store.Code
			counts := together(w, racers, byError, func(s *store.Store, i int) error {
				if i == racers/2 {
					return s.RevokeConsent(ctx, sess.UserID, "wiki", store.Entry{})
				}
				c := newCode(w, sess)
				err := s.FinishAuthorization(ctx, store.Finish{SessionID: sess.ID, Consent: "openid", Code: c})
				if errors.Is(err, store.ErrConsent) {
					return nil
				}
				if err != nil {
					return err
				}
				var g *store.Grant
				if i%4 != 0 {
					if _, g, err = s.RedeemCode(ctx, w.redeem(c, true)); errors.Is(err, store.ErrNotFound) {
						return nil
					}
				}
				mu.Lock()
				defer mu.Unlock()
				if g != nil {
					grants = append(grants, g)
				} else {
					left = append(left, c)
				}
				return err
			})
			expectCounts(t, counts, map[string]int{"ok": racers})
			w.gone(grants, left)
		}
	})
}
