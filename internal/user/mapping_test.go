package user_test

import (
	"errors"
	"strings"
	"testing"

	"idp/internal/store"
	"idp/internal/store/storetest"
	"idp/internal/user"
)

func principal(text, realm string, components ...string) user.Principal {
	return user.Principal{Text: text, Components: components, Realm: realm}
}

func TestWhoAPrincipalBecomes(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	m := &user.Mapping{
		Store:    st,
		Realms:   []user.Realm{{Name: "HERE.TEST", SIDOptional: true}, {Name: "OTHER.TEST", Case: "insensitive"}, {Name: "EXACT.TEST", Case: "exact"}},
		Services: map[string]string{"HTTP/robot@HERE.TEST": "robot", "HTTP/ghost@HERE.TEST": "ghost"},
	}
	for _, name := range []string{"robot", "taken"} {
		if _, err := st.CreateUser(t.Context(), store.User{Name: name}, nil, store.Entry{}); err != nil {
			t.Fatal(err)
		}
	}
	withSID := principal("Carol@HERE.TEST", "HERE.TEST", "Carol")
	withSID.SID, withSID.FullName = "S-1-5-21-1-2-3-1104", "Carol C."
	for name, c := range map[string]struct {
		p    user.Principal
		want string
		err  error
	}{
		"default realm":                 {principal("alice@HERE.TEST", "HERE.TEST", "alice"), "alice", nil},
		"case is kept without a SID":    {principal("Bob@HERE.TEST", "HERE.TEST", "Bob"), "Bob", nil},
		"case is folded with a SID":     {withSID, "carol", nil},
		"other realm":                   {principal("Alice@OTHER.TEST", "OTHER.TEST", "Alice"), "alice@OTHER.TEST", nil},
		"exact realm":                   {principal("Alice@EXACT.TEST", "EXACT.TEST", "Alice"), "Alice@EXACT.TEST", nil},
		"untrusted realm":               {principal("alice@EVIL.TEST", "EVIL.TEST", "alice"), "", user.ErrRealm},
		"a realm in another case":       {principal("alice@here.test", "here.test", "alice"), "", user.ErrRealm},
		"service":                       {principal("HTTP/robot@HERE.TEST", "HERE.TEST", "HTTP", "robot"), "robot", nil},
		"service without its user":      {principal("HTTP/ghost@HERE.TEST", "HERE.TEST", "HTTP", "ghost"), "", user.ErrNotAPerson},
		"unnamed service":               {principal("HTTP/web@HERE.TEST", "HERE.TEST", "HTTP", "web"), "", user.ErrNotAPerson},
		"one component that looks so":   {principal(`HTTP\/robot@HERE.TEST`, "HERE.TEST", "HTTP/robot"), "", user.ErrNotAPerson},
		"machine":                       {principal("PC1$@HERE.TEST", "HERE.TEST", "PC1$"), "", user.ErrNotAPerson},
		"a name that borrows a realm":   {principal(`alice\@OTHER.TEST@HERE.TEST`, "HERE.TEST", "alice@OTHER.TEST"), "", user.ErrNotAPerson},
		"a name with a backslash":       {principal(`D\\a@HERE.TEST`, "HERE.TEST", `D\a`), "", user.ErrNotAPerson},
		"a name with a space":           {principal("a b@HERE.TEST", "HERE.TEST", "a b"), "", user.ErrName},
		"a name another identity holds": {principal("taken@HERE.TEST", "HERE.TEST", "taken"), "", user.ErrNameTaken},
		"nobody":                        {principal("@HERE.TEST", "HERE.TEST", ""), "", user.ErrName},
		"no component":                  {principal("@HERE.TEST", "HERE.TEST"), "", user.ErrNotAPerson},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := m.User(t.Context(), c.p)
			if !errors.Is(err, c.err) || (err == nil && u.Name != c.want) {
				t.Fatalf("%v, %v, want %q, %v", u, err, c.want, c.err)
			}
			if err != nil {
				return
			}
			if again, err := m.User(t.Context(), c.p); err != nil || again.ID != u.ID {
				t.Errorf("the second login is another user: %v, %v", again, err)
			}
		})
	}
	again := withSID
	again.SID = "S-1-5-21-1-2-3-9999" // deleted and made again in the directory
	if _, err := m.User(t.Context(), again); !errors.Is(err, user.ErrNameTaken) {
		t.Errorf("a re-created account with another SID: %v, want it kept apart", err)
	}
	if err := st.SetDisabled(t.Context(), must(st.UserByName(t.Context(), "alice")).ID, true, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.User(t.Context(), principal("alice@HERE.TEST", "HERE.TEST", "alice")); !errors.Is(err, user.ErrDisabled) {
		t.Errorf("a disabled user: %v", err)
	}
}

