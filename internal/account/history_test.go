package account_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/idptest"
	"idp/internal/store"
)

// codes are what nobody reads: names of events and reasons.
var codes = regexp.MustCompile(`\b[a-z]+_[a-z_]+\b|\b[A-Z]{3,}_[A-Z_]+\b`)

// prose is what a page says, without its markup.
func prose(p *idptest.Page) string {
	main := p.Body[strings.Index(p.Body, "</nav>"):]
	return regexp.MustCompile(`<[^>]*>`).ReplaceAllString(main, " ")
}

func TestHistoryInPlainWords(t *testing.T) {
	idptest.Each(t, idptest.Options{Users: people}, func(t *testing.T, s *idptest.Server) {
		bob, carol := loggedIn(t, s, "bob", firefox), loggedIn(t, s, "carol", iphone)
		stranger := s.Browser(t)
		stranger.Header.Set("User-Agent", iphone)
		for i := range 4 { // the last ones are refused without a look at the password
			stranger.LogIn(stranger.Get("/login"), "bob", fmt.Sprint("guess ", i))
		}
		u := s.User("bob")
		for _, event := range []string{"something_new", audit.PasswordChanged, audit.LogoutGivenUp, audit.RefreshReused} {
			if err := s.Store().Audit(t.Context(), store.Entry{Event: event, Actor: "cli:root", UserID: u.ID, ClientID: "wiki", Address: "198.51.100.7", Reason: "REASON_CODE", Detail: "detail_of_it"}); err != nil {
				t.Fatal(err)
			}
		}
		page := bob.Get("/account/history")
		shows(t, page, "Logged in with your name and password", "from 127.0.0.1, Firefox on Windows", "4 times that day, and did not get in", "from 127.0.0.1, Safari on an iPhone",
			"Something about your account was changed", "An administrator set a new password for you", "A login at Wiki was used in two places", "Your account was made here", "Was this not you?",
			"-198.51.100.7")
		if found := codes.FindAllString(prose(page), -1); len(found) > 0 {
			t.Errorf("codes: %q", found)
		}
		if first, last := strings.Index(page.Body, "used in two places"), strings.Index(page.Body, "was made here"); first > last {
			t.Error("the newest is not first")
		}
		shows(t, carol.Get("/account/history"), "-tried to log in", "-Firefox")
	})
}

func TestHistoryGoesOnOnOtherPages(t *testing.T) {
	s := idptest.Start(t, idptest.Options{})
	bob, u := loggedIn(t, s, "bob", firefox), s.User("bob")
	for range 120 {
		if err := s.Store().Audit(t.Context(), store.Entry{Event: audit.UserChanged, Actor: "cli:root", UserID: u.ID}); err != nil {
			t.Fatal(err)
		}
	}
	old := store.Entry{Event: audit.UserAdmin, Actor: "cli:root", UserID: u.ID, At: time.Now().AddDate(0, 0, -31).UnixMilli()}
	if err := s.Store().Audit(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	older := regexp.MustCompile(`href="(/account/history\?before=[^"]+)" rel="next"`)
	target, pages, entries := "/account/history", 0, 0
	for target != "" {
		page := bob.Get(target)
		entries += strings.Count(page.Body, "<li>\n<time")
		shows(t, page, "-rights as an administrator")
		target = ""
		if m := older.FindStringSubmatch(page.Body); m != nil {
			target = m[1]
		}
		pages++
	}
	if pages != 3 || entries != 122 { // and the login, and the account
		t.Errorf("%d entries on %d pages", entries, pages)
	}
	shows(t, bob.Get("/account/history?before=%27;--"), "changed your profile", "-Newest")
}
