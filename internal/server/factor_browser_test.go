//go:build browser

package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
)

// A first app on the way in, a login by a code, and one by a recovery code, in a
// browser with scripts and in one without.
func TestSecondFactorInABrowser(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string]bool{"with scripts": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			f := startFactors(t, idptest.Options{YAML: partnersNeedTwo + "brand: {name: Example Ltd}\n"})
			ctx := chromium.Start(t, "")
			var link, body, says string
			run := func(what string, actions ...chromedp.Action) {
				t.Helper()
				ctx, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				if err := chromedp.Run(ctx, actions...); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			enter := func(field, text string) chromedp.Action { return chromedp.SendKeys(field, text+kb.Enter) }
			login := chromedp.Tasks{chromedp.Navigate(f.Issuer + "/account"), chromedp.SendKeys("#username", "bob"), enter("#password", idptest.BobPassword)}

			run("the password", emulation.SetScriptExecutionDisabled(!scripts), chromedp.EmulateViewport(360, 740), login,
				chromedp.WaitVisible(".qr"), chromedp.AttributeValue(`a[href^="otpauth:"]`, "href", &link, nil))
			chromium.Photograph(ctx, t, "second-factor-setup")
			app := idptest.AppOf(t, link)
			run("a wrong code", chromedp.Click("summary"), chromedp.WaitVisible(".key"), enter("#setup_code", "000000"), chromedp.WaitVisible("#notice"))
			run("the code", enter("#setup_code", app.Code(f.now())), chromedp.WaitVisible(".codes"), chromedp.Text(".codes", &body))
			codes := strings.Fields(body)
			if len(codes) != 10 {
				t.Fatalf("recovery codes: %q", body)
			}
			chromium.Photograph(ctx, t, "second-factor-recovery-codes")
			run("reload", chromedp.Reload(), chromedp.Text(".codes", &says))
			if says != body {
				t.Error("a reload shows other codes")
			}
			run("kept", enter("button.primary", ""), chromedp.WaitVisible(".places-bar"))

			signOut := chromedp.Tasks{chromedp.Navigate(f.Issuer + "/end_session"), chromedp.Click("button.primary"), chromedp.WaitVisible(`a[href="/login"]`)}
			run("sign out", signOut)
			run("the code of the app", login, chromedp.WaitVisible("#code"), chromedp.Evaluate(`[document.activeElement.id, code.inputMode, code.autocomplete].join(" ")`, &says))
			if says != "code numeric one-time-code" {
				t.Errorf("the field that has the focus: %s", says)
			}
			chromium.Photograph(ctx, t, "second-factor-code")
			run("typed", enter("#code", f.nextCode(app)), chromedp.WaitVisible(".places-bar"), chromedp.Text("main", &says))
			if !strings.Contains(says, "with a one-time code") {
				t.Errorf("the account:\n%s", says)
			}

			run("sign out", signOut)
			run("a recovery code", login, chromedp.Click(`a[href*="with=recovery"]`), chromedp.WaitVisible("#recovery_code"),
				enter("#recovery_code", strings.ToLower(strings.ReplaceAll(codes[7], "-", " "))), chromedp.WaitVisible(".places-bar"))
			run("the list", chromedp.Navigate(f.Issuer+"/account/factors"), chromedp.WaitVisible(".sites"), chromedp.Text("main", &says))
			if !strings.Contains(says, "9 are left") {
				t.Errorf("the list:\n%s", says)
			}
			chromium.Photograph(ctx, t, "second-factor-list")
			run("rename", chromedp.Click(`a[href^="/account/factors/change/"]`), chromedp.WaitVisible("#name"), enter("#name", kb.End+" of bob"), chromedp.WaitVisible("#notice"), chromedp.Text("main", &says))
			if !strings.Contains(says, "Authenticator app of bob") {
				t.Errorf("the list:\n%s", says)
			}
		})
	}
}
