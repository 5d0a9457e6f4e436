//go:build browser

package account_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
)

func run(ctx context.Context, t *testing.T, what string, actions ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// The main path of an account in a browser, with scripts and without: from the start
// page through every place, a device is signed out there, then everywhere else, a name
// is changed, and the history tells of it.
func TestAccountInABrowser(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s := idptest.Start(t, idptest.Options{Clients: mine + desk + telly})
			phone := loggedIn(t, s, "bob", iphone)
			ctx := chromium.Start(t, "")
			var says string
			run(ctx, t, "log in", emulation.SetScriptExecutionDisabled(!scripts), chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.Issuer+"/"),
				chromedp.SendKeys("#username", "bob"), chromedp.SendKeys("#password", idptest.BobPassword+kb.Enter), chromedp.WaitVisible(".tiles"), chromedp.Text("main", &says))
			if !strings.Contains(says, "Board") || strings.Contains(says, "Ledger") {
				t.Errorf("the start page:\n%s", says)
			}
			for _, place := range []string{"/account", "/account/profile", "/account/security", "/account/sites", "/account/history", "/account/sessions"} {
				run(ctx, t, place, chromedp.Click(`.places-bar a[href="`+place+`"]`), chromedp.WaitVisible(`.places-bar a[href="`+place+`"][aria-current=page]`))
				chromium.Photograph(ctx, t, "account-"+strings.ReplaceAll(strings.Trim(place, "/"), "/", "-"))
			}
			onADevice(t, s, phone, "openid offline_access")
			run(ctx, t, "the device", chromedp.Reload(), chromedp.Click(`input[name=grant] + button`), chromedp.WaitVisible("#notice"), chromedp.Text("main", &says))
			if !strings.Contains(says, "Signed out there") || strings.Contains(says, "Tellyvision on a device") || !strings.Contains(says, "Safari on an iPhone") {
				t.Errorf("after signing out the device:\n%s", says)
			}
			run(ctx, t, "everywhere else", chromedp.Click(`button[value=others]`), chromedp.WaitVisible(`//*[@id="notice"]/*[contains(., "everywhere else")]`, chromedp.BySearch), chromedp.Text("main", &says))
			if strings.Contains(says, "iPhone") || !isOut(phone) {
				t.Errorf("after signing out everywhere else:\n%s", says)
			}
			run(ctx, t, "a name", chromedp.Navigate(s.Issuer+"/account/profile"), chromedp.Click(`a[href="/account/name"]`), chromedp.SendKeys("#full_name", "Bob Ross"+kb.Enter),
				chromedp.WaitVisible("#notice"), chromedp.Text("main", &says))
			if !strings.Contains(says, "Your name is changed") || s.User("bob").FullName != "Bob Ross" {
				t.Errorf("after changing the name:\n%s", says)
			}
			run(ctx, t, "history", chromedp.Navigate(s.Issuer+"/account/history"), chromedp.Text("main", &says))
			for _, words := range []string{"You changed your profile", "You signed out everywhere else", "You signed Tellyvision out", "Logged in with your name and password"} {
				if !strings.Contains(says, words) {
					t.Errorf("%q is not in the history:\n%s", words, says)
				}
			}
			run(ctx, t, "everywhere", chromedp.Navigate(s.Issuer+"/account/sessions"), chromedp.Click("button[value=everywhere]"), chromedp.WaitVisible(`a[href="/login"]`), chromedp.Text("main", &says))
			if !strings.Contains(says, "You are signed out") {
				t.Errorf("after signing out everywhere:\n%s", says)
			}
		})
	}
}
