package oidc

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/oidc/wire"
	"idp/internal/store"
)

const bye = "https://wiki.example.com/"

func logoutURL(pairs ...string) string {
	return "/end_session?" + changed(url.Values{}, pairs).Encode()
}

// alive reports whether the browser still has a session.
func (b *browser) alive() bool {
	b.w.t.Helper()
	return b.get(authorizeURL("wiki", "prompt", "none")).back().Has("code")
}

var formTokenRE = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

func formToken(t *testing.T, page string) string {
	t.Helper()
	m := formTokenRE.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no form token in %s", page)
	}
	return m[1]
}

func TestSignOutWithTheSessionsOwnIDToken(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	a := b.tokens("wiki")
	w.pass(time.Hour) // the ID token has expired, which does not matter here
	to := b.get(logoutURL("id_token_hint", a.str("id_token"), "post_logout_redirect_uri", "https://wiki.example.com/bye?x=1", "state", "a b"))
	if got := to.Header().Get("Location"); to.Code != http.StatusSeeOther || got != "https://wiki.example.com/bye?x=1&state=a+b" {
		t.Errorf("%d %s", to.Code, got)
	}
	if b.alive() {
		t.Error("the session is alive")
	}
	w.api("wiki", "/token", refreshForm(a.str("refresh_token"))).wantError(http.StatusBadRequest, "invalid_grant")
	if path, _ := b.row(b.get(authorizeURL("wiki"))); path != "/login" {
		t.Errorf("after sign-out the browser is sent to %s: a ticket would log it in again", path)
	}
	entries, err := w.Store.Entries(t.Context(), store.Filter{Event: audit.SignedOut, Limit: 5})
	if err != nil || len(entries) != 1 {
		t.Errorf("audit: %v, %v", entries, err)
	}
}

