package store_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/secret"
	"idp/internal/store"
)

func TestACheckThatFailsConsumesNoCode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sess := w.login(w.user("alice"))
		code := w.code(sess)
		for why, spoil := range map[string]func(*store.Redeem){
			"it is another client's":                                 func(r *store.Redeem) { r.ClientID = "evil" },
			"it was given to another redirect_uri":                   func(r *store.Redeem) { r.RedirectURI = "https://evil.example/" },
			"the code_verifier is missing":                           func(r *store.Redeem) { r.CodeChallenge = "" },
			"the code_verifier is not the one of the code_challenge": func(r *store.Redeem) { r.CodeChallenge = "x" },
			"it is unknown, or was over long ago":                    func(r *store.Redeem) { r.Hash = []byte("x") },
			"it has expired":                                         func(r *store.Redeem) { r.Now = code.ExpiresAt },
		} {
			r := w.redeem(code, false)
			spoil(&r)
			_, _, err := w.RedeemCode(ctx, r)
			if want(t, err, store.ErrNotFound); err.Error() != why {
				t.Errorf("%v, want: %s", err, why)
			}
		}
		got, grant, err := w.RedeemCode(ctx, w.redeem(code, false))
		must(t, err)
		code.UsedAt = w.Now()
		if d := cmp.Diff(&code, got); d != "" {
			t.Error(d)
		}
		stored, err := w.Grant(ctx, code.GrantID)
		must(t, err)
		if d := cmp.Diff(grant, stored); d != "" || grant.UserID != sess.UserID || grant.SessionID != sess.ID {
			t.Errorf("%s %+v", d, grant)
		}
	})
}

func TestARefusedCodeSaysWhichPartDoesNotFit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		sess := w.login(w.user("alice"))
		issue := func(change func(*store.Code)) store.Redeem {
			c := newCode(w, sess)
			change(&c)
			must(t, w.FinishAuthorization(t.Context(), store.Finish{SessionID: sess.ID, Code: c}))
			return w.redeem(c, false)
		}
		plain := issue(func(c *store.Code) { c.CodeChallenge = "" })
		plain.CodeChallenge = "x"
		bound := issue(func(c *store.Code) { c.JKT = "key" })
		other := bound
		other.JKT = "another key"
		ended := issue(func(*store.Code) {})
		check := func(why string, r store.Redeem) {
			t.Helper()
			if _, _, err := w.RedeemCode(t.Context(), r); !errors.Is(err, store.ErrNotFound) || err.Error() != why {
				t.Errorf("%v, want: %s", err, why)
			}
		}
		check("a code_verifier came, and the request had no code_challenge", plain)
		check("the DPoP proof is missing", bound)
		check("the DPoP proof is by another key", other)
		must(t, w.EndSession(t.Context(), sess.ID, store.Entry{Actor: "test"}))
		check("its session has ended, or its user is disabled", ended)
	})
}

func TestACodeThatTheCallerRefusesIsNotUsed(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.code(w.login(w.user("alice")))
		refuse, refused := w.redeem(code, false), errors.New("another audience")
		refuse.Grant = func(store.Code, store.Standing) (store.Grant, *store.RefreshFamily, error) {
			return store.Grant{}, nil, refused
		}
		_, _, err := w.RedeemCode(t.Context(), refuse)
		want(t, err, refused)
		_, _, err = w.RedeemCode(t.Context(), w.redeem(code, false))
		must(t, err)
	})
}

func TestASecondUseOfACodeRevokesTheFirst(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sess := w.login(w.user("alice"))
		code := w.code(sess)
		_, grant, err := w.RedeemCode(ctx, w.redeem(code, false))
		must(t, err)
		w.pass(30 * time.Minute) // long after the code expired
		other := w.redeem(code, false)
		other.ClientID = "evil"
		_, _, err = w.RedeemCode(ctx, other) // another client cannot revoke
		want(t, err, store.ErrNotFound)
		_, _, err = w.TokenState(ctx, grant.ID, "", w.Now())
		must(t, err)
		_, _, err = w.RedeemCode(ctx, w.redeem(code, false))
		want(t, err, store.ErrReused)
		_, _, err = w.TokenState(ctx, grant.ID, "", w.Now())
		want(t, err, store.ErrNotFound)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(grant, 0))
		want(t, err, store.ErrNotFound)
		if !slices.Contains(w.events(), "code_reused") {
			t.Error("no audit entry")
		}
	})
}

