//go:build browser

package server_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"idp/internal/idptest"
	"idp/internal/idptest/axe"
	"idp/internal/idptest/chromium"
)

// The pages as a server renders them, with what it fills in: axe-core finds nothing.
// Every page in every state is looked at in package web.
func TestRealPagesForEverybody(t *testing.T) {
	t.Parallel()
	idp, one := plainWorld(t)
	ctx, checker := chromium.Start(t, ""), axe.New(t)
	look := func(name string) {
		t.Helper()
		t.Run(name, func(t *testing.T) { checker.Check(ctx, t) })
	}
	run(ctx, t, "the login page", chromedp.Navigate(one.url), chromedp.WaitVisible("#username"))
	look("login")
	run(ctx, t, "a wrong password", fillIn("bob", "wrong"), chromedp.WaitVisible("#notice"))
	look("wrong")
	run(ctx, t, "log in", fillIn("bob", idptest.BobPassword), chromedp.WaitVisible("#who"))
	seen := map[string]bool{}
	for next := []string{"/", "/account", "/device", "/setup", "/end_session", "/nowhere"}; len(next) > 0; next = next[1:] {
		path := next[0]
		if seen[path] {
			continue
		}
		seen[path] = true
		var more []string
		run(ctx, t, path, chromedp.Navigate(idp.Issuer+path), chromedp.WaitVisible("h1"), chromedp.Evaluate(links, &more))
		look(path)
		next = append(next, more...)
	}
	if !seen["/account/security"] {
		t.Errorf("found no way through the account: %v", seen)
	}
}

// links are the pages of ours that a page leads to; not those that begin a login, and no files.
const links = `[...document.querySelectorAll('a[href^="/"]:not([href*="?"]):not([download])')].map(a => a.getAttribute("href"))`
