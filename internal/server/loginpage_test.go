package server_test

import (
	"regexp"
	"strings"
	"testing"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

// primaryRE is what a page's one primary button says.
var primaryRE = regexp.MustCompile(`<(?:a|button) class="primary"[^>]*>([^<]*)<`)

func primary(t *testing.T, p *idptest.Page) string {
	t.Helper()
	found := primaryRE.FindAllStringSubmatch(p.Body, -1)
	if len(found) != 1 {
		t.Fatalf("%d primary buttons on %s (%d), want one:\n%s", len(found), p.Request.URL, p.StatusCode, p.Body)
	}
	return found[0][1]
}

const byForm, byTicket = "Log in", "Log in with your company ticket"

func wantPrimary(t *testing.T, when string, p *idptest.Page, want string) {
	t.Helper()
	if got := primary(t, p); got != want {
		t.Errorf("%s: one is to begin with %q, want %q", when, got, want)
	}
}

func TestTheLoginPageBeginsWithWhatWasUsedLast(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	b := s.Browser(t)
	signOut := func() {
		t.Helper()
		action, form := b.Get("/end_session").Form(t, "form_token")
		b.Post(action, form)
	}
	negotiate := b.Once("GET", "/account", nil, nil).Header.Get("Location")
	wantPrimary(t, "the body of the challenge", b.Once("GET", negotiate, nil, nil), byForm)
	b.GetWith(negotiate, idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword)))
	wantPrimary(t, "signed in by a ticket, prompt=login", b.Get(promptLogin()), "Confirm")
	signOut()
	page := b.Get(idptest.Wiki().URL())
	wantPrimary(t, "signed out after a ticket", page, byTicket)
	for _, part := range []string{`class="primary" href="/login/negotiate?login=`, `<button class="secondary" type="submit" data-busy="Checking…">Log in`} {
		if !strings.Contains(page.Body, part) {
			t.Errorf("signed out after a ticket: no %s on\n%s", part, page.Body)
		}
	}
	wantPrimary(t, "another account", b.Get(page.Request.URL.String()+"&other=1"), byForm)
	wantPrimary(t, "a ticket that was refused", b.GetWith(strings.Replace(page.Request.URL.String(), "/login?", "/login/negotiate?", 1), "Negotiate YWJj"), byForm)
	wrong := b.LogIn(page, "bob", "wrong")
	wantPrimary(t, "a wrong password", wrong, byForm)
	if !strings.Contains(wrong.Body, "Use another account") || strings.Contains(b.Get(wrong.Request.URL.String()+"&other=1").Body, "bob") {
		t.Error("a wrong password: no way to another account, or it shows the name again")
	}
	b.LogIn(wrong, "bob", idptest.BobPassword)
	signOut()
	wantPrimary(t, "signed out after the form", b.Get(idptest.Wiki().URL()), byForm)
	wantPrimary(t, "another browser", s.Browser(t).Get("/login"), byForm)
}

func TestATicketThatIsNotWantedIsNotWhatToBeginWith(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	b := s.Browser(t)
	b.GetWith(b.Once("GET", "/account", nil, nil).Header.Get("Location"), idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword)))
	action, form := b.Get("/end_session").Form(t, "form_token")
	b.Post(action, form)
	page := b.Get(idptest.Wiki().URL())
	wantPrimary(t, "before", page, byTicket)
	action, form = page.Form(t, "no_ticket")
	form.Set("no_ticket", "1")
	wantPrimary(t, "not on this device", b.Post(action, form), byForm)
}

func TestWhoIsAskedAgainSeesWhoTheyAre(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	b := s.Browser(t)
	b.LogIn(b.Get("/account"), "bob", idptest.BobPassword)
	page := b.Get(promptLogin())
	wantPage(t, page, "Confirm that it is you", "You are logged in as <strong>bob</strong>", "Use another account", `value="bob"`)
	other := b.Get(page.Request.URL.String() + "&other=1")
	wantPrimary(t, "another account", other, byForm)
	if strings.Contains(other.Body, "bob") || strings.Contains(other.Body, "Use another account") {
		t.Errorf("for another account the page names somebody:\n%s", other.Body)
	}
	auth := idptest.Wiki()
	auth.Query.Set("login_hint", "carol@example.com")
	hinted := s.Browser(t).Get(auth.URL())
	wantPage(t, hinted, `value="carol@example.com"`, "Use another account")
}

func promptLogin() string {
	auth := idptest.Wiki()
	auth.Query.Set("prompt", "login")
	return auth.URL()
}
