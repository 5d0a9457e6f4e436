package store_test

import (
	"errors"
	"fmt"
	"testing"

	"idp/internal/secret"
	"idp/internal/store"
)

func (w *world) alive(sess store.Session) bool {
	w.t.Helper()
	_, _, err := w.SessionBySecret(w.t.Context(), sess.SecretHash, w.Now())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Fatal(err)
	}
	return err == nil
}

// Who changes their password keeps this session, under another secret, and ends the
// others if they want to.
func TestAPasswordIsChangedInASession(t *testing.T) {
	for _, others := range []bool{true, false} {
		eachWorld(t, func(t *testing.T, w *world) {
			u := w.user("alice")
			must(t, w.SetPassword(t.Context(), u.ID, "$old", store.Entry{}))
			here, there, bobs := w.login(u), w.login(u), w.login(w.user("bob"))
			mine, offline, far, bobsGrant := w.granted(here, false), w.granted(here, true), w.granted(there, true), w.granted(bobs, false)
			code := w.code(there)
			reset := w.link(u, store.LinkReset)
			change := store.ChangePassword{UserID: u.ID, OldHash: "$old", NewHash: "$new", SessionID: here.ID, SecretHash: secret.Bytes(32), EndOthers: others, Entry: store.Entry{Actor: "alice"}}
			wrong := change
			wrong.OldHash = "$other"
			want(t, w.ChangePassword(t.Context(), wrong), store.ErrNotFound)
			wrong = change
			wrong.SessionID = bobs.ID
			want(t, w.ChangePassword(t.Context(), wrong), store.ErrNotFound)
			if h := w.hash(u); h != "$old" {
				t.Fatalf("the password is %q", h)
			}
			must(t, w.ChangePassword(t.Context(), change))
			renewed := here
			renewed.SecretHash = change.SecretHash
			if w.hash(u) != "$new" || w.alive(here) || !w.alive(renewed) || w.alive(there) == others || !w.alive(bobs) {
				t.Errorf("password %q, the old secret %v, the new one %v, the other session %v, another's %v", w.hash(u), w.alive(here), w.alive(renewed), w.alive(there), w.alive(bobs))
			}
			for name, g := range map[string]struct {
				id   string
				good bool
			}{"here": {mine.ID, true}, "here, offline": {offline.ID, true}, "there, offline": {far.ID, !others}, "another's": {bobsGrant.ID, true}} {
				now, err := w.Grant(t.Context(), g.id)
				if must(t, err); (now.RevokedAt == 0) != g.good {
					t.Errorf("grant %s: revoked at %d", name, now.RevokedAt)
				}
			}
			if _, _, err := w.RedeemCode(t.Context(), w.redeem(code, false)); (err == nil) == others {
				t.Errorf("a code of the other session: %v", err)
			}
			want(t, w.OpenLink(t.Context(), reset.Hash, []byte("b"), store.Entry{}), store.ErrNotFound)
		})
	}
}

// Logins with the old password that are under way while it is replaced are either not
// there or ended with it, whoever comes first, and however it is replaced.
func TestNoLoginSurvivesAPasswordThatIsChangedMeanwhile(t *testing.T) {
	for name, change := range map[string]func(w *world, u store.User, kept store.Session, n int) error{
		"set": func(w *world, u store.User, _ store.Session, n int) error {
			return w.SetPassword(w.t.Context(), u.ID, fmt.Sprintf("$%d", n+1), store.Entry{})
		},
		"changed": func(w *world, u store.User, kept store.Session, n int) error {
			return w.ChangePassword(w.t.Context(), store.ChangePassword{UserID: u.ID, OldHash: fmt.Sprintf("$%d", n), NewHash: fmt.Sprintf("$%d", n+1),
				SessionID: kept.ID, SecretHash: kept.SecretHash, EndOthers: true})
		},
		"by a link": func(w *world, u store.User, _ store.Session, n int) error {
			l := w.link(u, store.LinkReset)
			return errors.Join(w.OpenLink(w.t.Context(), l.Hash, l.Hash, store.Entry{}), w.UseLink(w.t.Context(), l.Hash, l.Hash, fmt.Sprintf("$%d", n+1), store.Entry{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				u := w.user("alice")
				must(t, w.SetPassword(t.Context(), u.ID, "$0", store.Entry{}))
				for n := range 8 {
					kept := w.login(u)
					old := fmt.Sprintf("$%d", n)
					counts := together(w, 17, byError, func(s *store.Store, i int) error {
						if i == 8 {
							return change(w, u, kept, n)
						}
						return s.StartSession(t.Context(), store.StartSession{Session: w.newSession(u), PasswordHash: old})
					})
					if counts["ok"]+counts[store.ErrNotFound.Error()] != 17 {
						t.Fatalf("%v", counts)
					}
					if w.hash(u) == old {
						t.Fatal("the password was not changed")
					}
					left, err := w.SessionsOf(t.Context(), u.ID)
					must(t, err)
					for _, sess := range left {
						if name != "changed" || sess.ID != kept.ID {
							t.Fatalf("round %d: a session of the old password is left: %+v (%v)", n, sess, counts)
						}
					}
				}
			})
		})
	}
}

func TestUsersAreImportedAllOrNone(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.user("bob")
		users := []store.User{{Name: "alice", PasswordHash: "$a"}, {Name: "bob"}, {Name: "carol"}}
		err := w.ImportUsers(t.Context(), users, true, store.Entry{Actor: "test"})
		var taken *store.ImportError
		if !errors.As(err, &taken) || taken.Name != "bob" || !errors.Is(err, store.ErrConflict) {
			t.Fatal(err)
		}
		_, err = w.UserByName(t.Context(), "alice")
		want(t, err, store.ErrNotFound)
		_, err = w.Setting(t.Context(), store.SettingSlowHashes)
		want(t, err, store.ErrNotFound)
		users[1].Name = "dave"
		must(t, errors.Join(w.ImportUsers(t.Context(), users, true, store.Entry{Actor: "test"}), w.ImportUsers(t.Context(), []store.User{{Name: "eve"}}, true, store.Entry{})))
		if u, err := w.UserByName(t.Context(), "alice"); err != nil || u.PasswordHash != "$a" || u.ID == "" || u.CreatedAt == 0 {
			t.Errorf("%+v %v", u, err)
		}
		if v, err := w.Setting(t.Context(), store.SettingSlowHashes); err != nil || len(v) == 0 {
			t.Errorf("%q %v", v, err)
		}
	})
}
