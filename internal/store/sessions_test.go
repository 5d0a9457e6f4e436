package store_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/secret"
	"idp/internal/store"
)

func TestSessionIsFoundByItsSecretWhileItLives(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.user("alice")
		sess := w.login(u)
		got, owner, err := w.SessionBySecret(ctx, sess.SecretHash, w.Now())
		must(t, err)
		if d := cmp.Diff(&sess, got); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(&u, owner); d != "" {
			t.Error(d)
		}
		_, _, err = w.SessionBySecret(ctx, secret.Bytes(32), w.Now())
		want(t, err, store.ErrNotFound)
		_, _, err = w.SessionBySecret(ctx, sess.SecretHash, sess.IdleExpiresAt)
		want(t, err, store.ErrNotFound)
		must(t, w.TouchSession(ctx, sess.ID, w.in(time.Minute), w.in(100*time.Hour)))
		_, _, err = w.SessionBySecret(ctx, sess.SecretHash, sess.IdleExpiresAt)
		must(t, err)
		_, _, err = w.SessionBySecret(ctx, sess.SecretHash, sess.ExpiresAt)
		want(t, err, store.ErrNotFound)
		must(t, w.TouchSession(ctx, sess.ID, w.Now(), w.Now())) // a late request of before moves nothing back
		_, _, err = w.SessionBySecret(ctx, sess.SecretHash, sess.IdleExpiresAt)
		must(t, err)
	})
}

func TestLoggingInAgainChangesTheSecretAndKeepsTheSid(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		alice, mallory := w.user("alice"), w.user("mallory")
		sess := w.login(alice)
		again := sess
		again.SecretHash, again.AMR, again.ACR = secret.Bytes(32), []string{"pwd", "otp"}, "mfa"
		must(t, w.StartSession(ctx, store.StartSession{Session: again}))
		_, _, err := w.SessionBySecret(ctx, sess.SecretHash, w.Now())
		want(t, err, store.ErrNotFound)
		got, _, err := w.SessionBySecret(ctx, again.SecretHash, w.Now())
		must(t, err)
		if d := cmp.Diff(&again, got); d != "" {
			t.Error(d)
		}
		stolen := w.newSession(mallory)
		stolen.ID = sess.ID
		want(t, w.StartSession(ctx, store.StartSession{Session: stolen}), store.ErrNotFound)
		if _, u, err := w.SessionBySecret(ctx, again.SecretHash, w.Now()); err != nil || u.ID != alice.ID {
			t.Error("another user took the session over")
		}
	})
}

func TestAnotherUserEndsTheSessionBefore(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		old := w.login(w.user("alice"))
		grant := w.granted(old, false)
		next := w.newSession(w.user("bob"))
		// a login request of another browser: nothing at all happens
		l := w.pending([]byte("browser a"))
		must(t, w.CreateLoginRequest(ctx, l))
		start := store.StartSession{Session: next, EndOther: old.ID, LoginRequestID: l.ID, BrowserHash: []byte("browser b")}
		want(t, w.StartSession(ctx, start), store.ErrNotFound)
		_, _, err := w.TokenState(ctx, grant.ID, "", w.Now())
		must(t, err)
		start.BrowserHash = l.BrowserHash
		must(t, w.StartSession(ctx, start))
		_, _, err = w.SessionBySecret(ctx, old.SecretHash, w.Now())
		want(t, err, store.ErrNotFound)
		_, _, err = w.TokenState(ctx, grant.ID, "", w.Now())
		want(t, err, store.ErrNotFound)
		got, err := w.LoginRequest(ctx, l.ID, l.BrowserHash)
		must(t, err)
		if got.SessionID != next.ID || got.UserID != next.UserID || got.AuthTime != next.AuthTime {
			t.Errorf("login request: %+v", got)
		}
	})
}

func TestSignOutRevokesAllButOfflineGrants(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sess := w.login(w.user("alice"))
		online, offline := w.granted(sess, false), w.granted(sess, true)
		code := w.code(sess)
		visited, err := w.VisitedClients(ctx, sess.ID)
		must(t, err)
		if d := cmp.Diff([]string{"wiki"}, visited); d != "" {
			t.Error(d)
		}
		must(t, w.EndSession(ctx, sess.ID, store.Entry{}))
		must(t, w.EndSession(ctx, sess.ID, store.Entry{}))
		_, _, err = w.TokenState(ctx, online.ID, "", w.Now())
		want(t, err, store.ErrNotFound)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(online, 0))
		want(t, err, store.ErrNotFound)
		_, _, err = w.RedeemCode(ctx, w.redeem(code, true))
		want(t, err, store.ErrNotFound)
		_, _, err = w.TokenState(ctx, offline.ID, "", w.Now())
		must(t, err)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(offline, 0))
		must(t, err)
		want(t, w.FinishAuthorization(ctx, store.Finish{SessionID: sess.ID, Code: newCode(w, sess)}), store.ErrNotFound)
		if d := cmp.Diff([]string{"login", "signed_out", "user_added"}, sorted(w.events())); d != "" {
			t.Error(d)
		}
	})
}

