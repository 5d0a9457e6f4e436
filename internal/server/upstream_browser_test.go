//go:build browser

package server_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
)

// TestBrowserLogsInByAnUpstream: by its button, without JavaScript; and links a login.
func TestBrowserLogsInByAnUpstream(t *testing.T) {
	t.Parallel()
	c := newCouple(t, idptest.Options{}, ", create: first_login, logout: true")
	ctx := chromium.Start(t, "*.localhost")
	var who, linked, at string
	run(ctx, t, "go to the upstream",
		emulation.SetScriptExecutionDisabled(true),
		chromedp.Navigate(c.ours.Issuer+"/account"),
		press(`button[name="upstream"][value="partner"]`))
	run(ctx, t, "log in there", fillIn("bob", idptest.BobPassword))
	run(ctx, t, "come back", chromedp.Text("dl.facts", &who, chromedp.ByQuery))
	if !strings.Contains(who, "partner:bob") || !strings.Contains(who, "with your login at partner") {
		t.Errorf("logged in as %q", who)
	}
	run(ctx, t, "see the logins",
		press(`a[href="/account/security"]`),
		press(`a[href="/account/logins"]`),
		chromedp.Text("ul.sites", &linked, chromedp.ByQuery))
	if !strings.Contains(linked, "Partner") || !strings.Contains(linked, "bob@example.com") {
		t.Errorf("linked: %q", linked)
	}
	run(ctx, t, "sign out, there too",
		press(`a[href="/account"]`),
		press(`form[action="/end_session"] button`),
		chromedp.WaitVisible(`a[href="/login"]`, chromedp.ByQuery),
		chromedp.Location(&at))
	if !strings.HasPrefix(at, c.ours.Issuer+"/end_session") {
		t.Errorf("ended at %s", at)
	}
	run(ctx, t, "be asked by the upstream again",
		chromedp.Navigate(c.ours.Issuer+"/account"),
		press(`button[name="upstream"][value="partner"]`),
		chromedp.WaitVisible(`form[action="/login"] #password`, chromedp.ByQuery))
}

func press(what string) chromedp.Action { return chromedp.Click(what, chromedp.ByQuery) }
