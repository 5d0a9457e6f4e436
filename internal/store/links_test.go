package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/audit"
	"idp/internal/secret"
	"idp/internal/store"
)

func (w *world) link(u store.User, purpose string) store.Link {
	w.t.Helper()
	l := store.Link{Hash: secret.Bytes(32), UserID: u.ID, Purpose: purpose, CreatedAt: w.Now(), ExpiresAt: w.in(time.Hour)}
	must(w.t, w.CreateLink(w.t.Context(), l, nil, store.Entry{Actor: "cli:root", Detail: purpose}))
	return l
}

func (w *world) hash(u store.User) string {
	w.t.Helper()
	now, err := w.UserByID(w.t.Context(), u.ID)
	must(w.t, err)
	return now.PasswordHash
}

func TestALinkIsOfItsFirstBrowserAndGoodOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, e, mine, other := w.user("alice"), store.Entry{Actor: "link"}, []byte("mine"), []byte("other")
		l := w.link(u, store.LinkReset)
		sess := w.login(u)
		want(t, w.UseLink(t.Context(), l.Hash, nil, "$x", e), store.ErrNotFound) // nobody has opened it
		want(t, w.UseLink(t.Context(), l.Hash, []byte{}, "$x", e), store.ErrNotFound)
		must(t, w.OpenLink(t.Context(), l.Hash, mine, e))
		want(t, w.OpenLink(t.Context(), l.Hash, other, e), store.ErrNotFound)
		want(t, w.OpenLink(t.Context(), []byte("unknown"), other, e), store.ErrNotFound)
		want(t, w.UseLink(t.Context(), l.Hash, other, "$x", e), store.ErrNotFound)
		if h := w.hash(u); h != "" {
			t.Fatalf("another browser has set %q", h)
		}
		must(t, w.UseLink(t.Context(), l.Hash, mine, "$new", e))
		want(t, w.UseLink(t.Context(), l.Hash, mine, "$again", e), store.ErrNotFound)
		if h := w.hash(u); h != "$new" {
			t.Errorf("the password is %q", h)
		}
		if _, _, err := w.SessionBySecret(t.Context(), sess.SecretHash, w.Now()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a session of the old password: %v", err)
		}
		for event, n := range map[string]int{audit.LinkMade: 1, audit.LinkOpened: 1, audit.PasswordChanged: 1} {
			entries, err := w.Entries(t.Context(), store.Filter{UserID: u.ID, Event: event})
			if must(t, err); len(entries) != n {
				t.Errorf("%s: %+v", event, entries)
			}
		}
	})
}

// An invitation that nobody has used is kept, for it says why its user cannot log in.
func TestInvitationsOfAPageOfUsers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		e, b := store.Entry{Actor: "link"}, []byte("b")
		used, unused, reset := w.user("alice"), w.user("bob"), w.user("carol")
		l := w.link(used, store.LinkInvitation)
		must(t, w.OpenLink(t.Context(), l.Hash, b, e))
		must(t, w.UseLink(t.Context(), l.Hash, b, "$x", e))
		w.link(unused, store.LinkInvitation)
		w.pass(time.Second)
		newest := w.link(unused, store.LinkInvitation)
		w.link(reset, store.LinkReset)
		between := func(after, last string) (names []string) {
			t.Helper()
			all, err := w.InvitationsBetween(t.Context(), after, last)
			must(t, err)
			for _, l := range all {
				names = append(names, fmt.Sprint(l.UserID == used.ID, l.UsedAt > 0, l.ExpiresAt == newest.ExpiresAt))
			}
			return names
		}
		if diff := cmp.Diff([]string{"true true false", "false false true"}, between("", "carol")); diff != "" {
			t.Error(diff)
		}
		if got := between("alice", "carol"); len(got) != 1 {
			t.Errorf("behind alice: %v", got)
		}
		w.pass(8 * 24 * time.Hour)
		if n, err := w.Sweep(t.Context()); err != nil || n != 2 {
			t.Errorf("swept %d, %v; want the used invitation and the reset", n, err)
		}
		if diff := cmp.Diff([]string{"false false true"}, between("", "carol")); diff != "" {
			t.Error(diff)
		}
	})
}

