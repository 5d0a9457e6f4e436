package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"idp/internal/audit"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/mail/mailtest"
	"idp/internal/secret"
	"idp/internal/server"
	"idp/internal/store"
)

// handed makes a link for a user and returns its path.
func handed(t *testing.T, s *idptest.Server, name, purpose string) string {
	t.Helper()
	ring, err := secret.ReadRing(s.Config().SecretKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	made, err := server.MakeLink(t.Context(), s.Store(), ring, s.Config(), s.User(name), purpose, true, "cli:root")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(made.URL.Reveal(), s.Issuer)
}

func invited(t *testing.T, s *idptest.Server, name string, groups ...string) string {
	t.Helper()
	if _, err := s.Store().CreateUser(t.Context(), store.User{Name: name, Groups: groups}, nil, store.Entry{Actor: "cli:root"}); err != nil {
		t.Fatal(err)
	}
	return handed(t, s, name, store.LinkInvitation)
}

// goOn presses the button of a link's page.
func goOn(t *testing.T, b *idptest.Browser, p *idptest.Page) *idptest.Page {
	t.Helper()
	action, form := p.Form(t, "token")
	return b.Post(action, form)
}

func choose(t *testing.T, b *idptest.Browser, p *idptest.Page, password, again string) *idptest.Page {
	t.Helper()
	action, form := p.Form(t, "new_password")
	form.Set("new_password", password)
	form.Set("new_password_again", again)
	return b.Post(action, form)
}

const chosen = "several words that do not belong"

func TestAnInvitation(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{}, func(t *testing.T, s *idptest.Server) {
		link := invited(t, s, "carol")
		b := s.Browser(t)
		p := b.Get(link)
		if p.StatusCode != http.StatusOK || strings.Contains(p.Body, "carol") || p.Header.Get("Referrer-Policy") != "same-origin" || p.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v\n%s", p.StatusCode, p.Header, p.Body)
		}
		p = goOn(t, b, p)
		if p.Request.URL.RequestURI() != "/invitation" || !strings.Contains(p.Body, `value="carol"`) || !strings.Contains(p.Body, `autocomplete="new-password"`) {
			t.Fatalf("%s\n%s", p.Request.URL, p.Body)
		}
		for _, c := range []struct{ password, again, says, reason string }{
			{"short", "short", "at least 15 characters", "PASSWORD_TOO_SHORT"}, {chosen, "other", "in two different ways", "PASSWORDS_DIFFER"}, {"carolcarolcarol", "carolcarolcarol", "made of your name", "PASSWORD_COMMON"},
		} {
			p = choose(t, b, p, c.password, c.again)
			if !strings.Contains(p.Body, c.says) || len(s.Log.Lines("reason="+c.reason, "user=carol")) != 1 {
				t.Errorf("%s\n%s\n%s", c.reason, p.Body, s.Log.Lines("reason="))
			}
		}
		p = choose(t, b, p, chosen, chosen)
		if p.Request.URL.Path != "/account" || !strings.Contains(p.Body, "carol") || len(s.Log.Lines("login=link", "user=carol", "status=303")) == 0 {
			t.Fatalf("%s\n%s", p.Request.URL, p.Body)
		}
		other := s.Browser(t)
		if p := other.LogIn(other.Get("/login"), "carol", chosen); p.Request.URL.Path != "/account" {
			t.Errorf("the new password leads to %s", p.Request.URL)
		}
		for name, p := range map[string]*idptest.Page{"here": b.Get(link), "elsewhere": s.Browser(t).Get(link)} {
			if p.StatusCode != http.StatusBadRequest || !strings.Contains(p.Body, "This link cannot be used") {
				t.Errorf("used, %s: %d %s", name, p.StatusCode, p.Body)
			}
		}
		token := strings.TrimPrefix(link, "/invitation?token=")
		if log := s.Log.String(); strings.Contains(log, token) || strings.Contains(log, chosen) {
			t.Error("the log has the link or the password")
		}
		for event, n := range map[string]int{audit.LinkMade: 1, audit.LinkOpened: 1, audit.PasswordChanged: 1, audit.LinkRefused: 2} {
			if entries, err := s.Store().Entries(t.Context(), store.Filter{Event: event}); err != nil || len(entries) != n || entries[0].Name != "carol" {
				t.Errorf("%s: %+v %v", event, entries, err)
			}
		}
	})
}

