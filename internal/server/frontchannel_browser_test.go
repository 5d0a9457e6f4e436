//go:build browser

package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"

	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
)

// framedSite is a relying party that is told by a frame.
type framedSite struct {
	url    string
	frames chan url.Values // what its frame was asked with
	hint   string          // ID token of the last login
	sid    string
}

func newFramedSite(t *testing.T) (*framedSite, *idptest.Server) {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s := &framedSite{url: strings.Replace(srv.URL, "127.0.0.1", "framed.localhost", 1), frames: make(chan url.Values, 10)}
	idp := idptest.Start(t, idptest.Options{Clients: fmt.Sprintf("  - {client_id: framed, client_name: Framed, client_secret_file: wiki.secret, redirect_uris: [%q],\n"+
		"     post_logout_redirect_uris: [%q], frontchannel_logout_uri: %q, frontchannel_logout_session_required: true}\n",
		s.url+"/callback", s.url+"/bye", s.url+"/frame?tenant=1")})
	rp := newRelyingParty(t, idp, "framed", idptest.WikiSecret, s.url+"/callback")
	verifier := oauth2.GenerateVerifier()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, rp.oauth.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)), http.StatusFound)
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		token, err := rp.oauth.Exchange(rp.ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		s.hint, _ = token.Extra("id_token").(string)
		s.sid, _ = rp.claims(t, token, "")["sid"].(string)
		fmt.Fprint(w, "<!doctype html><p id=who>in</p>")
	})
	mux.HandleFunc("GET /frame", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-Fetch-Dest") != "iframe" {
			t.Errorf("asked as %q", r.Header.Get("Sec-Fetch-Dest"))
		}
		w.Header().Set("Cache-Control", "no-store")
		s.frames <- r.URL.Query()
	})
	mux.HandleFunc("GET /bye", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<!doctype html><p id=bye>%s</p>", r.URL.RawQuery)
	})
	return s, idp
}

// holdTimers keeps pages from doing by themselves what they do seconds later, before
// a slow machine has looked at them; held() does it.
func holdTimers() chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(
			`const soon = setTimeout; var held; setTimeout = (f, ms) => ms < 1000 ? soon(f, ms) : void (held = f)`).Do(ctx)
		return err
	})
}

func TestFrontChannelLogoutInABrowser(t *testing.T) {
	t.Parallel()
	s, idp := newFramedSite(t)
	ctx := chromium.Start(t, "")
	logIn := func() {
		run(ctx, t, "log in", chromedp.Navigate(s.url), fillIn("bob", idptest.BobPassword), chromedp.WaitVisible("#who"))
	}
	told := func() {
		t.Helper()
		if q := <-s.frames; len(q) != 3 || q.Get("tenant") != "1" || q.Get("iss") != idp.Issuer || q.Get("sid") != s.sid {
			t.Errorf("the frame was asked with %v, want tenant, %s and %s", q, idp.Issuer, s.sid)
		}
	}
	logIn()
	var bye string
	end := idp.Issuer + "/end_session?" + url.Values{"id_token_hint": {s.hint}, "post_logout_redirect_uri": {s.url + "/bye"}, "state": {"st"}}.Encode()
	run(ctx, t, "sign out at the site", holdTimers(), chromedp.Navigate(end), chromedp.WaitVisible("h1"))
	chromium.Photograph(ctx, t, "signed-out-frames")
	run(ctx, t, "back at the site", chromedp.Evaluate("held()", nil), chromedp.Text("#bye", &bye))
	told()
	if bye != "state=st" {
		t.Errorf("came back with %q", bye)
	}
	logIn()
	run(ctx, t, "sign out at the account page", chromedp.Navigate(idp.Issuer+"/account"), chromedp.Click("button.primary"), chromedp.WaitVisible(`a[href="/login"]`))
	told()
}
