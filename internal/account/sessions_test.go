package account_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// endThere sends the form of a page that ends one session or grant.
func endThere(t *testing.T, b *idptest.Browser, field, id string) *idptest.Page {
	t.Helper()
	action, form := b.Get("/account/sessions").Form(t, "all")
	form.Set(field, id)
	return b.Post(action, form)
}

func endAll(t *testing.T, b *idptest.Browser, which string) *idptest.Page {
	t.Helper()
	return endThere(t, b, "all", which)
}

// Each session is there in plain words, this one marked, with what it visited; of
// others' nothing.
func TestSessionsAreListedInPlainWords(t *testing.T) {
	idptest.Each(t, idptest.Options{Users: people, Clients: desk}, func(t *testing.T, s *idptest.Server) {
		bob, phone := loggedIn(t, s, "bob", firefox), loggedIn(t, s, "bob", iphone)
		carol := loggedIn(t, s, "carol", "Mozilla/5.0 (X11; CrOS x86_64) Chrome/156.0 Safari/537.36")
		atDesk(t, s, phone, "openid")
		page := bob.Get("/account/sessions")
		shows(t, page, "Browsers (2)", `Firefox on Windows <span class="tag">this one</span>`, "Safari on an iPhone", "Visited Desk", "from 127.0.0.1.", "-company’s network", "-ChromeOS", "-Mozilla", "-pwd")
		if strings.Count(page.Body, "this one") != 1 || strings.Count(page.Body, ">Sign out there<") != 1 {
			t.Errorf("one is this one, and the other can be ended:\n%s", page.Body)
		}
		shows(t, carol.Get("/account/sessions"), "Browsers (1)", "Chrome on ChromeOS", "-Firefox", "-Desk")
	})
}

// Signing out there ends the session and what it gave; a second time, and of what
// never was, it says the same and does nothing.
func TestSigningOutThere(t *testing.T) {
	idptest.Each(t, idptest.Options{Users: people, Clients: desk}, func(t *testing.T, s *idptest.Server) {
		bob, phone := loggedIn(t, s, "bob", firefox), loggedIn(t, s, "bob", iphone)
		given := atDesk(t, s, phone, "openid")
		_, form := bob.Get("/account/sessions").Form(t, "session")
		for range 2 {
			shows(t, bob.Post("/account/sessions", form), "Signed out there", "Browsers (1)")
		}
		if !isOut(phone) || isOut(bob) {
			t.Errorf("the telephone is out: %v, this one is: %v", isOut(phone), isOut(bob))
		}
		if a := refreshed(t, s, given.Refresh); a.Error != "invalid_grant" {
			t.Errorf("refresh: %+v", a)
		}
		shows(t, endThere(t, bob, "session", "nobody's"), "Signed out there")
		e, err := s.Store().Entries(t.Context(), store.Filter{UserID: s.User("bob").ID, Event: "signed_out"})
		if err != nil || len(e) != 1 || e[0].Actor != "bob" || e[0].SessionID != form.Get("session") || e[0].Agent != "Firefox on Windows" {
			t.Errorf("%+v %v", e, err)
		}
	})
}

// TestHoleSignedOutByAnother: whoever knows the sid or the grant of somebody else's,
// which are in tokens, ends neither, and learns nothing from the answer.
func TestHoleSignedOutByAnother(t *testing.T) {
	s := idptest.Start(t, idptest.Options{Users: people, Clients: telly})
	bob, carol := loggedIn(t, s, "bob", firefox), loggedIn(t, s, "carol", firefox)
	onADevice(t, s, bob, "openid offline_access")
	sessions, err := s.Store().SessionsOf(t.Context(), s.User("bob").ID)
	if err != nil || len(sessions) != 1 {
		t.Fatal(sessions, err)
	}
	_, form := bob.Get("/account/sessions").Form(t, "grant")
	mine := endThere(t, carol, "session", "nobody's").Body
	for field, id := range map[string]string{"session": sessions[0].ID, "grant": form.Get("grant")} {
		if p := endThere(t, carol, field, id); field == "session" && p.Body != mine {
			t.Errorf("the answer to somebody else's %s is another than to nobody's", field)
		}
	}
	endAll(t, carol, "everywhere")
	if isOut(bob) {
		t.Error("bob is signed out by carol")
	}
	shows(t, bob.Get("/account/sessions"), "Tellyvision on a device")
}

