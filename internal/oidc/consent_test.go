package oidc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
)

// greedy is an untrusted client that may ask for everything.
func (w *world) greedy() *store.Client {
	c := w.client("stranger")
	c.Scope, c.GrantTypes = "openid profile email phone groups offline_access read", []string{"authorization_code", "refresh_token"}
	return c
}

// asked is the login request behind a redirect to the consent page.
func (b *browser) asked(a *answer) *store.LoginRequest {
	b.w.t.Helper()
	to := a.location()
	if a.Code != http.StatusSeeOther || to.Path != "/consent" {
		b.w.t.Fatalf("answer %d to %s, want the consent page; body %s", a.Code, to, a.Body)
	}
	row, err := b.w.Store.LoginRequest(b.w.t.Context(), to.Query().Get("login"), b.hash())
	must(b.w.t, err)
	return row
}

// hash is what rows keep of the browser.
func (b *browser) hash() []byte {
	b.w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	br, err := b.w.Sessions.Browser(httptest.NewRecorder(), r)
	must(b.w.t, err)
	return br.Hash
}

// say answers as the page of package login does, and goes back.
func (b *browser) say(row *store.LoginRequest, allow bool) *answer {
	b.w.t.Helper()
	must(b.w.t, b.w.Store.AnswerConsent(b.w.t.Context(), store.Answer{LoginRequestID: row.ID, BrowserHash: row.BrowserHash, SessionID: row.SessionID, Asked: row.Consent, Allow: allow}))
	return b.get(resumeOf(row))
}

func resumeOf(row *store.LoginRequest) string { return "/authorize/resume?login=" + row.ID }

func (w *world) takeBack(name string) { w.takeBackFrom(name, "stranger") }

func (w *world) takeBackFrom(name, client string) {
	w.t.Helper()
	u, err := w.Store.UserByName(w.t.Context(), name)
	must(w.t, err)
	must(w.t, w.Store.RevokeConsent(w.t.Context(), u.ID, client, store.Entry{Actor: name}))
}

func TestUntrustedClientIsAskedForOnceAndAgainForMore(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	w.greedy()
	b := w.loggedIn("alice")
	row := b.asked(b.get(authorizeURL("stranger", "scope", "openid email")))
	if row.Consent != "openid email" || row.UserID != u.ID || row.SessionID == "" || row.ClientID != "stranger" {
		t.Errorf("asked in %+v", row)
	}
	if again := b.asked(b.get(resumeOf(row))); again.ID != row.ID {
		t.Errorf("unanswered, resume asks by another login request")
	}
	if back := b.say(row, true).back(); !back.Has("code") || back.Get("state") != "st&te" {
		t.Errorf("allowed: %v", back)
	}
	if a := b.get(resumeOf(row)); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
		t.Errorf("a second code of one answer: %d %s", a.Code, a.Header().Get("Location"))
	}
	for _, scope := range []string{"openid email", "email", "openid"} {
		if back := b.get(authorizeURL("stranger", "scope", scope, "prompt", "none")).back(); !back.Has("code") {
			t.Errorf("%s, allowed before: %v", scope, back)
		}
	}
	more := []string{"scope", "openid email phone"}
	if back := b.get(authorizeURL("stranger", append(more, "prompt", "none")...)).back(); back.Get("error") != "interaction_required" {
		t.Errorf("more, in silence: %v", back)
	}
	row = b.asked(b.get(authorizeURL("stranger", more...)))
	if row.Consent != "openid email phone" {
		t.Errorf("asked for %q, want all that it gets", row.Consent)
	}
	if back := b.say(row, false).back(); back.Get("error") != "access_denied" || back.Get("state") != "st&te" || back.Get("iss") != testIssuer {
		t.Errorf("not allowed: %v", back)
	}
	if a := b.get(resumeOf(row)); a.Code != http.StatusBadRequest {
		t.Errorf("a refusal is used up, and is answered %d", a.Code)
	}
	if back := b.get(authorizeURL("stranger", "scope", "openid email")).back(); !back.Has("code") {
		t.Errorf("what was allowed before the refusal: %v", back)
	}
	// Another user of the same browser has allowed nothing.
	w.user("bob")
	b.logIn(url.Values{"user": {"bob"}})
	b.asked(b.get(authorizeURL("stranger", "scope", "openid")))
}

