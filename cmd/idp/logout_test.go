package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// A session that another process ended while no server ran, the one before having
// been killed, is told of by the next one; the admin sees it.
func TestLogoutsOutliveAKilledServer(t *testing.T) {
	told := make(chan string, 1)
	site := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.PostFormValue("logout_token") }))
	defer site.Close()
	p := newPlace(t, "users: [{name: bob, password_file: bob.txt}]\n"+
		"clients: [{client_id: app, client_secret_file: app.secret, redirect_uris: [\"http://127.0.0.1/cb\"], backchannel_logout_uri: \""+site.URL+"/logout\"}]\n")
	p.write("bob.txt", "correct horse battery staple\n")
	p.write("app.secret", "secret\n")
	cmd, _ := p.serve()
	p.logInAt(url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {"http://127.0.0.1/cb"}, "scope": {"openid"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	p.mustRun("", "user", "disable", "bob")
	if out := p.mustRun("", "client", "logouts", "app"); !strings.Contains(out, "bob") || !strings.Contains(out, "waiting") {
		t.Errorf("before the server runs:\n%s", out)
	}
	_, log := p.serve()
	if token := <-told; strings.Count(token, ".") != 2 {
		t.Errorf("logout token %q", token)
	}
	p.await(log, "relying party was told that a session has ended")
	if out := p.mustRun("", "client", "logouts", "app"); !strings.Contains(out, "delivered ") {
		t.Errorf("after:\n%s", out)
	}
	if _, errs, err := p.run("", "client", "logouts", "nobody"); err == nil || !strings.Contains(errs, "no relying party") {
		t.Errorf("nobody: %v %s", err, errs)
	}
}

// How a relying party is told can be said on the command line, too.
func TestLogoutURIsByCommand(t *testing.T) {
	p := newPlace(t, "")
	p.mustRun("", "client", "add", "app", "--redirect-uri", "https://app.example/cb", "--backchannel-logout-uri", "http://10.1.2.3/back?x=1",
		"--backchannel-logout-session-required", "--frontchannel-logout-uri", "https://app.example/front", "--frontchannel-logout-session-required")
	shown := p.mustRun("", "client", "show", "app")
	for _, want := range []string{`"backchannel_logout_uri": "http://10.1.2.3/back?x=1"`, `"backchannel_logout_session_required": true`,
		`"frontchannel_logout_uri": "https://app.example/front"`, `"frontchannel_logout_session_required": true`} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %s in\n%s", want, shown)
		}
	}
	if _, errs, err := p.run("", "client", "add", "b", "--redirect-uri", "https://b.example/cb", "--frontchannel-logout-uri", "https://c.example/"); err == nil || !strings.Contains(errs, "frontchannel_logout_uri") {
		t.Errorf("a frame of somebody else's: %v %s", err, errs)
	}
	p.mustRun("", "client", "add", "plain", "--redirect-uri", "https://plain.example/cb")
	if _, errs, err := p.run("", "client", "logouts", "plain"); err == nil || !strings.Contains(errs, "no backchannel_logout_uri") {
		t.Errorf("plain: %v %s", err, errs)
	}
}

// logInAt logs bob in and gets a code.
func (p *place) logInAt(auth url.Values) {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	stay := func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/cb" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	c := &http.Client{Jar: jar, CheckRedirect: stay}
	resp, err := c.Get(p.url + "/authorize?" + auth.Encode())
	if err != nil {
		p.t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("no login page: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	action, form := (&idptest.Page{Response: resp, Body: string(body)}).Form(p.t, "password")
	form.Set("username", "bob")
	form.Set("password", "correct horse battery staple")
	if resp, err = c.PostForm(p.url+action, form); err != nil {
		p.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if !strings.Contains(resp.Header.Get("Location"), "code=") {
		p.t.Fatalf("no code: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
}