// A device of a trusted site, for which nobody is asked for consent, is listed, and can
// be signed out there; so can what stays logged in while its person is away.
func TestDevicesOfTrustedSitesAreListed(t *testing.T) {
	idptest.Each(t, idptest.Options{Clients: telly + desk}, func(t *testing.T, s *idptest.Server) {
		bob := loggedIn(t, s, "bob", firefox)
		shows(t, bob.Get("/account/sessions"), "None. A television")
		device := onADevice(t, s, bob, "openid profile")
		offline := atDesk(t, s, bob, "openid offline_access")
		page := bob.Get("/account/sessions")
		shows(t, page, "stay logged in (2)", "Tellyvision on a device", "The device asked from 127.0.0.1", "Ends when you sign out of the browser", "<h3>Desk</h3>", "Stays logged in while you are away")
		shows(t, bob.Get("/account/sites"), "None so far")

		_, form := page.Form(t, "grant") // the newest: the desk's
		shows(t, bob.Post("/account/sessions", form), "Signed out there", "stay logged in (1)", "-<h3>Desk</h3>")
		if a := refreshed(t, s, offline.Refresh); a.Error != "invalid_grant" {
			t.Errorf("%+v", a)
		}
		endAll(t, bob, "others")
		shows(t, bob.Get("/account/sessions"), "None. A television")
		if a := ask(t, s.Program(t), "/token", url.Values{"client_id": {"telly"}, "grant_type": {"refresh_token"}, "refresh_token": {device.Refresh}}); a.Error != "invalid_grant" {
			t.Errorf("%+v", a)
		}
		shows(t, bob.Get("/account/history"), "You logged in to Tellyvision on a device", "You signed Desk out", "You signed out everywhere else")
	})
}

func TestSigningOutEverywhere(t *testing.T) {
	s := idptest.Start(t, idptest.Options{Clients: desk})
	bob, phone, laptop := loggedIn(t, s, "bob", firefox), loggedIn(t, s, "bob", iphone), loggedIn(t, s, "bob", firefox)
	shows(t, endAll(t, bob, "others"), "Signed out everywhere else", "Browsers (1)")
	if isOut(bob) || !isOut(phone) || !isOut(laptop) {
		t.Errorf("out: this one %v, the others %v and %v", isOut(bob), isOut(phone), isOut(laptop))
	}
	phone = loggedIn(t, s, "bob", iphone)
	given := atDesk(t, s, bob, "openid offline_access")
	if p := endAll(t, bob, "everywhere"); !strings.Contains(p.Body, "You are signed out") {
		t.Errorf("%s\n%s", p.Walked, p.Body)
	}
	if !isOut(bob) || !isOut(phone) {
		t.Errorf("out: this one %v, the other %v", isOut(bob), isOut(phone))
	}
	if a := refreshed(t, s, given.Refresh); a.Error != "invalid_grant" {
		t.Errorf("%+v", a)
	}
	// One's own id is the way out, too.
	bob = loggedIn(t, s, "bob", firefox)
	sessions, err := s.Store().SessionsOf(t.Context(), s.User("bob").ID)
	if err != nil || len(sessions) != 1 {
		t.Fatal(sessions, err)
	}
	shows(t, endThere(t, bob, "session", sessions[0].ID), "You are signed out")
}