// Scanners open links before people do, in browsers even: that uses nothing up.
func TestHoleLinkOpenedByAScanner(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	link := invited(t, s, "carol")
	for range 3 {
		s.Program(t).Once(http.MethodHead, link, nil, nil)
		s.Program(t).Get(link)
		s.Browser(t).Get(link)
	}
	b := s.Browser(t)
	p := goOn(t, b, b.Get(link))
	if p = choose(t, b, p, chosen, chosen); p.Request.URL.Path != "/account" {
		t.Errorf("%s\n%s", p.Request.URL, p.Body)
	}
}

// The link is of the browser that went on from it: whoever has it too, or has only the
// address of the next page, sets nothing; nor does a form of another site or browser.
func TestHoleLinkTakenOver(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	link := invited(t, s, "carol")
	b, thief := s.Browser(t), s.Browser(t)
	early := thief.Get(link) // the thief has the page, too, before it is opened
	p := goOn(t, b, b.Get(link))
	for name, got := range map[string]*idptest.Page{"the button": goOn(t, thief, early), "the link": thief.Get(link), "the next page": thief.Get("/invitation"), "nothing": s.Browser(t).Get("/invitation")} {
		if got.StatusCode != http.StatusBadRequest || strings.Contains(got.Body, "new_password") {
			t.Errorf("%s: %d\n%s", name, got.StatusCode, got.Body)
		}
	}
	if lines := s.Log.Lines("reason=LINK_OTHER_BROWSER"); len(lines) != 2 {
		t.Errorf("%q", lines)
	}
	action, form := p.Form(t, "new_password")
	form.Set("new_password", chosen)
	form.Set("new_password_again", chosen)
	if got := thief.Post(action, form); got.StatusCode != http.StatusForbidden {
		t.Errorf("another browser with this one's form: %d", got.StatusCode)
	}
	if got := b.Once(http.MethodPost, action, form, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}); got.StatusCode != http.StatusForbidden {
		t.Errorf("another site: %d", got.StatusCode)
	}
	if s.User("carol").PasswordHash != "" {
		t.Fatal("a password is set")
	}
	if p = b.Post(action, form); p.Request.URL.Path != "/account" { // it is still whose it was
		t.Errorf("%s\n%s", p.Request.URL, p.Body)
	}
}

// A newer link, a disabled user, an invented token: all read the same.
func TestLinksThatAreNoGood(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	older := handed(t, s, "bob", store.LinkReset)
	b := s.Browser(t)
	form := goOn(t, b, b.Get(older))
	newer := handed(t, s, "bob", store.LinkReset)
	if p := b.Get(older); p.StatusCode != http.StatusBadRequest {
		t.Errorf("the older one: %d", p.StatusCode)
	}
	if p := choose(t, b, form, chosen, chosen); p.StatusCode != http.StatusBadRequest {
		t.Errorf("the older one's form: %d", p.StatusCode)
	}
	page := goOn(t, b, b.Get(newer))
	if err := s.Store().SetDisabled(t.Context(), s.User("bob").ID, true, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*idptest.Page{"disabled": b.Get(newer), "disabled, form": choose(t, b, page, chosen, chosen), "invented": b.Get("/invitation?token=" + secret.Token().Reveal())} {
		if p.StatusCode != http.StatusBadRequest || !strings.Contains(p.Body, "This link cannot be used") {
			t.Errorf("%s: %d %s", name, p.StatusCode, p.Body)
		}
	}
}

// Sent 64 times at once the form sets one password.
func TestALinkThatIsUsedManyTimesAtOnce(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{}, func(t *testing.T, s *idptest.Server) {
		link := handed(t, s, "bob", store.LinkReset)
		b := s.Browser(t)
		action, form := goOn(t, b, b.Get(link)).Form(t, "new_password")
		form.Set("new_password", chosen)
		form.Set("new_password_again", chosen)
		var all sync.WaitGroup
		codes := make(chan int, 16)
		for range cap(codes) {
			all.Go(func() { codes <- b.Once(http.MethodPost, action, form, nil).StatusCode })
		}
		all.Wait()
		close(codes)
		got := map[int]int{}
		for c := range codes {
			got[c]++
		}
		if got[http.StatusSeeOther] != 1 || got[http.StatusBadRequest] != 15 {
			t.Errorf("%v", got)
		}
	})
}