// What ends a link: a newer one, a new password, its time, and its user being disabled.
func TestLinksEnd(t *testing.T) {
	for name, end := range map[string]func(w *world, u store.User) error{
		"a newer one": func(w *world, u store.User) error { w.link(u, store.LinkReset); return nil },
		"a password":  func(w *world, u store.User) error { return w.SetPassword(w.t.Context(), u.ID, "$p", store.Entry{}) },
		"its time":    func(w *world, _ store.User) error { w.pass(time.Hour); return nil },
		"disabled":    func(w *world, u store.User) error { return w.SetDisabled(w.t.Context(), u.ID, true, store.Entry{}) },
		"disabled and enabled": func(w *world, u store.User) error {
			return errors.Join(w.SetDisabled(w.t.Context(), u.ID, true, store.Entry{}), w.SetDisabled(w.t.Context(), u.ID, false, store.Entry{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				u := w.user("alice")
				unopened, e := w.link(u, store.LinkInvitation), store.Entry{Actor: "link"}
				must(t, end(w, u))
				want(t, w.OpenLink(t.Context(), unopened.Hash, []byte("b"), e), store.ErrNotFound)
				if name == "disabled" {
					want(t, w.CreateLink(t.Context(), store.Link{Hash: []byte("h"), UserID: u.ID, Purpose: "reset", ExpiresAt: w.in(time.Hour)}, nil, e), store.ErrNotFound)
					return
				}
				opened := w.link(u, store.LinkInvitation)
				must(t, w.OpenLink(t.Context(), opened.Hash, []byte("b"), e))
				before := w.hash(u)
				must(t, end(w, u))
				want(t, w.UseLink(t.Context(), opened.Hash, []byte("b"), "$x", e), store.ErrNotFound)
				if h := w.hash(u); h == "$x" || (name != "a password" && h != before) {
					t.Errorf("the password is %q", h)
				}
			})
		})
	}
}

func TestOneOf64OpensALinkAndOneUsesIt(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.user("alice")
		l := w.link(u, store.LinkReset)
		browser := func(i int) []byte { return fmt.Appendf(nil, "browser %d", i) }
		var winner int
		counts := together(w, racers, byError, func(s *store.Store, i int) error {
			err := s.OpenLink(t.Context(), l.Hash, browser(i), store.Entry{})
			if err == nil {
				winner = i
			}
			return err
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrNotFound.Error(): racers})
		counts = together(w, racers, byError, func(s *store.Store, i int) error {
			return s.UseLink(t.Context(), l.Hash, browser(winner), fmt.Sprintf("$%d", i), store.Entry{})
		})
		expectCounts(t, counts, map[string]int{"ok": 1, store.ErrNotFound.Error(): racers})
		if entries, err := w.Entries(t.Context(), store.Filter{Event: audit.PasswordChanged}); err != nil || len(entries) != 1 {
			t.Errorf("%d entries, %v", len(entries), err)
		}
	})
}

// Of links that are made at once one is left.
func TestOneLinkIsLeft(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.user("alice")
		counts := together(w, racers, byError, func(s *store.Store, i int) error {
			return s.CreateLink(t.Context(), store.Link{Hash: fmt.Appendf(nil, "link %d", i), UserID: u.ID, Purpose: "reset", ExpiresAt: w.in(time.Hour)}, nil, store.Entry{})
		})
		expectCounts(t, counts, map[string]int{"ok": racers})
		good := 0
		for i := range racers {
			if err := w.OpenLink(t.Context(), fmt.Appendf(nil, "link %d", i), []byte("b"), store.Entry{}); err == nil {
				good++
			}
		}
		if good != 1 {
			t.Errorf("%d links are good", good)
		}
	})
}

// A mailed link shows that its reader has the address, as long as that is the user's.
func TestAMailedLinkVerifiesItsAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for address, verified := range map[string]bool{"alice@example.com": true, "": false, "before@example.com": false} {
			u, err := w.CreateUser(t.Context(), store.User{Name: "alice" + address, Email: "alice@example.com"}, nil, store.Entry{})
			must(t, err)
			l := store.Link{Hash: secret.Bytes(32), UserID: u.ID, Purpose: store.LinkInvitation, Email: address, ExpiresAt: w.in(time.Hour)}
			must(t, w.CreateLink(t.Context(), l, nil, store.Entry{}))
			must(t, w.OpenLink(t.Context(), l.Hash, []byte(address+"b"), store.Entry{}))
			must(t, w.UseLink(t.Context(), l.Hash, []byte(address+"b"), "$x", store.Entry{}))
			if now, err := w.UserByID(t.Context(), u.ID); err != nil || now.EmailVerified != verified {
				t.Errorf("sent to %q: verified %v, %v", address, now.EmailVerified, err)
			}
		}
	})
}