func TestRefreshTokenRotates(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.user("alice")
		grant := w.granted(w.login(u), false)
		f, g, owner, err := w.RotateRefresh(ctx, w.rotate(grant, 0))
		must(t, err)
		if f.Generation != 1 || g.ID != grant.ID || owner.ID != u.ID {
			t.Errorf("got %+v %+v %+v", f, g, owner)
		}
		w.pass(20 * time.Second) // the answer was lost: the same successor
		f, _, _, err = w.RotateRefresh(ctx, w.rotate(grant, 0))
		must(t, err)
		if f.Generation != 1 {
			t.Errorf("successor %d", f.Generation)
		}
		stranger := w.rotate(grant, 1)
		stranger.ClientID = "evil"
		_, _, _, err = w.RotateRefresh(ctx, stranger)
		want(t, err, store.ErrNotFound)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(grant, 7)) // none of ours
		want(t, err, store.ErrNotFound)
		f, _, _, err = w.RotateRefresh(ctx, w.rotate(grant, 1))
		must(t, err)
		if f.Generation != 2 {
			t.Errorf("successor %d", f.Generation)
		}
	})
}

func TestAnOldRefreshTokenKillsTheFamily(t *testing.T) {
	for name, presented := range map[string]int64{"two generations back": 0, "one back after the grace period": 1} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				ctx := t.Context()
				grant := w.granted(w.login(w.user("alice")), false)
				for generation := range int64(2) {
					_, _, _, err := w.RotateRefresh(ctx, w.rotate(grant, generation))
					must(t, err)
				}
				if presented == 1 {
					w.pass(31 * time.Second)
				}
				_, _, _, err := w.RotateRefresh(ctx, w.rotate(grant, presented))
				want(t, err, store.ErrReused)
				_, _, _, err = w.RotateRefresh(ctx, w.rotate(grant, 2))
				want(t, err, store.ErrNotFound)
				_, _, err = w.TokenState(ctx, grant.ID, "", w.Now())
				want(t, err, store.ErrNotFound)
				if !slices.Contains(w.events(), "refresh_reused") {
					t.Error("no audit entry")
				}
			})
		})
	}
}

func TestARefreshTokenThatMayNotBeUsedIsNotUsedUp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sess := w.login(w.user("alice"))
		grant := w.granted(sess, false)
		w.pass(61 * time.Minute) // the session is idle, the family not
		_, _, _, err := w.RotateRefresh(ctx, w.rotate(grant, 0))
		want(t, err, store.ErrNotFound)
		must(t, w.TouchSession(ctx, sess.ID, w.Now(), w.in(time.Hour)))
		f, _, _, err := w.RotateRefresh(ctx, w.rotate(grant, 0))
		must(t, err)
		if f.Generation != 1 {
			t.Errorf("generation %d", f.Generation)
		}
	})
}

// A caller that refuses leaves the token as it was, and a token that comes a
// second time is noticed whatever the caller would say.
func TestARefreshTokenThatTheCallerRefusesIsNotUsedUp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.user("alice")
		grant := w.granted(w.login(u), false)
		before, err := w.RefreshFamily(ctx, "family "+grant.ID)
		must(t, err)
		refusal := errors.New("scope")
		refused := func(generation int64) error {
			r := w.rotate(grant, generation)
			r.Check = func(g store.Grant, now store.Standing) error {
				if g.ID != grant.ID || now.User.ID != u.ID {
					t.Errorf("asked about %+v %+v", g, now)
				}
				return refusal
			}
			_, _, _, err := w.RotateRefresh(ctx, r)
			return err
		}
		w.pass(time.Minute)
		want(t, refused(0), refusal)
		after, err := w.RefreshFamily(ctx, "family "+grant.ID)
		must(t, err)
		if d := cmp.Diff(before, after); d != "" {
			t.Error(d)
		}
		for generation := range int64(2) {
			_, _, _, err = w.RotateRefresh(ctx, w.rotate(grant, generation))
			must(t, err)
		}
		want(t, refused(0), store.ErrReused)
	})
}