// A reset ends what the old password gave, and takes no second factor away: the rules
// are asked as after any login.
func TestHoleResetGoesAroundTheSecondFactor(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: "factors: [{groups: [partners], acr: mfa}]\n"})
	link := handed(t, s, "bob", store.LinkReset)
	b := s.Browser(t)
	p := choose(t, b, goOn(t, b, b.Get(link)), chosen, chosen)
	if p.Request.URL.Path != "/factor" {
		t.Errorf("the link leads to %s\n%s", p.Request.URL, p.Body)
	}
	if sessions, err := s.Store().SessionsOf(t.Context(), s.User("bob").ID); err != nil || len(sessions) != 0 {
		t.Errorf("%+v %v", sessions, err)
	}
}

func TestAResetEndsTheSessionsOfTheOldPassword(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	old := s.Browser(t)
	old.LogIn(old.Get("/login"), "bob", idptest.BobPassword)
	link := handed(t, s, "bob", store.LinkReset)
	if p := old.Get("/account"); p.Request.URL.Path != "/account" {
		t.Fatalf("a link that nobody has used ended a session: %s", p.Request.URL)
	}
	b := s.Browser(t)
	choose(t, b, goOn(t, b, b.Get(link)), chosen, chosen)
	if p := old.Get("/account"); p.Request.URL.Path != "/login" {
		t.Errorf("the session of the old password is at %s", p.Request.URL)
	}
}

// Mailed, read, chosen: the administrator has seen no link, and the address is known to
// be theirs.
func TestAMailedInvitation(t *testing.T) {
	t.Parallel()
	smtp := mailtest.Start(t)
	idptest.Each(t, idptest.Options{YAML: smtp.YAML() + "brand: {name: Example Ltd}\n"}, func(t *testing.T, s *idptest.Server) {
		had := len(smtp.Messages())
		ring, err := secret.ReadRing(s.Config().SecretKeyFile)
		if err != nil {
			t.Fatal(err)
		}
		u, err := s.Store().CreateUser(t.Context(), store.User{Name: "carol", Email: "carol@example.com"}, nil, store.Entry{Actor: "cli:root"})
		if err != nil {
			t.Fatal(err)
		}
		made, err := server.MakeLink(t.Context(), s.Store(), ring, s.Config(), &u, store.LinkInvitation, false, "cli:root")
		if err != nil || made.URL != "" || made.Mailed != "carol@example.com" {
			t.Fatalf("%+v %v", made, err)
		}
		m := smtp.Await(had + 1)[had]
		_, rest, found := strings.Cut(m.Text, s.Issuer)
		link, _, _ := strings.Cut(rest, "\n")
		if !found || m.Header.Get("Subject") != "Your account at Example Ltd" {
			t.Fatalf("%+v", m)
		}
		b := s.Browser(t)
		if p := choose(t, b, goOn(t, b, b.Get(link)), chosen, chosen); p.Request.URL.Path != "/account" {
			t.Fatalf("%s\n%s", p.Request.URL, p.Body)
		}
		if !s.User("carol").EmailVerified {
			t.Error("the address is not verified")
		}
		told := smtp.Await(had + 2)[had+1]
		if !strings.Contains(told.Text, "your password was changed") {
			t.Errorf("%s", told.Text)
		}
	})
}

func changePassword(t *testing.T, b *idptest.Browser, p *idptest.Page, old, next, again string, others bool) *idptest.Page {
	t.Helper()
	action, form := p.Form(t, "new_password")
	for name, value := range map[string]string{"password": old, "new_password": next, "new_password_again": again} {
		form.Set(name, value)
	}
	if others {
		form.Set("others", "1")
	}
	return b.Post(action, form)
}

