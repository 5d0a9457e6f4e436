//go:build browser

package server_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
)

// TestDeviceOnAPhone: the code is typed on a phone, wrongly first, and the device
// logged in.
func TestDeviceOnAPhone(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: telly})
	d, denied := beginDevice(t, s), beginDevice(t, s)
	ctx := chromium.Start(t, "")
	var says, field string
	run(ctx, t, "login", chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile), chromedp.Navigate(s.Issuer+"/device"), fillIn("bob", idptest.BobPassword),
		chromedp.WaitVisible("#user_code"))
	chromium.Photograph(ctx, t, "device-phone")
	run(ctx, t, "a wrong code", chromedp.SendKeys("#user_code", "bcdf ghjk"+kb.Enter), chromedp.WaitVisible("#notice"), chromedp.Text("main", &says),
		chromedp.Value("#user_code", &field))
	if !strings.Contains(says, "No device waits with this code") || field != "bcdf ghjk" {
		t.Errorf("after a wrong code, with %q in the field:\n%s", field, says)
	}
	run(ctx, t, "the right code", chromedp.Evaluate(`document.getElementById("user_code").select()`, nil), chromedp.SendKeys("#user_code", strings.ToLower(strings.ReplaceAll(d.UserCode, "-", " "))+kb.Enter),
		chromedp.WaitVisible("button[value=allow]"), chromedp.Text("main", &says))
	chromium.Photograph(ctx, t, "deviceask-phone")
	if !strings.Contains(says, d.UserCode) || !strings.Contains(says, "Is the device in front of you?") {
		t.Errorf("the question:\n%s", says)
	}
	run(ctx, t, "allow", chromedp.SendKeys("button[value=allow]", kb.Enter), chromedp.WaitNotPresent("button"), chromedp.Text("main", &says))
	if !strings.Contains(says, "You can go back to your device") {
		t.Errorf("after Allow:\n%s", says)
	}
	run(ctx, t, "reload", chromedp.Reload(), chromedp.Text("main", &says))
	if !strings.Contains(says, "You can go back to your device") {
		t.Errorf("after a reload:\n%s", says)
	}
	if a := pollDevice(t, s, d); a.Access == "" {
		t.Errorf("%+v", a)
	}
	run(ctx, t, "another by its link", chromedp.Navigate(denied.Page), chromedp.WaitVisible("#user_code"))
	chromium.Photograph(ctx, t, "device-link-phone")
	run(ctx, t, "and its answer", chromedp.SendKeys("button.primary", kb.Enter), chromedp.Click("button[value=deny]"), chromedp.WaitNotPresent("button"), chromedp.Text("main", &says))
	if !strings.Contains(says, "Nothing was allowed") {
		t.Errorf("after Do not allow:\n%s", says)
	}
	if a := pollDevice(t, s, denied); a.Error != "access_denied" {
		t.Errorf("%+v", a)
	}
}
