package account_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
)

func rename(t *testing.T, b *idptest.Browser, page *idptest.Page, name string) *idptest.Page {
	t.Helper()
	action, form := page.Form(t, "full_name")
	form.Set("full_name", name)
	return b.Post(action, form)
}

func TestLocalUsersChangeTheirName(t *testing.T) {
	idptest.Each(t, idptest.Options{}, func(t *testing.T, s *idptest.Server) {
		bob := loggedIn(t, s, "bob", firefox)
		shows(t, bob.Get("/account/profile"), "bob@example.com (not checked)", "partners, staff-eu", "an administrator here", `href="/account/name"`)
		page := bob.Get("/account/name")
		for name, says := range map[string]string{" ": "has no letter", "Bob\u202eyrollaM": "cannot be seen", strings.Repeat("b", 101): "longer than 100"} {
			if p := rename(t, bob, page, name); p.StatusCode != http.StatusBadRequest || !strings.Contains(p.Body, says) || !strings.Contains(p.Body, `role="alert"`) {
				t.Errorf("%q: %d\n%s", name, p.StatusCode, p.Body)
			}
		}
		done := rename(t, bob, page, " Bob Ross ")
		shows(t, done, "Your name is changed", "Bob Ross")
		shows(t, bob.Get("/account"), "<h1>Bob Ross</h1>")
		u := s.User("bob")
		e, err := s.Store().Entries(t.Context(), store.Filter{UserID: u.ID, Event: "user_changed"})
		if err != nil || len(e) != 1 || e[0].Actor != "bob" || e[0].Detail != `{"full_name":"Bob Ross"}` || u.Email != "bob@example.com" || len(u.Groups) != 2 {
			t.Errorf("%+v %v; %+v", e, err, u)
		}
		// The page was made before that: whoever sends it again has not seen what is there.
		if p := rename(t, bob, page, "Robert"); p.StatusCode != http.StatusConflict || !strings.Contains(p.Body, "Somebody else has just changed your profile") || s.User("bob").FullName != "Bob Ross" {
			t.Errorf("%d, %q", p.StatusCode, s.User("bob").FullName)
		}
	})
}

// TestHoleChangeWithoutAFreshLogin: a session that is older than ten minutes, a stolen
// cookie's perhaps, changes nothing until its person logs in again.
func TestHoleChangeWithoutAFreshLogin(t *testing.T) {
	var ahead atomic.Int64
	s := idptest.Start(t, idptest.Options{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	bob := loggedIn(t, s, "bob", firefox)
	page := bob.Get("/account/name")
	ahead.Store(int64(10*time.Minute + time.Second))
	again := rename(t, bob, page, "Mallory")
	if again.Request.URL.Path != "/login" || s.User("bob").FullName != "" {
		t.Fatalf("walked %s; the name is %q", again.Walked, s.User("bob").FullName)
	}
	if p := bob.Get("/account/name"); p.Request.URL.Path != "/login" {
		t.Errorf("the form: walked %s", p.Walked)
	}
	shows(t, bob.Get("/account/profile"), "Your profile") // looking needs no more
	if p := bob.LogIn(again, "bob", idptest.BobPassword); p.Request.URL.Path != "/account/name" {
		t.Fatalf("back to %s", p.Request.URL)
	} else if p = rename(t, bob, p, "Bob Ross"); s.User("bob").FullName != "Bob Ross" {
		t.Errorf("after logging in again: %d", p.StatusCode)
	}
}

// TestHoleTicketChangesAnAccount: a ticket shows a computer, not a person who acts; and
// what the company keeps is changed there.
func TestHoleTicketChangesAnAccount(t *testing.T) {
	realm := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm)})
	b := s.Browser(t)
	ticket, err := realm.Ticket("alice", krbtest.AlicePassword, "HTTP/idp.localhost")
	if err != nil {
		t.Fatal(err)
	}
	p := b.Once(http.MethodGet, b.Once(http.MethodGet, "/account/profile", nil, nil).Header.Get("Location"), nil, http.Header{"Authorization": {idptest.Negotiate(t, ticket)}})
	page := b.Get(p.Header.Get("Location"))
	shows(t, page, "Your profile", "your company", "-Change your name")
	if p := b.Get("/account/name"); p.Request.URL.Path != "/login" {
		t.Fatalf("by ticket: walked %s", p.Walked)
	} else if p = b.LogIn(p, "alice", krbtest.AlicePassword); p.StatusCode != http.StatusForbidden || !strings.Contains(p.Body, "kept elsewhere") {
		t.Errorf("by password: %d\n%s", p.StatusCode, p.Body)
	}
	_, form := b.Get("/account/sessions").Form(t, "all")
	if p := b.Once(http.MethodPost, "/account/name", url.Values{"full_name": {"Mallory"}, "form_token": form["form_token"]}, nil); p.StatusCode != http.StatusForbidden {
		t.Errorf("posted: %d", p.StatusCode)
	}
	shows(t, b.Get("/account/sessions"), "in your company’s network", "with your name and password, checked by your company")
	shows(t, b.Get("/account/history"), "Logged in with your company ticket", "Logged in with your name and password")
}