func TestRevokedTokensAndGrantsDoNotCount(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		grant := w.granted(w.login(w.user("alice")), true)
		must(t, w.RevokeToken(ctx, "one", w.in(time.Minute)))
		must(t, w.RevokeToken(ctx, "one", w.in(time.Minute)))
		for jti, revoked := range map[string]bool{"one": true, "two": false} {
			got, err := w.TokenRevoked(ctx, "c", jti, w.Now())
			_, _, state := w.TokenState(ctx, grant.ID, jti, w.Now())
			if err != nil || got != revoked || (state != nil) != revoked {
				t.Errorf("%s: %v, %v, %v", jti, got, err, state)
			}
		}
		_, _, err := w.TokenState(ctx, grant.ID, "two", grant.ExpiresAt)
		want(t, err, store.ErrNotFound)
		must(t, w.RevokeGrant(ctx, grant.ID, store.Entry{}))
		must(t, w.RevokeGrant(ctx, grant.ID, store.Entry{}))
		_, _, err = w.TokenState(ctx, grant.ID, "two", w.Now())
		want(t, err, store.ErrNotFound)
		_, _, _, err = w.RotateRefresh(ctx, w.rotate(grant, 0))
		want(t, err, store.ErrNotFound)
		if got := w.events(); got[0] != "grant_revoked" && !slices.Contains(got, "grant_revoked") {
			t.Errorf("events %v", got)
		}
	})
}

func TestAReplayIsSeenUntilItWouldBeTooOldAnyway(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		until := time.UnixMilli(w.in(time.Minute))
		for i, step := range []struct {
			pass  time.Duration
			first bool
		}{{0, true}, {0, false}, {time.Minute - time.Millisecond, false}, {time.Millisecond, true}} {
			w.pass(step.pass)
			first, err := w.SeenOnce(t.Context(), store.UseProof, []byte("authenticator"), until)
			if err != nil || first != step.first {
				t.Errorf("step %d: %v, %v", i, first, err)
			}
			until = time.UnixMilli(w.in(time.Minute))
			if i < 3 {
				until = time.UnixMilli(1_800_000_060_000)
			}
		}
	})
}

// What counts once counts among its own kind: nobody who gets a hash remembered as one
// uses up the other.
func TestHoleReplaysOfAnotherKind(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, hash, until := t.Context(), secret.Hash("x"), time.UnixMilli(w.in(time.Minute))
		sess := w.login(w.user("alice"))
		finish := func() error {
			return w.FinishAuthorization(ctx, store.Finish{SessionID: sess.ID, Code: newCode(w, sess), PushedHash: hash})
		}
		for _, kind := range []store.Use{store.UseTicket, store.UseAssertion, store.UseProof} {
			for _, want := range []bool{true, false} {
				if first, err := w.SeenOnce(ctx, kind, hash, until); err != nil || first != want {
					t.Errorf("%q: %v %v, want %v", kind, first, err, want)
				}
			}
		}
		must(t, finish())
		want(t, finish(), store.ErrReused)
		if first, err := w.SeenOnce(ctx, store.UsePushed, hash, until); err != nil || first {
			t.Errorf("a pushed request that gave its code: %v %v", first, err)
		}
	})
}

func TestGuessesAreReservedBeforeTheyAreMade(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		take := func(password string) (store.GuessState, string) {
			t.Helper()
			got, err := w.TakeGuess(ctx, "alice", "alice", []byte(password), 2, time.Minute, w.Now())
			must(t, err)
			if got.State == store.GuessKnownWrong && got.Reason != "WRONG" {
				t.Errorf("%s is known to be %q", password, got.Reason)
			}
			return got.State, got.Token
		}
		expect := func(password string, wanted store.GuessState) string {
			t.Helper()
			state, token := take(password)
			if state != wanted {
				t.Fatalf("%s: state %d, want %d", password, state, wanted)
			}
			return token
		}
		a := expect("a", store.GuessTaken)
		expect("a", store.GuessBusy)
		b := expect("b", store.GuessTaken)
		expect("c", store.GuessBusy) // one may come back
		must(t, w.GiveBackGuess(ctx, b))
		must(t, w.FailGuess(ctx, a, "WRONG", false, w.in(30*time.Minute)))
		must(t, w.GiveBackGuess(ctx, a)) // too late: it is booked
		expect("a", store.GuessKnownWrong)
		b = expect("b", store.GuessTaken)
		must(t, w.FailGuess(ctx, b, "WRONG", false, w.in(30*time.Minute)))
		expect("c", store.GuessLocked)
		w.pass(30 * time.Minute)
		expect("a", store.GuessTaken) // forgotten
		w.pass(time.Minute)
		c := expect("c", store.GuessTaken) // the process that took a died
		must(t, w.FailGuess(ctx, c, "WRONG", false, w.in(time.Hour)))
		must(t, w.ClearGuesses(ctx, "alice", "al", ""))
		expect("c", store.GuessKnownWrong) // another's that counts with alice
		must(t, w.ClearGuesses(ctx, "alice", "alice", ""))
		c = expect("c", store.GuessTaken)
		must(t, w.FailGuess(ctx, c, "LOCKED", true, w.in(time.Hour)))
		again := expect("c", store.GuessTaken) // in its own slot
		expect("c", store.GuessBusy)
		must(t, w.FailGuess(ctx, again, "LOCKED", true, w.in(time.Hour)))
		d := expect("d", store.GuessTaken)
		must(t, w.FailGuess(ctx, d, "WRONG", false, w.in(time.Hour)))
		expect("e", store.GuessLocked)
		expect("c", store.GuessTaken)
	})
}

