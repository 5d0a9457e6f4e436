package user_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"idp/internal/store"
	"idp/internal/store/storetest"
	"idp/internal/user"
)

// TestHoleUpstreamNames: an upstream chooses no name that another source can have, and
// none that reads like one.
func TestHoleUpstreamNames(t *testing.T) {
	for name, want := range map[string]string{
		"jane": "partner:jane", "Jane": "partner:jane", "jane.doe_1-2": "partner:jane.doe_1-2",
		"alice@EXAMPLE.COM": "partner:alice", `EXAMPLE\alice`: "partner:examplealice", "a:b/c d": "partner:abcd",
		"аlice": "partner:lice", "j\u202eane": "partner:jane", "..": "", "": "", "張": "", "@x": "",
		strings.Repeat("a", 300): "partner:" + strings.Repeat("a", 64),
	} {
		got := user.UpstreamName("partner", name, "24400320")
		if want == "" {
			want = "partner:3c98a1af0e"
			if got[:8] != "partner:" || len(got) != len(want) {
				t.Errorf("%q: %q, want digits of a hash", name, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
		if user.CheckName(got) == nil {
			t.Errorf("%q is a name that others can have", got)
		}
	}
}

// TestWhoAnUpstreamsPersonBecomes: found by issuer and sub, by nothing else.
func TestWhoAnUpstreamsPersonBecomes(t *testing.T) {
	storetest.Each(t, whoAnUpstreamsPersonBecomes)
}

func whoAnUpstreamsPersonBecomes(t *testing.T, st *store.Store) {
	m := &user.Mapping{Store: st}
	jane := user.UpstreamPerson{Upstream: "partner", Issuer: "https://a.example", Subject: "1", Name: "jane", FullName: "Jane", Email: "jane@a.example", EmailVerified: true}
	if u, err := m.Upstream(t.Context(), jane); !errors.Is(err, user.ErrNotInvited) {
		t.Fatalf("not invited: %v, %v", u, err)
	}
	jane.MakesUsers = true
	made := must(m.Upstream(t.Context(), jane))
	if made.Name != "partner:jane" || !made.EmailVerified {
		t.Errorf("%+v", made)
	}
	namesake := jane
	namesake.Subject = "2"
	if u := must(m.Upstream(t.Context(), namesake)); u.Name != "partner:jane2" || u.ID == made.ID {
		t.Errorf("%+v", u)
	}
	elsewhere := jane
	elsewhere.Issuer = "https://b.example"
	if u := must(m.Upstream(t.Context(), elsewhere)); u.ID == made.ID {
		t.Error("the same sub at another issuer is the same user")
	}

	jane.Name, jane.FullName, jane.Email, jane.EmailVerified = "janet", "Janet", "janet@a.example", false
	jane.MakesUsers = false
	if u := must(m.Upstream(t.Context(), jane)); u.ID != made.ID || u.Name != "partner:jane" || u.FullName != "Janet" || u.Email != "janet@a.example" || u.EmailVerified {
		t.Errorf("%+v", u)
	}
	if again := must(st.UserByID(t.Context(), made.ID)); again.FullName != "Janet" {
		t.Errorf("%+v", again)
	}
	ids, err := st.IdentitiesOf(t.Context(), made.ID)
	if err != nil || len(ids) != 1 || ids[0].Label != "janet@a.example" || ids[0].UsedAt == 0 {
		t.Errorf("%+v, %v", ids, err)
	}
	if err := st.SetDisabled(t.Context(), made.ID, true, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Upstream(t.Context(), jane); !errors.Is(err, user.ErrDisabled) {
		t.Errorf("disabled: %v", err)
	}
}

// TestHoleUpstreamRenamesALocalUser: of somebody who was here before their login there
// was linked, it says only what nobody here has said; its rules' groups it gives and takes.
func TestHoleUpstreamRenamesALocalUser(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	p := user.UpstreamPerson{Upstream: "partner", Issuer: "https://a.example", Subject: "1", FullName: "The Boss", Email: "boss@example.com", EmailVerified: true,
		Groups: []string{"partners"}, Managed: []string{"auditors", "partners"}}
	id := p.Identity()
	bob, err := st.CreateUser(t.Context(), store.User{Name: "bob", FullName: "Bob", Email: "bob@example.com", Groups: []string{"staff", "auditors"}}, &id, store.Entry{})
	if err != nil {
		t.Fatal(err)
	}
	m := &user.Mapping{Store: st}
	for range 2 {
		u := must(m.Upstream(t.Context(), p))
		if u.ID != bob.ID || u.FullName != "Bob" || u.Email != "bob@example.com" || u.EmailVerified || !slices.Equal(u.Groups, []string{"staff", "partners"}) {
			t.Errorf("%+v", u)
		}
	}
	p.Groups, p.Managed = nil, nil
	if u := must(m.Upstream(t.Context(), p)); !slices.Equal(u.Groups, []string{"staff", "partners"}) {
		t.Errorf("without rules: %+v", u)
	}
	changes, err := st.Entries(t.Context(), store.Filter{UserID: bob.ID, Event: "user_changed"})
	if err != nil || len(changes) != 1 {
		t.Errorf("%+v, %v: want one, of the groups", changes, err)
	}
}

// TestTwoFirstLoginsAtOnce make one user.
func TestTwoFirstLoginsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		m := &user.Mapping{Store: st}
		p := user.UpstreamPerson{Upstream: "partner", Issuer: "https://a.example", Subject: "1", Name: "jane", MakesUsers: true}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if u, err := m.Upstream(t.Context(), p); err != nil || u.Name != "partner:jane" {
					t.Errorf("%v, %v", u, err)
				}
			})
		}
		all.Wait()
	})
}

// TestManyOfOneName: however many an upstream calls alike, each becomes somebody.
func TestManyOfOneName(t *testing.T) {
	m := &user.Mapping{Store: storetest.Open(t, store.Config{URL: storetest.SQLite(t)})}
	names := map[string]bool{}
	for i := range 53 {
		p := user.UpstreamPerson{Upstream: "partner", Issuer: "https://a.example", Subject: strconv.Itoa(i), Name: "info", MakesUsers: true}
		names[must(m.Upstream(t.Context(), p)).Name] = true
	}
	if len(names) != 53 {
		t.Errorf("%d people of 53: %v", len(names), names)
	}
}
