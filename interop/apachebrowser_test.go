//go:build interop

package interop_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"idp/examples/demo/stage"
	"idp/internal/idptest/chromium"
)

// browser is a real one that believes idp and the site.
func (d *documented) browser(t *testing.T) context.Context {
	t.Helper()
	ca, err := os.ReadFile(d.CA)
	must(t, err)
	ctx, cancel := context.WithTimeout(chromium.StartTrusting(t, ca), patience)
	t.Cleanup(cancel)
	return ctx
}

// asBob logs in on the way to the site.
func (d *documented) asBob() chromedp.Tasks {
	return chromedp.Tasks{
		chromedp.Navigate(d.URL + d.Login),
		settled(chromedp.WaitVisible("#username")), chromedp.SendKeys("#username", "bob"), chromedp.SendKeys("#password", stage.BobPassword+"\r"),
		settled(chromedp.WaitVisible("#who")),
	}
}

// bobTwice opens the site's page as bob, and once more when the site has forgotten
// him: then idp knows him.
func (d *documented) bobTwice(ctx context.Context, t *testing.T) {
	t.Helper()
	var first, second string
	must(t, chromedp.Run(ctx, d.asBob(), settled(chromedp.Text("#who", &first)),
		network.DeleteCookies("mod_auth_openidc_session").WithURL(d.URL),
		chromedp.Navigate(d.URL+d.Login), settled(chromedp.Text("#who", &second))))
	if first != "bob bob@example.com" || second != first {
		t.Errorf("the site says %q, then %q, want bob twice", first, second)
	}
	if logins := d.said(t, `"login":"form"`); len(logins) != 1 {
		t.Errorf("%d logins by the form, want 1", len(logins))
	}
}

// settled looks again where a page that sends itself off went away under the look.
func settled(look chromedp.Action) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			err := look.Do(ctx)
			if err == nil || !strings.Contains(err.Error(), "Could not find node with given id") {
				return err
			}
		}
	})
}

// A real browser keeps idp's cookies from the form that another site sends, and the
// person is known nevertheless: two pages after one login. Then the logout.
func TestApacheInChromium(t *testing.T) {
	d := apache(t, "OIDCPKCEMethod S256", apachePosts)
	ctx := d.browser(t)
	d.bobTwice(ctx, t)
	if posts := d.said(t, `"method":"POST"`, "/authorize", `"status":303`); len(posts) != 2 {
		t.Errorf("%d requests came by POST, want 2", len(posts))
	}
	link, _ := d.goodbye()
	must(t, chromedp.Run(ctx, chromedp.Navigate(link), chromedp.WaitVisible("#goodbye"),
		chromedp.Navigate(d.URL+d.Login), chromedp.WaitVisible("#password")))
}

// The answer comes by the form of a page that sends itself off, with the module's
// cookie beside it although it comes from another site.
func TestApacheFormPostInChromium(t *testing.T) {
	d := apache(t, "OIDCPKCEMethod S256", "OIDCPKCEMethod S256\nOIDCResponseMode form_post")
	d.bobTwice(d.browser(t), t)
	if pages := d.said(t, `"route":"GET /authorize`, `"status":200`); len(pages) != 2 {
		t.Errorf("%d answers were pages with a form, want 2", len(pages))
	}
}