func TestChangingThePassword(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{}, func(t *testing.T, s *idptest.Server) {
		other := s.Browser(t)
		other.LogIn(other.Get("/login"), "bob", idptest.BobPassword)
		b := s.Browser(t)
		p := b.LogIn(b.Get("/.well-known/change-password"), "bob", idptest.BobPassword)
		if p.Request.URL.Path != "/account/password" || !strings.Contains(p.Body, `autocomplete="current-password"`) {
			t.Fatalf("%s\n%s", p.Walked, p.Body)
		}
		for _, c := range []struct{ old, next, again, says, reason string }{
			{idptest.BobPassword, "short", "short", "at least 15 characters", "PASSWORD_TOO_SHORT"},
			{idptest.BobPassword, chosen, "x", "two different ways", "PASSWORDS_DIFFER"},
			{idptest.BobPassword, idptest.BobPassword, idptest.BobPassword, "the one that you have", "PASSWORD_REFUSED"},
			{"not it", chosen, chosen, "current password is wrong", "BAD_PASSWORD"},
		} {
			p = changePassword(t, b, p, c.old, c.next, c.again, true)
			if !strings.Contains(p.Body, c.says) || len(s.Log.Lines("reason="+c.reason)) != 1 {
				t.Errorf("%s\n%s", c.reason, p.Body)
			}
		}
		if p := other.Get("/account"); p.Request.URL.Path != "/account" {
			t.Fatal("what was refused has ended a session")
		}
		before := b.Cookies()
		p = changePassword(t, b, p, idptest.BobPassword, chosen, chosen, false)
		if !strings.Contains(p.Body, "Your password is changed") {
			t.Fatalf("%s", p.Body)
		}
		if p := other.Get("/account"); p.Request.URL.Path != "/account" {
			t.Error("the other session ended, although nobody wanted it to")
		}
		stolen := s.Browser(t)
		stolen.Header = http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
		for _, c := range before {
			stolen.Header.Add("Cookie", c.Name+"="+c.Value)
		}
		if p := stolen.Get("/account"); p.Request.URL.Path == "/account" {
			t.Error("the cookie from before the change is still good")
		}
		changePassword(t, b, b.Get("/account/password"), chosen, chosen+" 2", chosen+" 2", true)
		if p := other.Get("/account"); p.Request.URL.Path != "/login" {
			t.Errorf("the other session is at %s", p.Request.URL)
		}
		if p = b.Get("/account"); p.Request.URL.Path != "/account" {
			t.Errorf("this session ended: %s", p.Request.URL)
		}
		fresh := s.Browser(t)
		if p := fresh.LogIn(fresh.Get("/login"), "bob", chosen+" 2"); p.Request.URL.Path != "/account" {
			t.Errorf("the new password leads to %s", p.Request.URL)
		}
		if log := s.Log.String(); strings.Contains(log, chosen) {
			t.Error("a password is in the log")
		}
	})
}

// A session that is taken over for a moment must not become the account: the current
// password is asked for, guesses at it count, and another site's form does nothing.
func TestHolePasswordChangedByWhoFindsTheBrowser(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	b := s.Browser(t)
	p := b.LogIn(b.Get("/account/password"), "bob", idptest.BobPassword)
	action, form := p.Form(t, "new_password")
	for name, value := range map[string]string{"password": idptest.BobPassword, "new_password": chosen, "new_password_again": chosen} {
		form.Set(name, value)
	}
	if got := b.Once(http.MethodPost, action, form, http.Header{"Sec-Fetch-Site": {"cross-site"}}); got.StatusCode != http.StatusForbidden {
		t.Errorf("another site: %d", got.StatusCode)
	}
	forged := url.Values{}
	for k, v := range form {
		forged[k] = v
	}
	forged.Set("form_token", "x")
	if got := b.Post(action, forged); got.StatusCode != http.StatusForbidden {
		t.Errorf("without our token: %d", got.StatusCode)
	}
	for _, guess := range []string{"guess 1", "guess 2", "guess 3"} {
		p = changePassword(t, b, p, guess, chosen, chosen, true)
	}
	if p = changePassword(t, b, p, idptest.BobPassword, chosen, chosen, true); !strings.Contains(p.Body, "wrong too often") || len(s.Log.Lines("reason=TOO_MANY_GUESSES")) != 1 {
		t.Errorf("%s", p.Body)
	}
	if p := s.Browser(t).Once(http.MethodGet, "/account/password", nil, nil); p.StatusCode != http.StatusSeeOther {
		t.Errorf("nobody: %d", p.StatusCode)
	}
}

// Somebody with the company's password is told where that is changed.
func TestTheCompanysPasswordIsChangedElsewhere(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	b := s.Browser(t)
	p := b.LogIn(b.Get("/account/password"), "alice", krbtest.AlicePassword)
	if p.Request.URL.Path != "/account/password" || !strings.Contains(p.Body, "your company's account") {
		t.Errorf("%s", p.Body)
	}
}
