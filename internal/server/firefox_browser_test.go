//go:build browser

package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"idp/internal/idptest"
	"idp/internal/idptest/firefox"
)

// plainWorld is a server without Kerberos, and a site.
func plainWorld(t *testing.T) (*idptest.Server, *site) {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	one := &site{"one", strings.Replace(srv.URL, "127.0.0.1", "one.localhost", 1)}
	idp := idptest.Start(t, idptest.Options{Clients: fmt.Sprintf(
		"  - {client_id: one, client_name: Site one, client_secret_file: wiki.secret, redirect_uris: [\"%s/callback\"]}\n", one.url)})
	one.serve(t, mux, idp)
	return idp, one
}

// The ways through the login page that most people go, in Firefox.
func TestFirefoxLogsInAndOut(t *testing.T) {
	t.Parallel()
	idp, one := plainWorld(t)
	b := firefox.Start(t)
	b.Open(one.url)
	if h := b.Text("h1"); h != "Log in" || !strings.Contains(b.Text("main"), "Site one") {
		t.Fatalf("the site leads to %q at %s", h, b.Address())
	}
	b.Photograph("firefox-login")
	var focused string
	if b.Evaluate("return document.activeElement.id", &focused); focused != "username" {
		t.Errorf("the focus is on %q, want the name", focused)
	}
	logIn := func(password string) {
		t.Helper()
		b.Type("#username", "bob")
		b.Type("#password", password)
		b.Click("form:has(#password) button[type=submit]")
	}
	logIn("wrong")
	if notice := b.Text("#notice"); !strings.HasPrefix(notice, "Name or password is wrong") {
		t.Errorf("a wrong password: %q", notice)
	}
	if b.Evaluate("return document.activeElement.id", &focused); focused != "notice" {
		t.Errorf("after an error the focus is on %q, want the notice", focused)
	}
	var typed string
	if b.Evaluate("return document.getElementById('username').value", &typed); typed != "bob" {
		t.Errorf("after a wrong password the name is %q", typed)
	}
	before := len(idp.Log.Lines("login=form"))
	b.Reload() // sends nothing twice
	if notice, after := b.Text("#notice"), len(idp.Log.Lines("login=form")); !strings.HasPrefix(notice, "Name or password is wrong") || after != before {
		t.Errorf("reloaded: %q, %d attempts after %d", notice, after, before)
	}
	b.Photograph("firefox-login-wrong")
	logIn(idptest.BobPassword)
	if who := b.Text("#who"); who != "bob by [pwd]" {
		t.Fatalf("the site shows %q at %s", who, b.Address())
	}
	b.NewTab()
	b.Open(one.url)
	if who := b.Text("#who"); who != "bob by [pwd]" {
		t.Errorf("a second tab shows %q at %s", who, b.Address())
	}
	b.Back() // the login that is over is not sent again
	b.Open(idp.Issuer + "/end_session")
	b.Click("button.primary")
	if h := b.Text("h1"); h != "You are signed out" {
		t.Errorf("signing out ends at %q", h)
	}
	b.Open(one.url)
	if h := b.Text("h1"); h != "Log in" {
		t.Errorf("signed out, the site leads to %q at %s", h, b.Address())
	}
	b.Resize(450, 600) // Firefox makes no window narrower
	for _, path := range []string{"/login", "/account", "/setup"} {
		b.Open(idp.Issuer + path)
		var wide bool
		if b.Evaluate("return document.documentElement.scrollWidth > document.documentElement.clientWidth", &wide); wide {
			t.Errorf("%s scrolls sideways in a narrow window", path)
		}
	}
}
