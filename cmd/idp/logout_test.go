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
	p.Write("bob.txt", "correct horse battery staple\n")
	p.Write("app.secret", "secret\n")
	cmd, _ := p.Serve()
	p.logInAt(url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {"http://127.0.0.1/cb"}, "scope": {"openid"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	p.MustRun("", "user", "disable", "bob")
	if out := p.MustRun("", "client", "logouts", "app"); !strings.Contains(out, "bob") || !strings.Contains(out, "waiting") {
		t.Errorf("before the server runs:\n%s", out)
	}
	_, log := p.Serve()
	if token := <-told; strings.Count(token, ".") != 2 {
		t.Errorf("logout token %q", token)
	}
	p.await(log, "relying party was told that a session has ended")
	if out := p.MustRun("", "client", "logouts", "app"); !strings.Contains(out, "delivered ") {
		t.Errorf("after:\n%s", out)
	}
	if _, errs, err := p.Run("", "client", "logouts", "nobody"); err == nil || !strings.Contains(errs, "no relying party") {
		t.Errorf("nobody: %v %s", err, errs)
	}
}

// logInAt logs bob in and gets a code.
func (p *place) logInAt(auth url.Values) {
	p.T.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.T.Fatal(err)
	}
	stay := func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/cb" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	c := &http.Client{Jar: jar, CheckRedirect: stay}
	resp, err := c.Get(p.URL + "/authorize?" + auth.Encode())
	if err != nil {
		p.T.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.T.Fatalf("no login page: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	action, form := (&idptest.Page{Response: resp, Body: string(body)}).Form(p.T, "password")
	form.Set("username", "bob")
	form.Set("password", "correct horse battery staple")
	if resp, err = c.PostForm(p.URL+action, form); err != nil {
		p.T.Fatal(err)
	}
	_ = resp.Body.Close()
	if !strings.Contains(resp.Header.Get("Location"), "code=") {
		p.T.Fatalf("no code: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
}