func TestSweeperDeletesWhatExpiredAndNothingElse(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		sess := w.login(w.user("alice"))
		used, unused := w.code(sess), w.code(sess)
		_, grant, err := w.RedeemCode(ctx, w.redeem(used, false))
		must(t, err)
		l := w.pending([]byte("b"))
		must(t, w.CreateLoginRequest(ctx, l))
		must(t, w.RevokeToken(ctx, "jti", w.in(time.Minute)))
		_, err = w.SeenOnce(ctx, store.UseProof, []byte("x"), time.UnixMilli(w.in(time.Minute)))
		must(t, err)
		must(t, w.PutPushedRequest(ctx, store.PushedRequest{Hash: []byte("h"), ExpiresAt: w.in(time.Minute)}))
		_, err = w.WrongPassword(ctx, store.Origin{Network: "203.0.113.7", Limit: 5, Wide: "203.0.113.7", WideLimit: 50}, []byte("h"), w.in(time.Minute), w.Now())
		must(t, err)
		_, err = w.TakeGuess(ctx, "alice", "alice", []byte("p"), 3, time.Minute, w.Now())
		must(t, err)
		sweep := func(wanted int64) {
			t.Helper()
			n, err := w.Sweep(ctx)
			if err != nil || n != wanted {
				t.Fatalf("swept %d, %v, want %d", n, err, wanted)
			}
		}
		sweep(0)
		w.pass(time.Hour)
		sweep(7) // login request, jti, replay, pushed request, guess, wrong password; and the session, which nobody used
		_, _, err = w.RedeemCode(ctx, w.redeem(used, false))
		want(t, err, store.ErrReused) // still noticed
		w.pass(11 * time.Hour)
		sweep(0)
		if visited, _ := w.VisitedClients(ctx, sess.ID); len(visited) != 0 {
			t.Error("visited clients of a session that is gone")
		}
		w.pass(12*time.Hour - time.Millisecond)
		sweep(0)
		w.pass(time.Millisecond)
		sweep(1) // grant, and its family
		w.pass(time.Minute)
		sweep(2) // codes
		_, _, err = w.RedeemCode(ctx, w.redeem(unused, false))
		want(t, err, store.ErrNotFound)
		_, err = w.Grant(ctx, grant.ID)
		want(t, err, store.ErrNotFound)
		if len(w.events()) == 0 {
			t.Error("the audit log was swept")
		}
	})
}

func TestSweeperWorksOffMoreThanABatch(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i := range 450 {
			must(t, w.RevokeToken(t.Context(), string(rune('a'+i)), w.in(time.Minute)))
		}
		w.pass(time.Hour)
		if n, err := w.Sweep(t.Context()); err != nil || n != 450 {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}

func TestOneNodeSweeps(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		must(t, w.RevokeToken(t.Context(), "jti", w.in(time.Minute)))
		w.pass(time.Hour)
		if mine, err := w.Lease(t.Context(), "sweep", "another node", time.Minute); err != nil || !mine {
			t.Fatal(mine, err)
		}
		run := func(until func() bool) {
			t.Helper()
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- w.RunSweeper(ctx) }()
			for !until() {
				runtime.Gosched()
			}
			stop()
			must(t, <-ended)
		}
		there := func() bool {
			revoked, err := w.TokenRevoked(t.Context(), "c", "jti", w.Now())
			must(t, err)
			return revoked
		}
		run(func() bool { return true })
		if !there() {
			t.Error("two nodes sweep at once")
		}
		w.pass(time.Minute)
		run(func() bool { return !there() })
	})
}
