//go:build interop

package interop_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest/sambatest"
	"idp/internal/store"
)

// namesServer knows how the people of the domain write their names.
func namesServer(t *testing.T, d *sambatest.Domain) *idptest.Server {
	t.Helper()
	return idptest.Start(t, idptest.Options{YAML: domainYAML(d, d.Keytab, "netbios: "+d.NetBIOS+", upn_suffixes: [example.com, corp.example.com]")})
}

// Every way in which a person of a domain writes a name leads to one user.
func TestNamesOfADomain(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "gerda", Password: password, UPN: "gerda.kai@example.com"}))
	s := namesServer(t, d)
	var sub string
	for _, name := range []string{"gerda", "GERDA", "gerda@AD.TEST", "Gerda@ad.test", `AD\gerda`, `ad\GERDA`, "gerda.kai@example.com", "Gerda.KAI@Example.com"} {
		who := by(t, s, idptest.Basic(name, password))
		if sub == "" {
			sub = who.Sub
		}
		if who.Sub != sub || who.Name != "gerda" {
			t.Errorf("%s: %+v", name, who)
		}
	}
	refused(t, s, idptest.Basic("gerda.kai@corp.example.com", password), "CLIENT_UNKNOWN")
	refused(t, s, idptest.Basic("gerda@nowhere.example", password), "CLIENT_UNKNOWN")
	refused(t, s, idptest.Basic(`OTHER\gerda`, password), "CLIENT_UNKNOWN")
}

// Two names of one account do not give twice the guesses, even where nothing in
// one tells the other.
func TestGuessesAtAUPNCountForTheAccount(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "henrik", Password: password, UPN: "someone.else@example.com"}))
	s := namesServer(t, d)
	for i, name := range []string{"someone.else@example.com", "henrik", `AD\henrik`, "Someone.Else@example.com", "henrik@ad.test", "HENRIK"} {
		s.Program(t).GetWith("/login/negotiate", idptest.Basic(name, fmt.Sprint("Wrong-guess-", i)))
	}
	if n, err := d.BadPasswords("henrik"); err != nil || n != 3 {
		t.Errorf("the domain counts %d wrong passwords (%v), want the 3 that max_failures allows", n, err)
	}
	if n := len(s.Log.Lines("reason=TOO_MANY_GUESSES")); n != 3 {
		t.Errorf("%d log lines say TOO_MANY_GUESSES, want 3", n)
	}
}

// A password that the domain wants changed is changed on the page.
func TestAnExpiredPasswordOfADomain(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "inger", Password: password}), d.ExpirePassword("inger"))
	s := namesServer(t, d)
	b := s.Browser(t)
	p := b.LogIn(b.Get("/login"), "inger", password)
	for _, next := range []string{"short", "Another-horse-2"} {
		action, form := p.Form(t, "new_password")
		for name, value := range map[string]string{"username": "inger", "password": password, "new_password": next, "new_password_again": next} {
			form.Set(name, value)
		}
		p = b.Post(action, form)
	}
	if p.Request.URL.Path != "/account" || p.StatusCode != http.StatusOK {
		t.Errorf("led to %s\n%s", p.Request.URL.Path, strings.Join(s.Log.Lines("reason="), "\n"))
	}
	if lines := s.Log.Lines("reason=PASSWORD_REFUSED"); len(lines) != 1 || !strings.Contains(lines[0], "at least 7 characters") {
		t.Errorf("the domain's rules are not in the log: %q", lines)
	}
	if who := by(t, s, idptest.Basic("inger", "Another-horse-2")); who.Name != "inger" {
		t.Errorf("with the new password: %+v", who)
	}
}

// An account has two names at its KDC, the logon name and the UPN's: guesses at
// either count there together.
func TestLockOutIsNotReachedByTwoNamesOfOneAccount(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "oscar", Password: password, UPN: "oscar.wilde@ad.test"}))
	s := domainServer(t, d, d.Keytab, nil)
	for i, spelling := range []string{"oscar", "Oscar", "OSCAR@AD.TEST", "oscar.wilde", "Oscar.Wilde@ad.test", "oscar.wilde@AD.TEST"} {
		s.Program(t).GetWith("/login/negotiate", idptest.Basic(spelling, fmt.Sprint("Wrong-guess-", i)))
	}
	n, err := d.BadPasswords("oscar")
	must(t, err)
	if n == 0 || n >= lockOut {
		t.Errorf("the domain counts %d wrong passwords, want some, and fewer than %d", n, lockOut)
	}
}

// The right password with the UPN logs in the account, under its logon name.
func TestPasswordWithUPNLogsTheAccountIn(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "peter", Password: password, UPN: "peter.pan@ad.test"}))
	s := idptest.Start(t, idptest.Options{YAML: domainYAML(d, d.Keytab, "netbios: AD")})
	for _, typed := range []string{"peter.pan@ad.test", "peter.pan", `AD\peter`, "peter"} {
		t.Run(typed, func(t *testing.T) {
			if who := by(t, s, idptest.Basic(typed, password)); who.Name != "peter" {
				t.Errorf("%+v, want peter", who)
			}
		})
	}
}

// Whoever asks the domain to leave the PAC out gets a ticket in whatever name was
// typed, an alias too: it must not become a user, or the way back in for one that
// is disabled.
func TestATicketWithoutAPACOfADomainIsRefused(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "malla", Password: password, UPN: "mal.lory@ad.test"}))
	for what, s := range map[string]*idptest.Server{
		"by configuration":        namesServer(t, d),
		"once a SID was told":     domainServer(t, d, d.Keytab, nil),
		"with pac: required only": idptest.Start(t, idptest.Options{YAML: domainYAML(d, d.Keytab, "pac: required")}),
	} {
		t.Run(what, func(t *testing.T) {
			who := byTicket(t, s, domainTicket(t, d, "malla"))
			must(t, s.Store().SetDisabled(t.Context(), who.Sub, true, store.Entry{}))
			for _, typed := range []string{"malla", "MALLA", "mal.lory"} {
				ticket, err := d.Kvno(typed, password, sambatest.Service+"@"+d.Name, "--no-request-pac")
				must(t, err)
				refused(t, s, idptest.Negotiate(t, ticket), "PAC_MISSING")
			}
		})
	}
}

// Two accounts may have one salt: who logs in at one does not clear the guesses at
// the other.
func TestGuessesAtAnAccountOfTheSameSalt(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "nils", Password: password, UPN: "twin@example.com"}),
		d.AddUser(sambatest.User{Name: "mallory", Password: password, UPN: "twin@corp.example.com"}))
	// Samba salts with the UPN's name, from the next password on.
	must(t, d.Tool("user", "setpassword", "nils", "--newpassword=Nilss-horse-1"), d.Tool("user", "setpassword", "mallory", "--newpassword=Mallorys-horse-1"))
	s := namesServer(t, d)
	for i := range 8 {
		s.Program(t).GetWith("/login/negotiate", idptest.Basic("nils", fmt.Sprint("Wrong-guess-", i)))
		s.Program(t).GetWith("/login/negotiate", idptest.Basic("mallory", "Mallorys-horse-1"))
	}
	if n, err := d.BadPasswords("nils"); err != nil || n > 3 {
		t.Errorf("the domain counts %d wrong passwords (%v), want no more than the 3 of max_failures", n, err)
	}
}