// RFC 8252 §8.6: what one program was allowed, another that listens on the same
// port has not been allowed. An https address is proof enough, and so is a secret.
func TestConsentOfAProgramThatNobodyKnowsIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	no := false
	native := w.client("native")
	native.Trusted, native.RedirectURIs = &no, append(native.RedirectURIs, "com.example.app:/cb")
	b := w.loggedIn("alice")
	for redirect, again := range map[string]bool{"http://127.0.0.1:8000/cb": true, "com.example.app:/cb": true, testRedirect: false} {
		ask := func(pairs ...string) *answer {
			return b.get(authorizeURL("native", append(pairs, "redirect_uri", redirect)...))
		}
		w.takeBackFrom("alice", "native")
		row := b.asked(ask())
		if a := b.say(row, true); !a.location().Query().Has("code") {
			t.Fatalf("%s, allowed: %d %s", redirect, a.Code, a.Body)
		}
		silent := ask("prompt", "none").location().Query()
		if asks := ask().location().Path == "/consent"; asks != again || (silent.Get("error") == "interaction_required") != again {
			t.Errorf("%s: asked again: %t, want %t; in silence %v", redirect, asks, again, silent)
		}
	}
	native.Trusted = nil
	if back := b.get(authorizeURL("native", "redirect_uri", "http://127.0.0.1:8000/cb", "prompt", "none")).location().Query(); !back.Has("code") {
		t.Errorf("a trusted one: %v", back)
	}
}

func TestPromptConsentAsksWhoeverIsNotTrusted(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	if back := b.get(authorizeURL("wiki", "prompt", "consent")).back(); !back.Has("code") {
		t.Errorf("trusted: %v", back)
	}
	b.say(b.asked(b.get(authorizeURL("stranger"))), true).back()
	for range 2 { // an answer is good for its own request only
		row := b.asked(b.get(authorizeURL("stranger", "prompt", "consent")))
		b.asked(b.get(resumeOf(row)))
		if back := b.say(row, true).back(); !back.Has("code") {
			t.Errorf("asked and allowed: %v", back)
		}
	}
	// With a login before it: the same login request asks both.
	_, row := b.row(b.get(authorizeURL("stranger", "prompt", "login consent")))
	b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}})
	asked := b.asked(b.get(resumeOf(row)))
	if asked.ID != row.ID {
		t.Error("after a login, consent is asked by another login request")
	}
	if back := b.say(asked, true).back(); !back.Has("code") {
		t.Errorf("logged in and allowed: %v", back)
	}
}

func TestConsentAfterALogin(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.browser()
	_, row := b.row(b.get(authorizeURL("stranger")))
	b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}})
	asked := b.asked(b.get(resumeOf(row)))
	if back := b.say(asked, true).back(); asked.ID != row.ID || !back.Has("code") {
		t.Errorf("%v", back)
	}
}

// A question put to one person is not answered by another, nor is its answer.
func TestConsentOfAnotherUserGivesNothing(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	bob := w.user("bob")
	b := w.loggedIn("alice")
	row := b.asked(b.get(authorizeURL("stranger")))
	must(t, w.Store.AnswerConsent(t.Context(), store.Answer{LoginRequestID: row.ID, BrowserHash: row.BrowserHash, SessionID: row.SessionID, Asked: row.Consent, Allow: true}))
	attacker := w.loggedIn("bob")
	if a := attacker.get(resumeOf(row)); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
		t.Errorf("another browser: %d %s", a.Code, a.Header().Get("Location"))
	}
	b.logIn(url.Values{"user": {"bob"}}) // in another tab
	if a := b.get(resumeOf(row)); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
		t.Errorf("another user in the session: %d %s", a.Code, a.Header().Get("Location"))
	}
	b.logIn(url.Values{"user": {"bob"}, "login": {row.ID}}) // on alice's login request
	asked := b.asked(b.get(resumeOf(row)))
	if asked.UserID != bob.ID || asked.ConsentAnswer != "" {
		t.Errorf("bob is asked by %+v", asked)
	}
}