// TestHoleAccountFormsOfOtherSites: no other site's form, none without its token, none
// of nobody's does anything; and no link makes a page say that something was done.
func TestHoleAccountFormsOfOtherSites(t *testing.T) {
	s := idptest.Start(t, idptest.Options{})
	bob, phone := loggedIn(t, s, "bob", firefox), loggedIn(t, s, "bob", iphone)
	_, end := bob.Get("/account/sessions").Form(t, "all")
	end.Set("all", "others")
	_, rename := bob.Get("/account/name").Form(t, "full_name")
	rename.Set("full_name", "Mallory")
	for path, form := range map[string]url.Values{"/account/sessions": end, "/account/name": rename} {
		if p := bob.Once(http.MethodPost, path, form, http.Header{"Sec-Fetch-Site": {"cross-site"}}); p.StatusCode != http.StatusForbidden {
			t.Errorf("%s by another site: %d", path, p.StatusCode)
		}
		if p := s.Browser(t).Once(http.MethodPost, path, form, nil); p.StatusCode != http.StatusSeeOther || p.Header.Get("Location") != s.Issuer+path {
			t.Errorf("%s by nobody: %d to %q", path, p.StatusCode, p.Header.Get("Location"))
		}
		for _, token := range []string{"", "AAAA", rename.Get("form_token") + end.Get("form_token")} {
			forged := url.Values{"all": {"others"}, "full_name": {"Mallory"}, "version": form["version"], "form_token": {token}}
			if p := bob.Once(http.MethodPost, path, forged, nil); p.StatusCode != http.StatusForbidden {
				t.Errorf("%s with the token %q: %d", path, token, p.StatusCode)
			}
		}
	}
	swapped := url.Values{"all": {"others"}, "form_token": rename["form_token"]}
	if p := bob.Once(http.MethodPost, "/account/sessions", swapped, nil); p.StatusCode != http.StatusForbidden {
		t.Errorf("with the token of another form: %d", p.StatusCode)
	}
	if isOut(phone) || s.User("bob").FullName != "" {
		t.Errorf("the telephone is out: %v; the name is %q", isOut(phone), s.User("bob").FullName)
	}
	for _, link := range []string{"/account/sessions?done=others", "/account/sessions?done=others&token=" + end.Get("form_token"), "/account/profile?done=name&token=AAAA"} {
		shows(t, bob.Get(link), "-Signed out everywhere", "-is changed")
	}
	if p := bob.Once(http.MethodPost, "/account/sessions", url.Values{"form_token": end["form_token"]}, nil); p.StatusCode != http.StatusBadRequest {
		t.Errorf("nothing to end: %d", p.StatusCode)
	}
}

// What one node ends is over at the other: the session at once, and what it gave within
// the second for which a node may keep an answer about a token.
func TestHoleEndedSessionGoesOnAtAnotherNode(t *testing.T) {
	var ahead atomic.Int64
	one := idptest.Start(t, idptest.Options{Database: storetest.Postgres(t), Clients: desk})
	other := idptest.Start(t, idptest.Options{Beside: one, Clients: desk, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	for _, how := range []string{"there", "others"} {
		t.Run(how, func(t *testing.T) {
			bob, phone := loggedIn(t, one, "bob", firefox), loggedIn(t, one, "bob", iphone)
			given, cached := atDesk(t, one, phone, "openid offline_access"), atDesk(t, one, phone, "openid")
			there, program := phone.At(other), one.Program(t).At(other)
			userinfo := func(token string) int {
				return program.Once(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + token}}).StatusCode
			}
			introspect := func(token string) bool { return ask(t, program, "/introspect", url.Values{"token": {token}}).Active }
			if isOut(there) || userinfo(cached.Access) != http.StatusOK || !introspect(cached.Access) {
				t.Fatal("the other node does not know the session")
			}
			if how == "there" {
				_, form := bob.Get("/account/sessions").Form(t, "session")
				bob.Post("/account/sessions", form)
			} else {
				endAll(t, bob, "others")
			}
			if !isOut(there) {
				t.Error("the account is open")
			}
			auth := idptest.Wiki()
			auth.Query.Set("prompt", "none")
			if p := there.Get(auth.URL()); p.Location == nil || p.Location.Query().Get("error") != "login_required" {
				t.Errorf("authorize: %v", p.Location)
			}
			for name, refresh := range map[string]string{"of the session": cached.Refresh, "that outlives it": given.Refresh} {
				a := ask(t, program, "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
				if outlives := how == "there" && refresh == given.Refresh; (a.Error == "") != outlives {
					t.Errorf("refresh %s: %+v", name, a)
				}
			}
			ahead.Add(int64(time.Second))
			if status := userinfo(cached.Access); status != http.StatusUnauthorized {
				t.Errorf("userinfo, asked a second ago: %d", status)
			}
			if introspect(cached.Access) {
				t.Error("introspection, asked a second ago: active")
			}
			if how == "others" && (userinfo(given.Access) != http.StatusUnauthorized || introspect(given.Access)) { // never asked before
				t.Error("what outlives the session goes on")
			}
			if isOut(bob.At(other)) {
				t.Error("this browser is out, too")
			}
		})
	}
}