// A realm that begins to write PACs: the users it had stay who they are.
func TestTheFirstPACUpgradesAnIdentityKeyedByPrincipal(t *testing.T) {
	storetest.Each(t, theFirstPACUpgrades)
}

func theFirstPACUpgrades(t *testing.T, st *store.Store) {
	m := &user.Mapping{Store: st, Realms: []user.Realm{{Name: "HERE.TEST"}}}
	plain := principal("Alice@HERE.TEST", "HERE.TEST", "Alice")
	before := must(m.User(t.Context(), plain))
	withSID := plain
	withSID.SID = "S-1-5-21-1-2-3-1104"
	if u, err := m.User(t.Context(), withSID); err != nil || u.ID != before.ID {
		t.Fatalf("the first ticket with a SID: %v, %v, want the user there was", u, err)
	}
	renamed := principal("alice.smith@HERE.TEST", "HERE.TEST", "alice.smith")
	renamed.SID = withSID.SID
	if u, err := m.User(t.Context(), renamed); err != nil || u.ID != before.ID || u.Name != "Alice" {
		t.Errorf("the account renamed: %v, %v, want the same user under the same name", u, err)
	}
	// The client chooses whether a ticket carries a PAC, so one without says less.
	for _, name := range []string{"Alice", "aLICE", "somebody.else"} {
		if _, err := m.User(t.Context(), principal(name+"@HERE.TEST", "HERE.TEST", name)); !errors.Is(err, user.ErrNoSID) {
			t.Errorf("a ticket of %s without a PAC after one with: %v, want it refused", name, err)
		}
	}
	recreated := plain
	recreated.SID = "S-1-5-21-1-2-3-2222"
	if u, err := m.User(t.Context(), recreated); err == nil && u.ID == before.ID {
		t.Error("an account with another SID became the user of the deleted one")
	}
	entries, err := st.Entries(t.Context(), store.Filter{UserID: before.ID, Event: "identity_linked"})
	if err != nil || len(entries) != 1 {
		t.Errorf("audit entries of the upgrade: %v, %v", entries, err)
	}
}

// Where the configuration knows that there are SIDs, nobody comes without one.
func TestARealmThatRequiresSIDs(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	m := &user.Mapping{Store: st, Realms: []user.Realm{{Name: "HERE.TEST", SIDRequired: true}, {Name: "MIT.TEST"}}}
	if _, err := m.User(t.Context(), principal("alice@HERE.TEST", "HERE.TEST", "alice")); !errors.Is(err, user.ErrNoSID) {
		t.Errorf("%v", err)
	}
	if _, err := m.User(t.Context(), principal("alice@MIT.TEST", "MIT.TEST", "alice")); err != nil {
		t.Errorf("another realm: %v", err)
	}
}

func TestNameTakenSaysWhatToType(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	m := &user.Mapping{Store: st, Realms: []user.Realm{{Name: "HERE.TEST"}}}
	if _, err := st.CreateUser(t.Context(), store.User{Name: "alice"}, nil, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	p := principal("alice@HERE.TEST", "HERE.TEST", "alice")
	p.SID = "S-1-5-21-1-2-3-1104"
	_, err := m.User(t.Context(), p)
	if !errors.Is(err, user.ErrNameTaken) || !strings.Contains(err.Error(), "idp user link 'alice' --realm HERE.TEST --sid 'S-1-5-21-1-2-3-1104'") {
		t.Errorf("%v", err)
	}
	_, err = m.User(t.Context(), principal("ALICE@HERE.TEST", "HERE.TEST", "ALICE"))
	if !errors.Is(err, user.ErrNameTaken) || !strings.Contains(err.Error(), "ALICE (as alice). The same person: idp user link 'alice' --realm HERE.TEST --principal 'ALICE'") {
		t.Errorf("%v", err)
	}
}

func must(u *store.User, err error) *store.User {
	if err != nil {
		panic(err)
	}
	return u
}