func TestConsentTakenBackBetweenTheSteps(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.greedy()
	b := w.loggedIn("alice")
	row := b.asked(b.get(authorizeURL("stranger")))
	must(t, w.Store.AnswerConsent(t.Context(), store.Answer{LoginRequestID: row.ID, BrowserHash: row.BrowserHash, SessionID: row.SessionID, Asked: row.Consent, Allow: true}))
	w.takeBack("alice")
	row = b.asked(b.get(resumeOf(row)))
	if row.ConsentAnswer != "" {
		t.Error("asked again, and answered already")
	}
	code := b.say(row, true).back().Get("code")
	w.takeBack("alice")
	w.api("stranger", "/token", codeForm(code)).wantError(http.StatusBadRequest, "invalid_grant")

	code = b.say(b.asked(b.get(authorizeURL("stranger"))), true).back().Get("code")
	a := w.api("stranger", "/token", codeForm(code))
	if !w.active("stranger", a.str("access_token")) || w.askUserinfo(a.str("access_token")).Code != http.StatusOK {
		t.Fatalf("tokens: %d %s", a.Code, a.Body)
	}
	w.takeBack("alice")
	w.api("stranger", "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}).wantError(http.StatusBadRequest, "invalid_grant")
	if w.active("stranger", a.str("access_token")) || w.askUserinfo(a.str("access_token")).Code != http.StatusUnauthorized {
		t.Error("an access token outlived the consent")
	}
	b.asked(b.get(authorizeURL("stranger")))
}

// The client's registration has grown while the page was open: what was not on
// it is not allowed.
func TestConsentIsForWhatThePageShowed(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	c := w.client("stranger")
	c.Scope = "openid email"
	b := w.loggedIn("alice")
	row := b.asked(b.get(authorizeURL("stranger")))
	c.Scope = "openid profile email groups"
	again := b.asked(b.say(row, true))
	if again.ID != row.ID || again.Consent != "openid profile email groups" || again.ConsentAnswer != "" {
		t.Errorf("asked again by %+v", again)
	}
}

// OIDC Core §11: offline_access is given where the page said so, and never to
// what rests on a ticket.
func TestOfflineAccessOfAnUntrustedClientNeedsConsent(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.greedy()
	b := w.loggedIn("alice")
	row := b.asked(b.get(authorizeURL("stranger", "scope", "openid offline_access")))
	if row.Consent != "openid offline_access" {
		t.Errorf("asked for %q", row.Consent)
	}
	a := w.api("stranger", "/token", codeForm(b.say(row, true).back().Get("code")))
	must(t, w.Store.EndSession(t.Context(), row.SessionID, store.Entry{Actor: "test"}))
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}
	a = w.api("stranger", "/token", refresh)
	if a.Code != http.StatusOK {
		t.Fatalf("after the session: %d %s", a.Code, a.Body)
	}
	w.takeBack("alice")
	refresh.Set("refresh_token", a.str("refresh_token"))
	w.api("stranger", "/token", refresh).wantError(http.StatusBadRequest, "invalid_grant")

	b.logIn(url.Values{"user": {"alice"}, "principal": {"alice@EXAMPLE.COM"}})
	if row := b.asked(b.get(authorizeURL("stranger", "scope", "openid offline_access"))); row.Consent != "openid" {
		t.Errorf("with a ticket, asked for %q", row.Consent)
	}
}