// Any site can link here, so without a hint for this very session the person is
// asked first.
func TestSignOutOfOthersIsConfirmedByThePerson(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	foreign := w.loggedIn("alice").tokens("wiki").str("id_token") // another session of hers
	for name, target := range map[string]string{
		"nothing":              "/end_session",
		"client_id":            logoutURL("client_id", "wiki", "post_logout_redirect_uri", bye),
		"client_id alone":      logoutURL("client_id", "wiki"),
		"another session":      logoutURL("id_token_hint", foreign, "post_logout_redirect_uri", bye),
		"form token in a link": logoutURL("form_token", "x"),
	} {
		b := w.loggedIn("alice")
		page := b.get(target)
		if page.Code != http.StatusOK || !b.alive() {
			t.Fatalf("%s: %d, ended without being asked", name, page.Code)
		}
		form := url.Values{}
		for _, m := range regexp.MustCompile(`type="hidden" name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(page.Body.String(), -1) {
			form.Add(m[1], m[2])
		}
		if len(form["form_token"]) != 1 || form.Get("form_token") == "x" {
			t.Errorf("%s: form %v", name, form)
		}
		done := b.post("/end_session", form)
		want := "/end_session"
		if strings.Contains(target, "post_logout") {
			want = bye
		}
		if done.Code != http.StatusSeeOther || done.Header().Get("Location") != want {
			t.Errorf("%s: %d to %q, want %q", name, done.Code, done.Header().Get("Location"), want)
		}
		if b.alive() {
			t.Errorf("%s: confirmed, and still alive", name)
		}
	}
}

func TestSignOutFormOfAnotherBrowserIsRefused(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	token := formToken(t, w.loggedIn("alice").get("/end_session").Body.String())
	b := w.loggedIn("alice")
	for _, forged := range []string{token, "x"} {
		if a := b.post("/end_session", url.Values{"form_token": {forged}}); a.Code != http.StatusForbidden || !b.alive() {
			t.Errorf("%s: %d", forged, a.Code)
		}
	}
}

func TestSignOutAddressIsExactOrAPage(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	a := b.tokens("wiki")
	hint := a.str("id_token")
	for name, target := range map[string]string{
		"unregistered":         logoutURL("id_token_hint", hint, "post_logout_redirect_uri", "https://evil.example/"),
		"prefix":               logoutURL("id_token_hint", hint, "post_logout_redirect_uri", bye+"x"),
		"nobody's":             logoutURL("post_logout_redirect_uri", bye),
		"another client's":     logoutURL("client_id", "other", "post_logout_redirect_uri", bye),
		"client and hint":      logoutURL("client_id", "other", "id_token_hint", hint, "post_logout_redirect_uri", bye),
		"unknown client":       logoutURL("client_id", "nobody"),
		"damaged hint":         logoutURL("id_token_hint", hint+"x", "post_logout_redirect_uri", bye),
		"access token as hint": logoutURL("id_token_hint", a.str("access_token")),
		"hint twice":           logoutURL("id_token_hint", hint) + "&id_token_hint=" + hint,
		"too long":             logoutURL("state", strings.Repeat("x", wire.MaxQuery)),
	} {
		a := b.get(target)
		if a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" || strings.Contains(a.Body.String(), "evil.example") {
			t.Errorf("%s: %d %q", name, a.Code, a.Header().Get("Location"))
		}
		if !b.alive() {
			t.Fatalf("%s: the session ended", name)
		}
	}
}

func TestCrossSiteSignOutPostComesAgainByGet(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	hint := b.tokens("wiki").str("id_token")
	parked := w.browser().post("/end_session", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {bye}, "state": {"s"}})
	to := parked.location()
	if parked.Code != http.StatusSeeOther || to.Path != "/end_session" || strings.Contains(to.RawQuery, hint) {
		t.Fatalf("%d %s", parked.Code, to)
	}
	if a := b.get("/authorize?client_id=wiki&" + to.RawQuery); a.Code != http.StatusBadRequest {
		t.Errorf("the handle of a sign-out works at /authorize: %d", a.Code)
	}
	if a := b.get(to.String()); a.Header().Get("Location") != bye+"?state=s" || b.alive() {
		t.Errorf("%d %q", a.Code, a.Header().Get("Location"))
	}
	// Who reloads later what was asked, and whoever has such a link, can go on.
	other := w.loggedIn("alice")
	asks := w.browser().post("/end_session", url.Values{"client_id": {"wiki"}}).location().String()
	if a := other.get(asks); a.Code != http.StatusOK || !other.alive() {
		t.Errorf("it is not asked: %d", a.Code)
	}
	w.pass(3 * time.Minute)
	if a := other.get(asks); a.Header().Get("Location") != "/end_session" || !other.alive() {
		t.Errorf("reloaded: %d %q", a.Code, a.Header().Get("Location"))
	}
	if a := w.browser().post("/end_session", nil); a.Header().Get("Location") != "/end_session" {
		t.Errorf("an empty POST: %d %q", a.Code, a.Header().Get("Location"))
	}
}

func TestSignOutWithoutASession(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	had := w.loggedIn("alice")
	hint := had.tokens("wiki").str("id_token")
	b := w.browser()
	if a := b.get("/end_session?client_id=wiki"); a.Code != http.StatusOK || !strings.Contains(a.Body.String(), "signed out") {
		t.Errorf("page: %d %s", a.Code, a.Body)
	}
	if path, _ := b.row(b.get(authorizeURL("wiki"))); path != "/login/negotiate" {
		t.Errorf("anybody's link switched tickets off: %s", path)
	}
	if a := b.get(logoutURL("id_token_hint", hint, "post_logout_redirect_uri", bye)); a.Header().Get("Location") != bye {
		t.Errorf("%d %q", a.Code, a.Header().Get("Location"))
	}
	w.pass(9 * time.Hour) // nobody uses the session
	if a := had.get(logoutURL("id_token_hint", hint, "post_logout_redirect_uri", bye)); a.Header().Get("Location") != bye {
		t.Errorf("%d %q", a.Code, a.Header().Get("Location"))
	}
	if path, _ := had.row(had.get(authorizeURL("wiki"))); path != "/login" {
		t.Errorf("after a sign-out of an ended session: %s", path)
	}
}
