//go:build browser

package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
)

// shown is what an element shows.
func shown(ctx context.Context, t *testing.T, selector string) (text string) {
	t.Helper()
	run(ctx, t, selector, chromedp.Text(selector, &text, chromedp.ByQuery))
	return text
}

// By a link to the first password, and from that to the next, in a browser without
// JavaScript.
func TestBrowserInvitationAndChangeWithoutScripts(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	link := s.Issuer + invited(t, s, "carol")
	ctx := chromium.Start(t, "")
	run(ctx, t, "no scripts", emulation.SetScriptExecutionDisabled(true))
	if err := open(ctx, link); err != nil {
		t.Fatal(err)
	}
	chromium.Photograph(ctx, t, "invitation")
	run(ctx, t, "continue", chromedp.Click("button.primary"), chromedp.WaitVisible("#new_password"))
	var at string
	run(ctx, t, "where", chromedp.Location(&at))
	if at != s.Issuer+"/invitation" {
		t.Errorf("the form is at %s", at)
	}
	run(ctx, t, "a bad one", chromedp.SendKeys("#new_password", "carolcarolcarol"), chromedp.SendKeys("#new_password_again", "carolcarolcarol\r"), chromedp.WaitVisible(".notice.error"))
	chromium.Photograph(ctx, t, "invitation-refused")
	if text := shown(ctx, t, ".notice.error"); !strings.Contains(text, "made of your name") {
		t.Error(text)
	}
	run(ctx, t, "a good one", chromedp.SendKeys("#new_password", chosen), chromedp.SendKeys("#new_password_again", chosen), chromedp.Click("button.primary"), chromedp.WaitVisible(".facts"))
	if text := shown(ctx, t, "h1"); text != "carol" {
		t.Errorf("logged in as %q", text)
	}
	if err := open(ctx, s.Issuer+"/.well-known/change-password"); err != nil {
		t.Fatal(err)
	}
	chromium.Photograph(ctx, t, "password")
	run(ctx, t, "change", chromedp.SendKeys("#password", chosen), chromedp.SendKeys("#new_password", chosen+"!"), chromedp.SendKeys("#new_password_again", chosen+"!\r"), chromedp.WaitVisible("#notice"))
	if text := shown(ctx, t, "#notice"); !strings.Contains(text, "Your password is changed") {
		t.Error(text)
	}
	other := s.Browser(t)
	if p := other.LogIn(other.Get("/login"), "carol", chosen+"!"); p.Request.URL.Path != "/account" {
		t.Errorf("the new password leads to %s", p.Request.URL)
	}
	if err := open(ctx, link); err != nil {
		t.Fatal(err)
	}
	if text := shown(ctx, t, "h1"); text != "This link cannot be used" {
		t.Error(text)
	}
	if sessions, err := s.Store().SessionsOf(t.Context(), s.User("carol").ID); err != nil || len(sessions) != 2 {
		t.Errorf("%d sessions, %v", len(sessions), err)
	}
}