func TestSessionsOfAUserAreTheLiveOnesAndNobodyElses(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		alice, bob := w.user("alice"), w.user("bob")
		first := w.login(alice)
		w.pass(time.Second)
		second := w.login(alice)
		w.login(bob)
		list, err := w.SessionsOf(ctx, alice.ID)
		must(t, err)
		if d := cmp.Diff([]store.Session{second, first}, list); d != "" {
			t.Error(d)
		}
		must(t, w.EndSession(ctx, second.ID, store.Entry{}))
		left, err := w.SessionsOf(ctx, alice.ID)
		must(t, err)
		others, err := w.SessionsOf(ctx, bob.ID)
		must(t, err)
		if len(left) != 1 || left[0].ID != first.ID || len(others) != 1 {
			t.Errorf("left %+v, others %+v", left, others)
		}
		w.pass(time.Hour)
		if idle, err := w.SessionsOf(ctx, alice.ID); err != nil || len(idle) != 0 {
			t.Errorf("idle sessions are listed: %+v, %v", idle, err)
		}
	})
}

func TestLoginRequestBelongsToOneBrowserAndIsUsedOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sess := w.login(w.user("alice"))
		l := w.pending([]byte("browser"))
		l.State = []byte("state")
		must(t, w.CreateLoginRequest(ctx, l))
		_, err := w.LoginRequest(ctx, l.ID, []byte("another"))
		want(t, err, store.ErrNotFound)
		_, err = w.ConsumeLoginRequest(ctx, l.ID, l.BrowserHash, "") // nobody has logged in yet
		want(t, err, store.ErrNotFound)
		must(t, w.ContinueLoginRequest(ctx, l.ID, l.State, []byte("first leg")))
		want(t, w.ContinueLoginRequest(ctx, l.ID, l.State, []byte("another first leg")), store.ErrNotFound)
		must(t, w.FailLoginRequest(ctx, l.ID, "bad_password", "now, here", "alice"))
		for _, first := range []bool{true, false} {
			got, err := w.MarkRechallenged(ctx, l.ID)
			if err != nil || got != first {
				t.Errorf("MarkRechallenged = %v, %v", got, err)
			}
		}
		got, err := w.LoginRequest(ctx, l.ID, l.BrowserHash)
		must(t, err)
		if got.Reason != "bad_password" || got.Username != "alice" || len(got.State) != 0 || !got.Rechallenged {
			t.Errorf("got %+v", got)
		}
		must(t, w.StartSession(ctx, store.StartSession{Session: sess, LoginRequestID: l.ID, BrowserHash: l.BrowserHash}))
		for name, f := range map[string]store.Finish{
			"another browser": {LoginRequestID: l.ID, BrowserHash: []byte("another"), SessionID: sess.ID, Code: newCode(w, sess)},
			"another session": {LoginRequestID: l.ID, BrowserHash: l.BrowserHash, SessionID: w.login(w.user("bob")).ID, Code: newCode(w, sess)},
			"another client":  {LoginRequestID: l.ID, BrowserHash: l.BrowserHash, SessionID: sess.ID, Code: store.Code{ClientID: "x", Hash: []byte{1}}},
		} {
			if err := w.FinishAuthorization(ctx, f); err == nil {
				t.Error(name)
			}
		}
		f := store.Finish{LoginRequestID: l.ID, BrowserHash: l.BrowserHash, SessionID: sess.ID, Code: newCode(w, sess)}
		must(t, w.FinishAuthorization(ctx, f))
		f.Code = newCode(w, sess)
		want(t, w.FinishAuthorization(ctx, f), store.ErrNotFound)
		_, err = w.LoginRequest(ctx, l.ID, l.BrowserHash)
		want(t, err, store.ErrNotFound)
	})
}

func TestLoginRequestExpires(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sess := w.login(w.user("alice"))
		l := w.pending([]byte("browser"))
		must(t, w.CreateLoginRequest(ctx, l))
		must(t, w.StartSession(ctx, store.StartSession{Session: sess, LoginRequestID: l.ID, BrowserHash: l.BrowserHash}))
		w.pass(10 * time.Minute)
		_, err := w.LoginRequest(ctx, l.ID, l.BrowserHash)
		want(t, err, store.ErrNotFound)
		_, err = w.ConsumeLoginRequest(ctx, l.ID, l.BrowserHash, sess.ID)
		want(t, err, store.ErrNotFound)
		want(t, w.FailLoginRequest(ctx, l.ID, "", "", ""), store.ErrNotFound)
	})
}

