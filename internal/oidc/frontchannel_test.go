package oidc

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/oidc/pushed"
	"idp/internal/store"
)

var frameRE = regexp.MustCompile(`<iframe src="([^"]*)"`)

func (a *answer) frames() (urls []string) {
	for _, m := range frameRE.FindAllStringSubmatch(a.Body.String(), -1) {
		urls = append(urls, html.UnescapeString(m[1]))
	}
	slices.Sort(urls)
	return urls
}

// wantFrames checks the page behind a sign-out: a frame for each visited relying
// party that wants one, and a policy that lets these load and nothing else.
func (a *answer) wantFrames(sid string) {
	a.t.Helper()
	want := []string{
		"https://framed.example.com/logout?tenant=1&" + url.Values{"iss": {testIssuer}, "sid": {sid}}.Encode(),
		"https://plainframe.example.com/logout",
	}
	if d := cmp.Diff(want, a.frames()); a.Code != http.StatusOK || d != "" {
		a.t.Errorf("%d %s", a.Code, d)
	}
	if csp := a.Header().Get("Content-Security-Policy"); !strings.HasSuffix(csp, "; frame-src https://framed.example.com https://plainframe.example.com") || !strings.HasPrefix(csp, "default-src 'none'") {
		a.t.Errorf("CSP: %s", csp)
	}
	if a.Header().Get("Cache-Control") != "no-store" || a.Header().Get("X-Frame-Options") != "DENY" {
		a.t.Errorf("%v", a.Header())
	}
}

func (b *browser) visitFramed() (hint, sid string) {
	b.tokens("wiki")
	b.tokens("plainframe")
	a := b.tokens("framed")
	sid, _ = b.w.claimsOf(a.str("id_token"))["sid"].(string)
	return a.str("id_token"), sid
}

func TestSignOutTellsRelyingPartiesByFramesAndGoesOn(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	hint, sid := b.visitFramed()
	to := b.get(logoutURL("id_token_hint", hint, "post_logout_redirect_uri", "https://framed.example.com/bye", "state", `a"b&c`))
	if to.Code != http.StatusSeeOther || to.location().Path != "/end_session/done" {
		t.Fatalf("%d to %s", to.Code, to.location())
	}
	if b.alive() {
		t.Error("the session is alive")
	}
	for range 2 { // and a reload
		page := b.get(to.Header().Get("Location"))
		page.wantFrames(sid)
		body := html.UnescapeString(page.Body.String())
		next := "https://framed.example.com/bye?state=a%22b%26c"
		if !strings.Contains(body, `<meta http-equiv="refresh" content="3;url=`+next+`">`) || !strings.Contains(body, `href="`+next+`"`) {
			t.Errorf("no way on to %s:\n%s", next, body)
		}
	}
	done := to.Header().Get("Location")
	if a := w.browser().get(done); a.Header().Get("Location") != "/end_session" || len(a.frames()) != 0 {
		t.Errorf("another browser: %d to %s", a.Code, a.Header().Get("Location"))
	}
	if a := b.get("/authorize?client_id=framed&request_uri=" + url.QueryEscape(pushed.RequestURI+to.location().Query().Get("page"))); a.Code != http.StatusBadRequest {
		t.Errorf("the page's handle at /authorize: %d", a.Code)
	}
	b.logIn(url.Values{"user": {"alice"}})
	if a := b.get(done); a.Header().Get("Location") != "/end_session" || len(a.frames()) != 0 {
		t.Errorf("logged in again, and back: %d to %s", a.Code, a.Header().Get("Location"))
	}
	w.pass(2 * time.Minute)
	if a := b.get(done); a.Header().Get("Location") != "/end_session" {
		t.Errorf("later: %d to %s", a.Code, a.Header().Get("Location"))
	}
}

func TestOurOwnSignOutTellsByFramesAndStays(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	_, sid := b.visitFramed()
	token := formToken(t, b.get("/end_session").Body.String())
	to := b.post("/end_session", url.Values{"form_token": {token}})
	if to.Code != http.StatusSeeOther {
		t.Fatalf("%d", to.Code)
	}
	page := b.get(to.Header().Get("Location"))
	page.wantFrames(sid)
	if strings.Contains(page.Body.String(), "refresh") {
		t.Error("goes on to nowhere")
	}
}

// An app's own scheme is a way on, too; template/html would cut it out.
func TestFramesGoOnToAnAppsOwnScheme(t *testing.T) {
	w := newWorld(t)
	w.client("native").PostLogoutRedirectURIs = []string{"com.example.app:/bye"}
	w.user("alice")
	b := w.loggedIn("alice")
	b.visitFramed()
	page := b.get(logoutURL("client_id", "native", "post_logout_redirect_uri", "com.example.app:/bye"))
	form := url.Values{"form_token": {formToken(t, page.Body.String())}, "client_id": {"native"}, "post_logout_redirect_uri": {"com.example.app:/bye"}}
	body := b.get(b.post("/end_session", form).Header().Get("Location")).Body.String()
	if !strings.Contains(body, `content="3;url=com.example.app:/bye"`) || !strings.Contains(body, `href="com.example.app:/bye"`) {
		t.Error(body)
	}
}

// What somebody posts across sites is never taken for a page of frames of ours.
func TestHoleForgedFrames(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	parked := w.browser().post("/end_session", url.Values{"clients": {"framed"}, "target": {"https://evil.example/"}, "sid": {"x"}, "state": {"y"}})
	handle := strings.TrimPrefix(parked.location().Query().Get("request_uri"), pushed.RequestURI)
	if handle == "" {
		t.Fatalf("%d %s", parked.Code, parked.location())
	}
	for _, page := range []string{handle, "", "x", strings.Repeat("x", 5000)} {
		a := w.browser().get("/end_session/done?page=" + page)
		if a.Header().Get("Location") != "/end_session" || strings.Contains(a.Body.String(), "evil") {
			t.Errorf("%q: %d to %s %s", page, a.Code, a.Header().Get("Location"), a.Body)
		}
	}
}

// A network with too many requests under way signs people out all the same.
func TestSignOutGoesOnWithoutFramesWhereNoneCanBeKept(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	hint, _ := b.visitFramed()
	for i := range 2000 {
		must(t, w.Store.PutPushedRequest(t.Context(), store.PushedRequest{Hash: []byte{byte(i >> 8), byte(i)}, Address: "127.0.0.1", ExpiresAt: w.Now().Add(time.Minute).UnixMilli()}))
	}
	to := b.get(logoutURL("id_token_hint", hint, "post_logout_redirect_uri", "https://framed.example.com/bye"))
	if to.Header().Get("Location") != "https://framed.example.com/bye" || b.alive() {
		t.Errorf("%d to %s", to.Code, to.Header().Get("Location"))
	}
}

// Hints and languages that we do not use are no errors (RP-Initiated Logout §2).
func TestSignOutTakesLogoutHintAndLocales(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	hint := b.tokens("wiki").str("id_token")
	page := b.get(logoutURL("logout_hint", "bob", "ui_locales", "fr-CA xx", "client_id", "wiki"))
	if page.Code != http.StatusOK || !b.alive() {
		t.Fatalf("%d", page.Code)
	}
	to := b.get(logoutURL("logout_hint", "bob", "ui_locales", "fr-CA xx", "id_token_hint", hint, "client_id", "wiki", "post_logout_redirect_uri", bye, "unknown", "x"))
	if to.Header().Get("Location") != bye || b.alive() {
		t.Errorf("%d to %s", to.Code, to.Header().Get("Location"))
	}
}
