//go:build interop

package interop_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"idp/examples/demo/stage"
)

// byFormPost is what Authlib is told in order to be answered by form_post.
const byFormPost = `"code_challenge_method": "S256", "response_mode": "form_post"`

// foreignCookie is what Flask needs for it: the cookie with the state comes along
// with a form of another site.
var foreignCookie = []string{"FLASK_SESSION_COOKIE_SAMESITE=None", "FLASK_SESSION_COOKIE_SECURE=true"}

// A real browser gets the site's cookie to the site with idp's form.
func TestAuthlibFormPostInChromium(t *testing.T) {
	d := authlibOver(t, "https", foreignCookie, `"code_challenge_method": "S256"`, byFormPost)
	var body string
	must(t, chromedp.Run(d.browser(t), chromedp.Navigate(d.URL+d.Login),
		chromedp.SendKeys("#username", "bob"), chromedp.SendKeys("#password", stage.BobPassword+"\r"),
		chromedp.Text("pre", &body)))
	var w told
	if err := json.Unmarshal([]byte(body), &w); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	w.isBob(t, d.binary, d.registration)
}

// The refusal comes by a form as well.
func TestAuthlibFormPostUserOfAnotherGroup(t *testing.T) {
	d := authlibOver(t, "https", foreignCookie, `"code_challenge_method": "S256"`, byFormPost, moreOfClient, moreOfClient+"\n    allow_groups: [finance]")
	v := newVisitor(t, d.binary)
	p := d.bobAt(v, d.Login)
	at(t, p, http.StatusForbidden, d.Issuer+"/authorize/resume")
	refusedAt(t, v.submit(p, "error", nil), "access_denied")
}
