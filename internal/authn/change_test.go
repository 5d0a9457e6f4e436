package authn

import (
	"testing"

	"idp/internal/kerberos"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

func TestWhoChecksAName(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	a := newAuthn(t, st, &kdc{answer: only("x")})
	for _, name := range []string{"bob", "carol@example.com"} {
		if _, err := st.CreateUser(t.Context(), store.User{Name: name, PasswordHash: "$argon2id$"}, nil, store.Entry{}); err != nil {
			t.Fatal(err)
		}
	}
	kdcOf := func(name, realm string) kerberos.Name { return kerberos.Name{Name: name, Realm: realm} }
	for typed, want := range map[string]struct {
		name  kerberos.Name
		local string
	}{
		"alice":              {name: kdcOf("alice", "EXAMPLE.TEST")},
		"bob":                {local: "bob"},
		"bob@example.test":   {name: kdcOf("bob", "EXAMPLE.TEST")},
		"alice@OTHER.test":   {name: kdcOf("alice", "OTHER.TEST")},
		`EXAMPLE\alice`:      {name: kdcOf("alice", "EXAMPLE.TEST")},
		`example.test\alice`: {name: kdcOf("alice", "EXAMPLE.TEST")},
		"alice@Example.com":  {name: kerberos.Name{Name: "alice@Example.com", Realm: "EXAMPLE.TEST", Enterprise: true}},
		"carol@example.com":  {local: "carol@example.com"}, // a local user of exactly that name
		`NOWHERE\alice`:      {},
		"alice@nowhere.com":  {},
		`EXAMPLE\`:           {},
	} {
		acc, err := a.resolve(t.Context(), typed)
		local := ""
		if acc.local != nil {
			local = acc.local.Name
		}
		if err != nil || acc.name != want.name || local != want.local || acc.unknown != (want.local == "" && want.name.Name == "") {
			t.Errorf("%s: %+v, %v", typed, acc, err)
		}
	}
}

func TestANewPasswordIsSetAndLogsIn(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	k := &kdc{expired: "old"}
	k.answer = func(n kerberos.Name, p secret.String) (*kerberos.Login, error) { return only(k.changed)(n, p) }
	a := newAuthn(t, st, k)
	for _, c := range []struct {
		what, name string
		old, next  secret.String
		want       reason.Code
	}{
		{"the old one wrong", "alice", "older", "new", reason.BadPassword},
		{"no new one", "alice", "old", "", reason.PasswordRefused},
		{"the old one again", "alice", "old", "old", reason.PasswordRefused},
		{"from a name nobody has", "nobody@nowhere.com", "old", "new", reason.ClientUnknown},
		{"good", "alice", "old", "new", ""},
		{"one that has not expired", "alice", "new", "newer", reason.PasswordRefused},
	} {
		res, err := a.ChangePassword(t.Context(), c.name, c.old, c.next, here)
		if reasonOf(err) != c.want || (err == nil) != (res != nil) || res != nil && res.User.Name != "alice" {
			t.Errorf("%s: %+v, %v, want %q", c.what, res, err, c.want)
		}
	}
	outside := here
	outside.Outside = true
	k.expired = "new"
	if _, err := a.ChangePassword(t.Context(), "alice", "new", "newest", outside); reasonOf(err) != reason.FromOutside || k.changed != "new" {
		t.Errorf("from outside: %v", err)
	}
}

// Guesses at the old password of the change form are guesses like any other.
func TestGuessesByChangingThePasswordAreCounted(t *testing.T) {
	k := &kdc{answer: only("right"), expired: "right"}
	a := newAuthn(t, storetest.Open(t, store.Config{URL: storetest.SQLite(t)}), k)
	for _, old := range []secret.String{"one", "two", "three"} {
		if _, err := a.ChangePassword(t.Context(), "alice", old, "new", here); reasonOf(err) != reason.BadPassword {
			t.Fatal(err)
		}
	}
	if _, err := a.ChangePassword(t.Context(), "alice", "right", "new", here); reasonOf(err) != reason.TooManyGuesses || k.changed != "" {
		t.Errorf("the fourth: %v", err)
	}
}

// The right name in the wrong letters spoils nothing for the right one, and the
// right password of a disabled user counts like any wrong one.
func TestRefusedSpellingsAndDisabledUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		a := newAuthn(t, st, &kdc{})
		a.passwords = nil // no kerberos section
		hash, err := a.Hash(t.Context(), "the right one")
		if err != nil {
			t.Fatal(err)
		}
		bob, err := st.CreateUser(t.Context(), store.User{Name: "bob", PasswordHash: hash}, nil, store.Entry{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Password(t.Context(), "Bob", "the right one", here); reasonOf(err) != reason.ClientUnknown {
			t.Errorf("Bob: %v", err)
		}
		if _, err := a.Password(t.Context(), "bob", "the right one", here); err != nil {
			t.Errorf("bob, after Bob was refused: %v", err)
		}
		if err := st.SetDisabled(t.Context(), bob.ID, true, store.Entry{}); err != nil {
			t.Fatal(err)
		}
		for i, p := range []secret.String{"the right one", "one", "two", "three"} {
			want := []reason.Code{reason.UserDisabled, reason.BadPassword, reason.BadPassword, reason.TooManyGuesses}[i]
			if i == 2 { // Bob's guess counts with bob's
				want = reason.TooManyGuesses
			}
			if _, err := a.Password(t.Context(), "bob", p, here); reasonOf(err) != want {
				t.Errorf("%s: %v, want %s", p.Reveal(), err, want)
			}
		}
	})
}
