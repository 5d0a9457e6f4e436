//go:build interop

package interop_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// tellsByFrame is a client that is told of a logout by the browser alone.
var tellsByFrame = []string{
	"backchannel_logout_uri: https://wiki.example.com/oidc?logout=backchannel",
	"frontchannel_logout_uri: https://wiki.example.com/oidc?logout=get\n    frontchannel_logout_session_required: true",
}

// goodbye is the module's link that signs out here and there.
func (d *documented) goodbye() (link, page string) {
	page = d.URL + "/public/goodbye.html"
	return d.URL + "/oidc?logout=" + url.QueryEscape(page), page
}

// isOut: the site knows nobody any more, and asks idp, which asks the person.
func (d *documented) isOut(v *visitor) {
	v.t.Helper()
	if p := v.open(d.URL + "/oidc?info=json"); p.StatusCode != http.StatusUnauthorized {
		v.t.Errorf("the site still has a session: %d %s", p.StatusCode, p.Body)
	}
	v.open(d.URL+d.Login).Form(v.t, "password")
}

// told waits until idp has told the site of the end of a session.
func (d *documented) told(t *testing.T) {
	t.Helper()
	await(t, "the site is told that the session has ended", patience, func() bool {
		return len(d.said(t, "relying party was told that a session has ended", `"client_id":"wiki"`)) > 0
	})
}

// Signed out here and there, and back at the site's page; then nobody is let in. The
// module gives back the tokens it has.
func TestApacheLogout(t *testing.T) {
	d := apache(t)
	v := apacheVisitor(t, d)
	d.bobAt(v, d.Login)
	link, goodbye := d.goodbye()
	p := v.open(link)
	at(t, p, http.StatusOK, goodbye)
	if q := queryOf(t, p, "/end_session"); q.Get("id_token_hint") == "" || q.Get("post_logout_redirect_uri") != goodbye {
		t.Errorf("it asked with %v", q)
	}
	if given := d.said(t, `"method":"POST"`, "/revoke", `"status":200`); len(given) != 2 {
		t.Errorf("%d tokens were given back, want 2", len(given))
	}
	d.isOut(v)
}

// Signed out at idp: the site hears of it at once.
func TestApacheBackChannel(t *testing.T) {
	d := apache(t)
	v := apacheVisitor(t, d)
	d.bobAt(v, d.Login)
	v.submit(v.open(d.Issuer+"/end_session"), "form_token", nil)
	d.told(t)
	d.isOut(v)
}

// An administrator disables the user: the site hears of it within seconds.
func TestApacheBackChannelOfADisabledUser(t *testing.T) {
	d := apache(t)
	v := apacheVisitor(t, d)
	d.bobAt(v, d.Login)
	d.does(t, "user", "disable", "bob")
	d.told(t)
	d.isOut(v)
}

// In a browser the module's frame ends its session, and nothing else tells the site.
// Chromium has no cookie of the module there: sid says which session.
func TestApacheFrontChannel(t *testing.T) {
	d := apache(t, tellsByFrame...)
	ctx := d.browser(t)
	must(t, chromedp.Run(ctx, d.asBob()))
	v := apacheVisitor(t, d)
	d.sameCookie(ctx, v)
	d.info(v)
	must(t, chromedp.Run(ctx, chromedp.Navigate(d.Issuer+"/account"), chromedp.Click("button.primary"), chromedp.WaitVisible(`a[href="/login"]`)))
	await(t, "the site has no session", patience, func() bool {
		return v.open(d.URL+"/oidc?info=json").StatusCode == http.StatusUnauthorized
	})
	must(t, chromedp.Run(ctx, chromedp.Navigate(d.URL+d.Login), chromedp.WaitVisible("#password")))
}

// sameCookie gives a visitor the cookie that a browser has of the site.
func (d *documented) sameCookie(ctx context.Context, v *visitor) {
	v.t.Helper()
	var cookies []*network.Cookie
	must(v.t, chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		cookies, err = network.GetCookies().WithURLs([]string{d.URL}).Do(ctx)
		return err
	})))
	to, err := url.Parse(d.URL)
	must(v.t, err)
	for _, c := range cookies {
		v.http.Jar.SetCookies(to, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/", Secure: true}})
	}
}
