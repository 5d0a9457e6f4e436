package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// TestHoleLoginCSRF: nobody is logged in as somebody else by a page of another site,
// whatever that page knows of the attacker's own login: neither by a form that it
// sends, nor by a link.
func TestHoleLoginCSRF(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	addUser(t, s, "mallory")
	attacker := s.Browser(t)
	begun := attacker.Get(idptest.Wiki().URL())
	action, form := begun.Form(t, "password")
	form.Set("username", "mallory")
	form.Set("password", idptest.BobPassword)
	foreign := http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}
	for name, header := range map[string]http.Header{
		"another site":                        foreign,
		"a neighbour":                         {"Sec-Fetch-Site": {"same-site"}, "Origin": {strings.Replace(s.Issuer, "idp.", "evil.", 1)}},
		"a browser without Fetch metadata":    {"Origin": {"https://evil.example"}, "Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil},
		"a browser that tells of no origin":   {"Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil},
		"a sandboxed frame, which is nowhere": {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"null"}},
	} {
		for _, fields := range []struct {
			what string
			drop []string
		}{{"the attacker's form", nil}, {"without a login request", []string{"login"}}, {"without a token", []string{"form_token"}}, {"with neither", []string{"login", "form_token"}}} {
			sent := url.Values{}
			for k, v := range form {
				sent[k] = v
			}
			for _, field := range fields.drop {
				sent.Del(field)
			}
			fresh, known := s.Browser(t), s.Browser(t)
			known.Get(idptest.Wiki().URL())
			in := s.Browser(t)
			in.LogIn(in.Get(idptest.Wiki().URL()), "bob", idptest.BobPassword)
			for who, victim := range map[string]*idptest.Browser{"who was never here": fresh, "who was here": known, "who is logged in": in} {
				p := victim.Once("POST", action, sent, header)
				if p.StatusCode < 400 {
					t.Errorf("%s, from %s, sent by %s: %d to %s", fields.what, name, who, p.StatusCode, p.Header.Get("Location"))
				}
				if len(p.Cookies()) != 0 || signedIn(s, victim) != (victim == in) {
					t.Errorf("%s, from %s, sent by %s: cookies %v, signed in %v", fields.what, name, who, p.Cookies(), signedIn(s, victim))
				}
				if signedIn(s, victim) && !strings.Contains(victim.Get("/account").Body, "bob") {
					t.Errorf("%s, from %s: bob is somebody else now", fields.what, name)
				}
			}
		}
	}
	// Not even a form of the victim's own, with all that is in it.
	victim := s.Browser(t)
	action, form = victim.Get(idptest.Wiki().URL()).Form(t, "password")
	form.Set("username", "bob")
	form.Set("password", idptest.BobPassword)
	if p := victim.Once("POST", action, form, foreign); p.StatusCode != http.StatusForbidden || signedIn(s, victim) {
		t.Errorf("the victim's own form, sent by another site: %d, signed in %v", p.StatusCode, signedIn(s, victim))
	}
	// The attacker logs in and gives away the way on, and the way back.
	action, form = begun.Form(t, "password")
	form.Set("username", "mallory")
	form.Set("password", idptest.BobPassword)
	done := attacker.Once("POST", action, form, nil)
	for _, link := range []string{begun.Request.URL.String(), done.Header.Get("Location")} {
		victim := s.Browser(t)
		if p := victim.Get(link); p.Location != nil || p.StatusCode != http.StatusBadRequest || signedIn(s, victim) {
			t.Errorf("%s opened by a victim: %d %v, signed in %v", link, p.StatusCode, p.Location, signedIn(s, victim))
		}
	}
}

// TestHoleSessionFixation: whoever planted cookies in a browser before its person
// logged in has nothing of the login: every cookie that counts is made after the
// credential was good, and given to that browser alone.
func TestHoleSessionFixation(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	addUser(t, s, "mallory")
	attacker, victim, auth := s.Browser(t), s.Browser(t), idptest.Wiki()
	attacker.LogIn(attacker.Get("/account"), "mallory", idptest.BobPassword)
	auth.Query.Set("prompt", "login")
	begun := attacker.Get(auth.URL())
	victim.Plant(attacker.Cookies()...) // the browser's and the session's
	link := begun.Request.URL.String()
	action, form := victim.Get(link+"&other=1").Form(t, "password")
	form.Set("username", "bob")
	form.Set("password", idptest.BobPassword)
	on := victim.Once("POST", action, form, nil).Header.Get("Location")
	// Before the victim goes on: as nobody, for the session has ended, and as mallory again.
	for _, who := range []string{"nobody", "mallory"} {
		if who == "mallory" {
			attacker.LogIn(attacker.Get("/account"), "mallory", idptest.BobPassword)
		}
		if p := attacker.Get(on); p.Location != nil {
			t.Errorf("whoever planted the browser cookie, as %s, gets %s", who, p.Location)
		}
	}
	auth.Code(t, s, victim.Get(on))
	for _, c := range attacker.Cookies() {
		for _, mine := range victim.Cookies() {
			if c.Name == "idp_session" && mine.Value == c.Value {
				t.Error("the planted session cookie is the victim's")
			}
		}
	}
	if p := attacker.Get("/account"); strings.Contains(p.Body, "bob") {
		t.Errorf("the planted session is bob's:\n%s", p.Body)
	}
	if !signedIn(s, victim) || !strings.Contains(victim.Get("/account").Body, "bob") {
		t.Error("the victim is not logged in as itself")
	}
}

// TestHoleStepFixation: the same between the first factor and the second. The
// attacker's own login waits for a second factor, and its cookies, with that of the
// step, are planted; then the victim types a password into that login.
func TestHoleStepFixation(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	addUser(t, f.Server, "mallory")
	app, _ := f.enrol()
	attacker, victim, auth := f.Browser(t), f.Browser(t), idptest.Wiki()
	auth.Query.Set("acr_values", "mfa")
	begun := attacker.Get(auth.URL())
	step := attacker.LogIn(begun, "mallory", idptest.BobPassword).Request.URL
	if step.Path != "/factor" {
		t.Fatalf("mallory is at %s, want the second factor", step)
	}
	victim.Plant(attacker.Cookies()...)
	p := victim.LogIn(victim.Get(begun.Request.URL.String()), "bob", idptest.BobPassword)
	if got := attacker.Get(step.String()); got.Request.URL.Path == "/factor" {
		t.Errorf("whoever planted the cookie of the step sees the victim's second factor:\n%s", got.Body)
	}
	action, form := p.Form(t, "code")
	form.Set("code", f.nextCode(app))
	if got := attacker.Post(action, form); got.Location != nil || signedIn(f.Server, attacker) {
		t.Errorf("and is let in with a code: walked %s to %v", got.Walked, got.Location)
	}
	form.Set("code", f.nextCode(app))
	auth.Code(t, f.Server, victim.Post(action, form))
	if got := attacker.Get("/account"); strings.Contains(got.Body, "bob") || signedIn(f.Server, attacker) {
		t.Error("the attacker is logged in")
	}
}
