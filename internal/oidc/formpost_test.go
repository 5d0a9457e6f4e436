package oidc

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

// posted is where the form of a page goes, and its hidden fields.
func (a *answer) posted() (action string, fields url.Values) {
	a.t.Helper()
	doc, err := html.Parse(strings.NewReader(a.Body.String()))
	must(a.t, err)
	fields = url.Values{}
	for n := range doc.Descendants() {
		attr := map[string]string{}
		for _, at := range n.Attr {
			attr[at.Key] = at.Val
		}
		switch {
		case n.Data == "form":
			action = attr["action"]
		case n.Data == "input" && attr["type"] == "hidden":
			fields.Add(attr["name"], attr["value"])
		}
	}
	return action, fields
}

func TestFormPostCarriesCodesAndErrors(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	a := b.get(authorizeURL("wiki", "response_mode", "form_post", "state", `<"&'>`))
	action, fields := a.posted()
	if a.Code != http.StatusOK || a.Header().Get("Location") != "" || action != testRedirect || a.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("answer %d, form to %q, header %v", a.Code, action, a.Header())
	}
	if tokens := w.api("wiki", "/token", codeForm(fields.Get("code"))); tokens.Code != http.StatusOK {
		t.Errorf("redeeming: %d %s", tokens.Code, tokens.Body)
	}
	fields.Del("code")
	if diff := cmp.Diff(url.Values{"state": {`<"&'>`}, "iss": {testIssuer}}, fields); diff != "" {
		t.Error(diff)
	}
	for name, c := range map[string]struct{ target, want string }{
		"no response_type":     {authorizeURL("wiki", "response_mode", "form_post", "response_type", ""), "invalid_request"},
		"prompt=none, nobody":  {authorizeURL("wiki", "response_mode", "form_post", "prompt", "none", "max_age", "0"), "login_required"},
		"scope twice":          {authorizeURL("wiki", "response_mode", "form_post") + "&scope=openid", "invalid_request"},
		"request_uri":          {authorizeURL("wiki", "response_mode", "form_post", "request_uri", "https://x.example"), "request_uri_not_supported"},
		"prompt=none, consent": {authorizeURL("stranger", "response_mode", "form_post", "prompt", "none"), "interaction_required"},
	} {
		a := b.get(c.target)
		action, fields := a.posted()
		if a.Code != http.StatusOK || action != testRedirect || fields.Get("error") != c.want || fields.Get("state") != "st&te" || fields.Get("iss") != testIssuer {
			t.Errorf("%s: %d, form to %q with %v", name, a.Code, action, fields)
		}
	}
}

func TestFormPostAfterALoginAndAPostOfTheSite(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.browser()
	_, row := b.row(b.get(b.post("/authorize", authParams("wiki", "response_mode", "form_post")).location().String()))
	b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}})
	if action, fields := b.get("/authorize/resume?login=" + row.ID).posted(); action != testRedirect || fields.Get("code") == "" {
		t.Errorf("form to %q with %v", action, fields)
	}
}

// An unknown mode cannot be obeyed, and an app's own scheme takes no form.
func TestResponseModeThatCannotBeIsRefusedByQuery(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.client("native").RedirectURIs = append(w.client("native").RedirectURIs, "com.example.app:/cb")
	b := w.loggedIn("alice")
	for name, target := range map[string]string{
		"unknown":   authorizeURL("wiki", "response_mode", "fragment"),
		"a JWT":     authorizeURL("wiki", "response_mode", "form_post.jwt"),
		"twice":     authorizeURL("wiki", "response_mode", "form_post") + "&response_mode=form_post",
		"to an app": authorizeURL("native", "response_mode", "form_post", "redirect_uri", "com.example.app:/cb"),
	} {
		a := b.get(target)
		if a.Code != http.StatusSeeOther || a.location().Query().Get("error") != "invalid_request" {
			t.Errorf("%s: %d %s", name, a.Code, a.Header().Get("Location"))
		}
	}
	if back := b.get(authorizeURL("wiki", "response_mode", "query")).back(); !back.Has("code") {
		t.Errorf("query: %v", back)
	}
}

func TestDeniedPageLeadsBackByForm(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "staff")
	a := w.loggedIn("alice").get(authorizeURL("finance", "response_mode", "form_post"))
	action, fields := a.posted()
	want := url.Values{"error": {"access_denied"}, "error_description": {"the user may not use this client"}, "state": {"st&te"}, "iss": {testIssuer}}
	if diff := cmp.Diff(want, fields); a.Code != http.StatusForbidden || action != testRedirect || diff != "" {
		t.Errorf("%d, form to %q: %s", a.Code, action, diff)
	}
	if strings.Contains(a.Body.String(), "submit()") || strings.Contains(a.Header().Get("Content-Security-Policy"), "form-action") {
		t.Errorf("the page leaves by itself, or may not: %s", a.Header().Get("Content-Security-Policy"))
	}
}

// What a request object says is refused where its client listens, and nothing
// else of it counts.
func TestRefusalOfARequestObjectTravelsAsItSays(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	object := func(claims string) string {
		return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "."
	}
	for name, c := range map[string]struct {
		object string
		query  []string
		form   bool
		state  string
	}{
		"all inside":       {object(`{"response_mode":"form_post","state":"in","redirect_uri":"https://evil.example"}`), []string{"state", ""}, true, "in"},
		"outside first":    {object(`{"response_mode":"form_post","state":"in"}`), []string{"response_mode", "query"}, false, "st&te"},
		"mode outside":     {object(`{"state":"in"}`), []string{"response_mode", "form_post", "state", ""}, true, "in"},
		"nothing inside":   {object(`{}`), nil, false, "st&te"},
		"not readable":     {object(`{"response_mode":5}`), nil, false, "st&te"},
		"not an object":    {"x.y.z.a", nil, false, "st&te"},
		"no base64 at all": {"a.ü.b", nil, false, "st&te"},
	} {
		a := b.get(authorizeURL("wiki", append(c.query, "request", c.object)...))
		var fields url.Values
		if c.form {
			var action string
			if action, fields = a.posted(); action != testRedirect {
				t.Errorf("%s: form to %q", name, action)
			}
		} else {
			fields = a.back()
		}
		if fields.Get("error") != "request_not_supported" || fields.Get("state") != c.state {
			t.Errorf("%s: %v", name, fields)
		}
	}
}