func TestAFloodOfLoginRequestsIsBounded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var oldest, newest store.LoginRequest
		for i := range 55 {
			l := w.pending([]byte("one browser"))
			must(t, w.CreateLoginRequest(ctx, l))
			if i == 4 {
				oldest = l
			}
			newest = l
			w.pass(time.Millisecond)
		}
		_, err := w.LoginRequest(ctx, oldest.ID, oldest.BrowserHash)
		want(t, err, store.ErrNotFound)
		_, err = w.LoginRequest(ctx, newest.ID, newest.BrowserHash)
		must(t, err)
		atOnce(t, 1950, func(int) error { return w.CreateLoginRequest(ctx, w.pending(secret.Bytes(8))) })
		want(t, w.CreateLoginRequest(ctx, w.pending(secret.Bytes(8))), store.ErrTooMany)
		other := w.pending(secret.Bytes(8))
		other.Address = "192.0.2.2"
		must(t, w.CreateLoginRequest(ctx, other))
		w.pass(time.Hour)
		must(t, w.CreateLoginRequest(ctx, w.pending(secret.Bytes(8))))
	})
}

func TestPushedRequestIsReadableUntilItExpires(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		must(t, w.PutPushedRequest(ctx, store.PushedRequest{Hash: []byte("h"), ClientID: "wiki", Params: "a=b", Address: "192.0.2.1", ExpiresAt: w.in(time.Minute)}))
		atOnce(t, 1999, func(i int) error {
			return w.PutPushedRequest(ctx, store.PushedRequest{Hash: fmt.Append(nil, i), Address: "192.0.2.1", ExpiresAt: w.in(time.Minute)})
		})
		want(t, w.PutPushedRequest(ctx, store.PushedRequest{Hash: []byte("one more"), Address: "192.0.2.1", ExpiresAt: w.in(time.Minute)}), store.ErrTooMany)
		must(t, w.PutPushedRequest(ctx, store.PushedRequest{Hash: []byte("another's"), Address: "192.0.2.2", ExpiresAt: w.in(time.Minute)}))
		for range 2 {
			p, err := w.PushedRequest(ctx, []byte("h"))
			if err != nil || p.ClientID != "wiki" || p.Params != "a=b" || len(p.PushedHash) != 0 {
				t.Errorf("got %+v %v", p, err)
			}
		}
		atOnce(t, 2001, func(i int) error { // nobody is counted for what confidential clients push
			return w.PutPushedRequest(ctx, store.PushedRequest{Hash: fmt.Append(nil, "pushed", i), PushedHash: secret.Hash("x"), ExpiresAt: w.in(time.Minute)})
		})
		if p, err := w.PushedRequest(ctx, []byte("pushed7")); err != nil || !bytes.Equal(p.PushedHash, secret.Hash("x")) {
			t.Errorf("got %+v %v", p, err)
		}
		counted := func(client, hash string) error {
			h := secret.Hash(secret.String(client + hash))
			return w.PutPushedRequest(ctx, store.PushedRequest{Hash: h, PushedHash: h, ClientID: client, CountClient: true, ExpiresAt: w.in(time.Minute)})
		}
		atOnce(t, 2000, func(i int) error { // what browsers bring in its name is not counted
			return w.PutPushedRequest(ctx, store.PushedRequest{Hash: fmt.Append(nil, "parked", i), ClientID: "stranger", ExpiresAt: w.in(time.Minute)})
		})
		atOnce(t, 2000, func(i int) error { return counted("stranger", fmt.Sprint(i)) })
		want(t, counted("stranger", "one more"), store.ErrTooMany)
		must(t, counted("another", "one more"))
		for _, hash := range [][]byte{secret.Bytes(31), secret.Bytes(33), []byte("x")} {
			if w.PutPushedRequest(ctx, store.PushedRequest{Hash: []byte("odd"), PushedHash: hash, ExpiresAt: w.in(time.Minute)}) == nil {
				t.Errorf("a hash of %d bytes is kept", len(hash))
			}
		}
		w.pass(time.Minute)
		_, err := w.PushedRequest(ctx, []byte("h"))
		want(t, err, store.ErrNotFound)
	})
}

// A pushed request gives one code, also when its row is long gone because the
// login took its time; what is refused for it leaves no code behind.
func TestPushedRequestGivesOneCode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sess := w.login(w.user("alice"))
		finish := func() (store.Code, error) {
			code := newCode(w, sess)
			return code, w.FinishAuthorization(ctx, store.Finish{SessionID: sess.ID, Code: code, PushedHash: secret.Hash("h")})
		}
		used := func(want bool) {
			t.Helper()
			if got, err := w.PushedRequestUsed(ctx, secret.Hash("h")); err != nil || got != want {
				t.Errorf("used: %v %v, want %v", got, err, want)
			}
		}
		used(false)
		l := w.pending([]byte("b"))
		err := w.FinishAuthorization(ctx, store.Finish{LoginRequestID: l.ID, BrowserHash: l.BrowserHash, SessionID: sess.ID, Code: newCode(w, sess), PushedHash: secret.Hash("h")})
		want(t, err, store.ErrNotFound)
		used(false)
		_, err = finish()
		must(t, err)
		used(true)
		code, err := finish()
		want(t, err, store.ErrReused)
		_, _, err = w.RedeemCode(ctx, w.redeem(code, false))
		want(t, err, store.ErrNotFound)
		w.pass(31 * time.Minute) // longer than a login request waits
		used(true)
	})
}