func TestConsentNamesClaimsThatNoScopeStandsFor(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.greedy()
	b := w.loggedIn("alice")
	for claims, want := range map[string]string{
		`{"userinfo":{"email":null,"phone_number":{"essential":true}},"id_token":{"auth_time":null,"name":{"value":"x"}}}`: `openid email claim"name claim"phone_number`,
		`{"userinfo":{"no such claim":null,"address":null}}`:                                                               "openid email", // the client may not have addresses
		``: "openid email",
	} {
		if got := b.asked(b.get(authorizeURL("stranger", "scope", "openid email", "claims", claims))).Consent; got != want {
			t.Errorf("%s: %s, want %s", claims, got, want)
		}
	}
}

func TestAnotherAccountFromTheConsentPage(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.user("bob")
	b := w.loggedIn("alice")
	row := b.asked(b.get(authorizeURL("stranger", "login_hint", "alice", "prompt", "consent")))
	to := b.get(resumeOf(row) + "&other=1").location().String()
	path, next := b.row(b.get(to))
	if path != "/login" || next.LoginHint != "" {
		t.Fatalf("sent to %s with hint %q", path, next.LoginHint)
	}
	b.logIn(url.Values{"user": {"bob"}, "login": {next.ID}})
	if back := b.say(b.asked(b.get(resumeOf(next))), true).back(); !back.Has("code") {
		t.Errorf("bob: %v", back)
	}
}

// A script or a frame cannot show the page, and leaves no row.
func TestConsentIsAskedOnAPageOnly(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	for _, h := range []http.Header{{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}}, {"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}} {
		r := httptest.NewRequest(http.MethodGet, authorizeURL("stranger"), nil)
		for k, v := range h {
			r.Header[k] = v
		}
		if a := b.do(r); a.Code != http.StatusForbidden || a.Header().Get("Location") != "" {
			t.Errorf("%v: %d %s", h, a.Code, a.Header().Get("Location"))
		}
	}
}

func TestConsentOfAClientOfTheDatabase(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	no := false
	must(t, w.Store.AddClient(t.Context(), store.Client{ClientID: "short", RedirectURIs: []string{testRedirect}, SecretHashes: [][]byte{secret.Hash("secret")}, Trusted: &no}, store.Entry{Actor: "test"}))
	b := w.loggedIn("alice")
	row := b.asked(b.get(authorizeURL("short")))
	must(t, w.Store.RemoveClient(t.Context(), "short", store.Entry{Actor: "test"}))
	w.pass(2 * time.Second)
	if a := b.say(row, true); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
		t.Errorf("removed while the page was open: %d %s", a.Code, a.Header().Get("Location"))
	}
}

func TestDiscoveryNamesPromptConsent(t *testing.T) {
	w := newWorld(t)
	if a := w.browser().get("/.well-known/openid-configuration"); !strings.Contains(a.Body.String(), `"prompt_values_supported":["none","login","select_account","consent"]`) {
		t.Errorf("%s", a.Body)
	}
}

// A pushed request waits for the answer, and gives its one code after it.
func TestConsentToAPushedRequest(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.user("bob")
	b := w.loggedIn("alice")
	target := w.push("stranger", "response_mode", "form_post")
	row := b.asked(b.get(target))
	if _, fields := b.say(row, false).posted(); fields.Get("error") != "access_denied" {
		t.Errorf("refused: %v", fields)
	}
	row = b.asked(b.get(target)) // a refusal uses no code up
	_, other := b.row(b.get(b.get(resumeOf(row) + "&other=1").location().String()))
	b.logIn(url.Values{"user": {"bob"}, "login": {other.ID}})
	if _, fields := b.say(b.asked(b.get(resumeOf(other))), true).posted(); fields.Get("code") == "" {
		t.Errorf("allowed by another account: %v", fields)
	}
	if a := b.get(target); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
		t.Errorf("a second code: %d %s", a.Code, a.Header().Get("Location"))
	}
}
