package server_test

import (
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
)

// newPassword fills in the page for whoever has an expired password.
func newPassword(t *testing.T, b *idptest.Browser, p *idptest.Page, old, next, again string) *idptest.Page {
	t.Helper()
	action, form := p.Form(t, "new_password")
	form.Set("username", "alice")
	form.Set("password", old)
	form.Set("new_password", next)
	form.Set("new_password_again", again)
	return b.Post(action, form)
}

func expiredRealm(t *testing.T) (*krbtest.Realm, *idptest.Server) {
	t.Helper()
	realm := noKpasswd(t)
	realm.StartKpasswd(t)
	return realm, idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm)})
}

func noKpasswd(t *testing.T) *krbtest.Realm {
	t.Helper()
	realm := krbtest.Start(t, krbtest.Options{})
	if err := realm.Kadmin("addpol -minlength 8 strict\nmodprinc -policy strict alice\nmodprinc -pwexpire 2020-01-01 alice\n"); err != nil {
		t.Fatal(err)
	}
	return realm
}

// Where nobody takes new passwords, that is said, and that nothing was changed.
func TestAnExpiredPasswordWithoutAKpasswdServer(t *testing.T) {
	t.Parallel()
	realm := noKpasswd(t)
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm)})
	b := s.Browser(t)
	p := b.LogIn(b.Get("/login"), "alice", krbtest.AlicePassword)
	p = newPassword(t, b, p, krbtest.AlicePassword, "a new password", "a new password")
	if lines := s.Log.Lines("reason=KDC_UNREACHABLE"); len(lines) != 1 || !strings.Contains(lines[0], "kpasswd server of EXAMPLE.TEST, so the password was not changed") {
		t.Errorf("%q", s.Log.Lines("reason="))
	}
	if !strings.Contains(p.Body, "does not answer") {
		t.Error(p.Body)
	}
}

func TestAnExpiredPasswordIsChangedOnTheSpot(t *testing.T) {
	t.Parallel()
	_, s := expiredRealm(t)
	b, auth := s.Browser(t), idptest.Wiki()
	auth.Query.Set("prompt", "login") // the form, not the ticket
	form := b.Get(auth.URL())
	wrong := b.LogIn(form, "alice", "not-it")
	if strings.Contains(wrong.Body, "new_password") || !strings.Contains(wrong.Body, "Name or password is wrong") {
		t.Errorf("a wrong password tells that the account's has expired:\n%s", wrong.Body)
	}
	p := b.LogIn(wrong, "alice", krbtest.AlicePassword)
	if !strings.Contains(p.Body, "Your password has expired") || len(s.Log.Lines("reason=PASSWORD_EXPIRED")) != 1 {
		t.Fatalf("the right one does not lead to the page for a new one:\n%s", p.Body)
	}
	for _, c := range []struct{ old, next, again, says, reason string }{
		{krbtest.AlicePassword, "a new password", "another", "The new passwords differ", "PASSWORDS_DIFFER"},
		{krbtest.AlicePassword, "short", "short", "The new password was not accepted", "PASSWORD_REFUSED"},
	} {
		p = newPassword(t, b, p, c.old, c.next, c.again)
		if !strings.Contains(p.Body, c.says) || len(s.Log.Lines("reason="+c.reason)) != 1 {
			t.Errorf("%s: %s\n%s", c.reason, strings.Join(s.Log.Lines("reason="), "\n"), p.Body)
		}
	}
	if lines := s.Log.Lines("reason=PASSWORD_REFUSED"); len(lines) == 1 && !strings.Contains(lines[0], "too short") {
		t.Errorf("the log does not say what the KDC said: %s", lines[0])
	}
	auth.Code(t, s, newPassword(t, b, p, krbtest.AlicePassword, "a new password", "a new password"))
	if entries, err := s.Store().Entries(t.Context(), store.Filter{Event: "password_changed"}); err != nil || len(entries) != 1 || entries[0].Name != "alice" {
		t.Errorf("audit entries of the change: %+v, %v", entries, err)
	}
	if log := s.Log.String(); strings.Contains(log, "a new password") || strings.Contains(log, krbtest.AlicePassword) {
		t.Error("a password is in the log")
	}
	other := s.Browser(t)
	if p := other.LogIn(other.Get("/login"), "alice", "a new password"); p.Request.URL.Path != "/account" {
		t.Errorf("the new password leads to %s", p.Request.URL.Path)
	}
}

// At the browser's prompt it is the body of the bare 401.
func TestAnExpiredPasswordAtThePrompt(t *testing.T) {
	t.Parallel()
	_, s := expiredRealm(t)
	b, auth := s.Browser(t), idptest.Wiki()
	step := b.Get(auth.URL()).Request.URL.String()
	p := b.GetWith(step, idptest.Basic("alice", krbtest.AlicePassword))
	if p.StatusCode != 401 || p.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("%d %q", p.StatusCode, p.Header.Get("WWW-Authenticate"))
	}
	auth.Code(t, s, newPassword(t, b, p, krbtest.AlicePassword, "a new password", "a new password"))
}

// "Use another account" leads out of the page.
func TestTheNewPasswordPageHasAWayOut(t *testing.T) {
	t.Parallel()
	_, s := expiredRealm(t)
	b := s.Browser(t)
	p := b.LogIn(b.Get("/login"), "alice", krbtest.AlicePassword)
	i := strings.Index(p.Body, "/login?login=")
	link, _, _ := strings.Cut(p.Body[i:], `"`)
	p = b.Get(strings.ReplaceAll(link, "&amp;", "&"))
	if strings.Contains(p.Body, "new_password") || strings.Contains(p.Body, `value="alice"`) {
		t.Errorf("%s leads to\n%s", link, p.Body)
	}
	if p := b.LogIn(p, "bob", idptest.BobPassword); p.Request.URL.Path != "/account" {
		t.Errorf("bob is led to %s", p.Request.URL.Path)
	}
}

// A local user has no KDC; only whoever knows the password is told so.
func TestTheChangeFormOfALocalUser(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	b := s.Browser(t)
	post := func(old string) *idptest.Page {
		action, form := b.Get("/login").Form(t, "password")
		for name, value := range map[string]string{"username": "bob", "password": old, "new_password": "something new", "new_password_again": "something new"} {
			form.Set(name, value)
		}
		return b.Post(action, form)
	}
	if p := post("not-it"); !strings.Contains(p.Body, "Name or password is wrong") {
		t.Errorf("%s", p.Body)
	}
	if p := post(idptest.BobPassword); !strings.Contains(p.Body, "The new password was not accepted") {
		t.Errorf("%s", p.Body)
	}
	if p := b.LogIn(b.Get("/login?other=1"), "bob", idptest.BobPassword); p.Request.URL.Path != "/account" {
		t.Errorf("bob's password was changed, or the form is lost: %s", (&url.URL{Path: p.Request.URL.Path}).String())
	}
}
