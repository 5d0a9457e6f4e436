package oidc

import (
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/pushed"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

func TestSilentAuthorizationAnswersWithCodeStateAndIssuer(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	back := w.loggedIn("alice").get(authorizeURL("wiki")).back()
	if len(back.Get("code")) != 43 {
		t.Errorf("code %q", back.Get("code"))
	}
	back.Del("code")
	if diff := cmp.Diff(url.Values{"state": {"st&te"}, "iss": {testIssuer}}, back); diff != "" {
		t.Error(diff)
	}
}

// A redirect to an unproven address would make us anybody's redirector, and hand
// codes to strangers: these are pages.
func TestNoRedirectBeforeTheRedirectURIIsProven(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	evil := "https://evil.example/"
	for name, target := range map[string]string{
		"no client":                   authorizeURL("wiki", "client_id", ""),
		"unknown client":              authorizeURL("nobody"),
		"client with a NUL":           authorizeURL("wiki", "client_id", "wi\x00ki"),
		"long client":                 authorizeURL(strings.Repeat("x", 300)),
		"client twice":                authorizeURL("wiki") + "&client_id=other",
		"no redirect URI":             authorizeURL("wiki", "redirect_uri", ""),
		"unregistered redirect URI":   authorizeURL("wiki", "redirect_uri", evil),
		"redirect URI twice":          authorizeURL("wiki") + "&redirect_uri=" + evil,
		"redirect URI of another":     authorizeURL("wiki", "redirect_uri", "https://other.example.com/cb"),
		"redirect URI with user info": authorizeURL("wiki", "redirect_uri", "https://wiki.example.com@evil.example/callback"),
		"redirect URI with a query":   authorizeURL("wiki", "redirect_uri", testRedirect+"?x=1"),
		"damaged encoding":            "/authorize?client_id=%zz",
		"too long":                    authorizeURL("wiki", "state", strings.Repeat("s", wire.MaxQuery)),
		"too many parameters":         "/authorize?" + strings.Repeat("a=b&", wire.MaxParams+1),
		"foreign handle":              "/authorize?client_id=wiki&request_uri=" + url.QueryEscape(pushed.RequestURI+"nothing"),
	} {
		a := b.get(target)
		if a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" || !strings.Contains(a.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d, Location %q, %s", name, a.Code, a.Header().Get("Location"), a.Header().Get("Content-Type"))
		}
		if strings.Contains(a.Body.String(), "evil.example") {
			t.Errorf("%s: the page shows where it was not sent", name)
		}
	}
}

func TestErrorsGoToTheRelyingPartyOnceItIsProven(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	for name, c := range map[string]struct{ target, want string }{
		"no response_type":           {authorizeURL("wiki", "response_type", ""), "invalid_request"},
		"implicit":                   {authorizeURL("wiki", "response_type", "id_token"), "unsupported_response_type"},
		"hybrid":                     {authorizeURL("wiki", "response_type", "code id_token"), "unsupported_response_type"},
		"fragment":                   {authorizeURL("wiki", "response_mode", "fragment"), "invalid_request"},
		"no scope":                   {authorizeURL("wiki", "scope", ""), "invalid_scope"},
		"foreign scope":              {authorizeURL("wiki", "scope", "admin"), "invalid_scope"},
		"scope twice":                {authorizeURL("wiki") + "&scope=openid", "invalid_request"},
		"damaged scope":              {authorizeURL("wiki", "scope", "openid \xff"), "invalid_request"},
		"request object":             {authorizeURL("wiki", "request", "a.b.c"), "request_not_supported"},
		"request_uri":                {authorizeURL("wiki", "request_uri", "https://wiki.example.com/request"), "request_uri_not_supported"},
		"registration":               {authorizeURL("wiki", "registration", "{}"), "registration_not_supported"},
		"unknown resource":           {authorizeURL("wiki", "resource", "https://nobody.example.com"), "invalid_target"},
		"resource with a slash":      {authorizeURL("wiki", "resource", testLedger+"/"), "invalid_target"},
		"relative resource":          {authorizeURL("wiki", "resource", "/ledger"), "invalid_target"},
		"resource with a fragment":   {authorizeURL("wiki", "resource", testLedger+"#x"), "invalid_target"},
		"resource of others":         {authorizeURL("other", "resource", testPayroll), "invalid_target"},
		"one bad resource of two":    {authorizeURL("wiki", "resource", testLedger) + "&resource=x%3Ay", "invalid_target"},
		"claims is no JSON":          {authorizeURL("wiki", "claims", "name"), "invalid_request"},
		"claims is a list":           {authorizeURL("wiki", "claims", "[]"), "invalid_request"},
		"claims has other members":   {authorizeURL("wiki", "claims", `{"userinfo":["name"]}`), "invalid_request"},
		"claims with a bad sub":      {authorizeURL("wiki", "claims", `{"id_token":{"sub":"x"}}`), "invalid_request"},
		"claims too long":            {authorizeURL("wiki", "claims", `{"a":"`+strings.Repeat("x", authreq.MaxClaims)+`"}`), "invalid_request"},
		"claims too deep":            {authorizeURL("wiki", "claims", strings.Repeat(`{"a":`, 20)+"1"+strings.Repeat("}", 20)), "invalid_request"},
		"claims twice":               {authorizeURL("wiki", "claims", "{}") + "&claims=%7B%7D", "invalid_request"},
		"display twice":              {authorizeURL("wiki", "display", "page") + "&display=page", "invalid_request"},
		"unknown prompt":             {authorizeURL("wiki", "prompt", "create"), "invalid_request"},
		"prompt in capitals":         {authorizeURL("wiki", "prompt", "Login"), "invalid_request"},
		"not pushed":                 {authorizeURL("pushes"), "invalid_request"},
		"hint damaged":               {authorizeURL("wiki", "id_token_hint", "x"), "invalid_request"},
		"prompt none and login":      {authorizeURL("wiki", "prompt", "none login"), "invalid_request"},
		"none, and a choice":         {authorizeURL("wiki", "prompt", "none select_account"), "invalid_request"},
		"max_age is no number":       {authorizeURL("wiki", "max_age", "-1"), "invalid_request"},
		"no PKCE":                    {authorizeURL("wiki", "code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		"PKCE plain":                 {authorizeURL("wiki", "code_challenge_method", "plain"), "invalid_request"},
		"PKCE plain by default":      {authorizeURL("wiki", "code_challenge_method", ""), "invalid_request"},
		"PKCE method alone":          {authorizeURL("wiki", "code_challenge", ""), "invalid_request"},
		"PKCE short challenge":       {authorizeURL("wiki", "code_challenge", "abc"), "invalid_request"},
		"public without PKCE":        {authorizeURL("native", "code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		"public, told to do without": {authorizeURL("lax", "code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		"neither PKCE nor nonce":     {authorizeURL("old", "code_challenge", "", "code_challenge_method", "", "nonce", ""), "invalid_request"},
		"nonce without openid":       {authorizeURL("old", "code_challenge", "", "code_challenge_method", "", "scope", "email"), "invalid_request"},
		"old client, plain":          {authorizeURL("old", "code_challenge_method", "plain"), "invalid_request"},
		"prompt none, not consented": {authorizeURL("stranger", "prompt", "none"), "interaction_required"},
		"prompt none, not allowed":   {authorizeURL("finance", "prompt", "none"), "access_denied"},
		"prompt none, hint damaged":  {authorizeURL("wiki", "prompt", "none", "id_token_hint", "x"), "login_required"},
	} {
		back := b.get(c.target).back()
		if back.Get("error") != c.want || back.Get("state") != "st&te" || back.Get("iss") != testIssuer || back.Has("code") {
			t.Errorf("%s: %v, want error %s with state and iss", name, back, c.want)
		}
	}
	doubled := b.get(authorizeURL("wiki") + "&state=other").back()
	if doubled.Get("error") != "invalid_request" || doubled.Has("state") {
		t.Errorf("state twice: %v, want invalid_request and none of the states", doubled)
	}
}

func TestUnknownParametersAndAuthorizationHeadersAreIgnored(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	for _, header := range []string{"Negotiate YII=", "Basic YWxpY2U6cHc=", "Bearer x"} {
		r := httptest.NewRequest(http.MethodGet, authorizeURL("wiki", "ui_locales", "de fr", "claims_locales", "de", "display", "popup", "acr_values", "urn:example:gold",
			"prompt", "consent")+"&foo=1&foo=2", nil)
		r.Header.Set("Authorization", header)
		if back := b.do(r).back(); !back.Has("code") {
			t.Errorf("%s: %v", header, back)
		}
	}
}

// row is the login request behind a redirect to a login step.
func (b *browser) row(a *answer) (string, *store.LoginRequest) {
	b.w.t.Helper()
	to := a.location()
	if a.Code != http.StatusSeeOther || (!strings.HasPrefix(to.Path, "/login") && to.Path != policy.PathFactor) {
		b.w.t.Fatalf("answer %d to %s, want a login step", a.Code, to)
	}
	row, err := b.w.Store.LoginRequest(b.w.t.Context(), to.Query().Get("login"), b.hash())
	must(b.w.t, err)
	return to.Path, row
}

func TestPromptAndMaxAgeDecideWhoIsAsked(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	now := w.clock.Load()
	const hour = 3_600_000
	type want struct {
		path  string
		fresh bool
		min   int64
	}
	for name, c := range map[string]struct {
		client  string
		session bool
		changes []string
		want    want
	}{
		"nobody":                                {"wiki", false, nil, want{"/login/negotiate", false, 0}},
		"prompt=login":                          {"wiki", true, []string{"prompt", "login"}, want{"/login", true, 0}},
		"prompt=login without a session":        {"wiki", false, []string{"prompt", "login"}, want{"/login", true, 0}},
		"prompt=select_account":                 {"wiki", true, []string{"prompt", "select_account"}, want{"/login", true, 0}},
		"max_age exceeded":                      {"wiki", true, []string{"max_age", "60"}, want{"/login", true, now + 2*hour - 60_000}},
		"max_age=0":                             {"wiki", true, []string{"max_age", "0"}, want{"/login", true, now + 2*hour}},
		"max_age=0 before default_max_age":      {"hourly", true, []string{"max_age", "0"}, want{"/login", true, now + 2*hour}},
		"default_max_age":                       {"hourly", true, nil, want{"/login", true, now + hour}},
		"default_max_age without a session":     {"hourly", false, nil, want{"/login/negotiate", false, now + hour}},
		"max_age without a session":             {"wiki", false, []string{"max_age", "3600"}, want{"/login/negotiate", false, now + hour}},
		"a ticket will do, prompt=login":        {"lazy", true, []string{"prompt", "login"}, want{"/login/negotiate", false, 0}},
		"a ticket will do, max_age":             {"lazy", true, []string{"max_age", "60"}, want{"/login/negotiate", false, now + 2*hour - 60_000}},
		"a ticket will not do, another account": {"lazy", true, []string{"prompt", "select_account"}, want{"/login", true, 0}},
	} {
		w.clock.Store(now)
		b := w.browser()
		if c.session {
			b.logIn(url.Values{"user": {"alice"}})
		}
		w.pass(2 * time.Hour)
		path, row := b.row(b.get(authorizeURL(c.client, append(c.changes, "login_hint", "carol")...)))
		if diff := cmp.Diff(c.want, want{path, row.Fresh, row.MinAuthTime}, cmp.AllowUnexported(want{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if row.LoginHint != "carol" || row.ClientID != c.client {
			t.Errorf("%s: hint %q, client %q", name, row.LoginHint, row.ClientID)
		}
	}
}

func TestPromptNoneNeverShowsAPage(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	if back := w.browser().get(authorizeURL("wiki", "prompt", "none")).back(); back.Get("error") != "login_required" {
		t.Errorf("nobody: %v", back)
	}
	b := w.loggedIn("alice")
	if back := b.get(authorizeURL("wiki", "prompt", "none")).back(); !back.Has("code") {
		t.Errorf("with a session: %v", back)
	}
	if back := b.get(authorizeURL("wiki", "prompt", "none", "max_age", "0")).back(); back.Get("error") != "login_required" {
		t.Errorf("max_age=0 of a login just now: %v", back)
	}
	w.pass(time.Hour)
	if back := b.get(authorizeURL("wiki", "prompt", "none", "max_age", "60")).back(); back.Get("error") != "login_required" {
		t.Errorf("max_age exceeded: %v", back)
	}
}

func TestHintOfAnotherUserIsNotSatisfiedByThisSession(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.user("bob")
	alice := w.loggedIn("alice")
	a := alice.tokens("wiki")
	hint := a.str("id_token")
	w.pass(time.Hour) // expired
	if back := alice.get(authorizeURL("wiki", "prompt", "none", "id_token_hint", hint)).back(); !back.Has("code") {
		t.Errorf("her own hint: %v", back)
	}
	if back := alice.get(authorizeURL("wiki", "prompt", "none", "id_token_hint", a.str("access_token"))).back(); back.Has("code") {
		t.Errorf("an access token as hint: %v", back)
	}
	b := w.loggedIn("bob")
	if back := b.get(authorizeURL("wiki", "prompt", "none", "id_token_hint", hint)).back(); back.Get("error") != "login_required" {
		t.Errorf("prompt=none: %v", back)
	}
	path, row := b.row(b.get(authorizeURL("wiki", "id_token_hint", hint)))
	if path != "/login" {
		t.Errorf("sent to %s, want the form", path)
	}
	b.logIn(url.Values{"user": {"bob"}, "login": {row.ID}})
	if back := b.get("/authorize/resume?login=" + row.ID).back(); back.Get("error") != "login_required" || back.Has("code") {
		t.Errorf("bob again: %v", back)
	}
}

func TestUserOutsideAllowGroupsGetsAPageWithTwoWaysOn(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "staff")
	w.user("fiona", "staff", "finance")
	b := w.loggedIn("alice")
	a := b.get(authorizeURL("finance"))
	if a.Code != http.StatusForbidden || !strings.Contains(a.Body.String(), "Use another account") || !strings.Contains(a.Body.String(), "error=access_denied") {
		t.Fatalf("answer %d %s", a.Code, a.Body)
	}
	w.client("finance").AllowGroups = nil
	hint := b.tokens("finance").str("id_token")
	w.client("finance").AllowGroups = []string{"finance"}
	a = b.get(authorizeURL("finance", "login_hint", "alice", "id_token_hint", hint))
	link := regexp.MustCompile(`href="(/authorize\?[^"]+)"`).FindStringSubmatch(a.Body.String())
	if link == nil {
		t.Fatalf("no way to another account: %s", a.Body)
	}
	path, row := b.row(b.get(html.UnescapeString(link[1])))
	if path != "/login" || row.LoginHint != "" || strings.Contains(row.Params, "hint") {
		t.Errorf("another account: sent to %s, hint %q, asked for with %s", path, row.LoginHint, row.Params)
	}
	path, row = b.row(b.get(authorizeURL("finance", "prompt", "select_account")))
	if path != "/login" {
		t.Errorf("another account: sent to %s", path)
	}
	b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}})
	if a := b.get("/authorize/resume?login=" + row.ID); a.Code != http.StatusForbidden {
		t.Errorf("alice again: %d", a.Code)
	}
	_, row = b.row(b.get(authorizeURL("finance", "prompt", "select_account")))
	b.logIn(url.Values{"user": {"fiona"}, "login": {row.ID}})
	if back := b.get("/authorize/resume?login=" + row.ID).back(); !back.Has("code") {
		t.Errorf("fiona: %v", back)
	}
}

func TestCrossSitePostComesAgainByGet(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	a := w.browser().post("/authorize", authParams("wiki")) // without Lax cookies
	to := a.location()
	if a.Code != http.StatusSeeOther || to.Path != "/authorize" || a.Header().Get("Set-Cookie") != "" {
		t.Fatalf("answer %d to %s", a.Code, to)
	}
	for range 2 { // a reload is no attack
		if back := b.get(to.String()).back(); !back.Has("code") || back.Get("state") != "st&te" {
			t.Errorf("%v", back)
		}
	}
	other := to.Query()
	other.Set("client_id", "other")
	if a := b.get("/authorize?" + other.Encode()); a.Code != http.StatusBadRequest {
		t.Errorf("handle of another client: %d", a.Code)
	}
	w.pass(2*time.Minute + time.Second)
	if a := b.get(to.String()); a.Code != http.StatusBadRequest || !strings.Contains(a.Body.String(), "expired") {
		t.Errorf("handle after its time: %d", a.Code)
	}
	if back := w.browser().post("/authorize", authParams("wiki", "scope", "")).back(); back.Get("error") != "invalid_scope" {
		t.Errorf("a bad POST: %v", back)
	}
	if a := w.browser().post("/authorize", authParams("nobody")); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
		t.Errorf("a POST of an unknown client: %d", a.Code)
	}
}

func TestLoginRequestEndsInACodeOnce(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.browser()
	_, row := b.row(b.get(authorizeURL("wiki")))
	resume := "/authorize/resume?login=" + row.ID
	if a := b.get(resume); a.Code != http.StatusBadRequest {
		t.Errorf("before the login: %d", a.Code)
	}
	b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}})
	back := b.get(resume).back()
	if a := w.api("wiki", "/token", codeForm(back.Get("code"))); a.Code != http.StatusOK {
		t.Errorf("redeeming: %d %s", a.Code, a.Body)
	}
	a := b.get(resume)
	if a.Code != http.StatusBadRequest || !strings.Contains(a.Body.String(), "Start again from the site you came from") {
		t.Errorf("again: %d %s", a.Code, a.Body)
	}
}

// Who started a login must not get the code of whoever finishes it.
func TestLoginRequestOpenedInAnotherBrowserIsRefused(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	attacker, victim := w.browser(), w.loggedIn("alice")
	_, row := attacker.row(attacker.get(authorizeURL("wiki")))
	resume := "/authorize/resume?login=" + row.ID
	if a := victim.get("/test-login?user=alice&login=" + row.ID); a.Code == http.StatusOK {
		t.Error("the victim could finish the attacker's login")
	}
	for name, b := range map[string]*browser{"attacker": attacker, "victim": victim, "nobody": w.browser()} {
		if a := b.get(resume); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
			t.Errorf("%s: %d %s", name, a.Code, a.Header().Get("Location"))
		}
	}
}

func TestTwoTabsWithTwoUsersDoNotSwapSessions(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.user("bob")
	b := w.browser()
	_, first := b.row(b.get(authorizeURL("wiki")))
	_, second := b.row(b.get(authorizeURL("other")))
	b.logIn(url.Values{"user": {"alice"}, "login": {first.ID}})
	b.logIn(url.Values{"user": {"bob"}, "login": {second.ID}})
	if a := b.get("/authorize/resume?login=" + first.ID); a.Code != http.StatusBadRequest {
		t.Errorf("alice's tab after bob logged in: %d %s", a.Code, a.Header().Get("Location"))
	}
	if back := b.get("/authorize/resume?login=" + second.ID).back(); !back.Has("code") {
		t.Errorf("bob's tab: %v", back)
	}
}

func TestResumeOfATicketOlderThanMaxAgeAsksThePerson(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.browser()
	_, row := b.row(b.get(authorizeURL("wiki", "max_age", "60")))
	b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}, "ticket": {"old"}})
	path, again := b.row(b.get("/authorize/resume?login=" + row.ID))
	if path != "/login" || !again.Fresh {
		t.Errorf("sent to %s, fresh %v", path, again.Fresh)
	}
	b.logIn(url.Values{"user": {"alice"}, "login": {again.ID}})
	if back := b.get("/authorize/resume?login=" + again.ID).back(); !back.Has("code") {
		t.Errorf("%v", back)
	}
}

func TestResumeChecksTheRequestAnew(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	entry := store.Entry{Actor: "test"}
	for name, c := range map[string]struct {
		change func(c store.Client) error
		status int
		want   string // the error that the client is answered with; empty: it is answered nothing
	}{
		"nothing": {func(store.Client) error { return nil }, http.StatusSeeOther, ""},
		"removed": {func(c store.Client) error { return w.Store.RemoveClient(t.Context(), c.ClientID, entry) }, http.StatusBadRequest, ""},
		"another redirect URI": {func(c store.Client) error {
			c.RedirectURIs = []string{"https://elsewhere.example/callback"}
			return w.Store.UpdateClient(t.Context(), c, false, entry)
		}, http.StatusBadRequest, ""},
		"no scope left": {func(c store.Client) error {
			c.Scope = "read"
			return w.Store.UpdateClient(t.Context(), c, false, entry)
		}, http.StatusSeeOther, "invalid_scope"},
	} {
		id := "short " + name
		must(t, w.Store.AddClient(t.Context(), store.Client{ClientID: id, RedirectURIs: []string{testRedirect}, SecretHashes: [][]byte{secret.Hash("secret")}}, entry))
		stored, err := w.Store.ClientByID(t.Context(), id)
		must(t, err)
		b := w.browser()
		_, row := b.row(b.get(authorizeURL(id)))
		b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}})
		must(t, c.change(*stored))
		w.pass(2 * time.Second) // for so long a change of the database may go unnoticed
		a := b.get("/authorize/resume?login=" + row.ID)
		back := a.location().Query()
		if a.Code != c.status || back.Get("error") != c.want || back.Has("code") != (name == "nothing") {
			t.Errorf("%s: %d %s", name, a.Code, a.Header().Get("Location"))
		}
	}
}

// A login for one of our own pages ends there, wherever a row says it should.
func TestResumeOfOwnPageStaysHere(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	for returnTo, want := range map[string]string{
		"/account": "/account", "/account?x=1": "/account?x=1", "//evil.example": "/account", "https://evil.example": "/account",
		"/\\evil.example": "/account", "": "/account", "/\t/evil.example": "/account",
	} {
		b := w.browser()
		b.get("/test-silent") // makes the browser cookie
		id := "own" + returnTo
		must(t, w.Store.CreateLoginRequest(t.Context(), store.LoginRequest{ID: id, BrowserHash: b.hash(), Address: "127.0.0.1", ReturnTo: returnTo,
			ExpiresAt: w.clock.Load() + 60_000}))
		b.logIn(url.Values{"user": {"alice"}, "login": {id}})
		if a := b.get("/authorize/resume?login=" + url.QueryEscape(id)); a.Header().Get("Location") != want {
			t.Errorf("%q: sent to %q, want %q", returnTo, a.Header().Get("Location"), want)
		}
	}
}

func TestCookieThatComesTwiceIsRefused(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	r := httptest.NewRequest(http.MethodGet, authorizeURL("wiki"), nil)
	r.AddCookie(&http.Cookie{Name: "idp_session", Value: "planted"})
	if a := b.do(r); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
		t.Errorf("answer %d %s", a.Code, a.Header().Get("Location"))
	}
}

// Whatever somebody puts into a link: it is refused by a page, or by an answer to
// an address that is registered; what passes holds no more than the client may have.
func FuzzAuthorize(f *testing.F) {
	w := newWorld(f)
	f.Add(authParams("wiki", "resource", testLedger, "max_age", "60", "claims", `{"id_token":{"email":null,"acr":{"essential":true,"value":"1"}}}`).Encode())
	f.Add(authParams("native", "redirect_uri", "http://127.0.0.1:8080/cb", "prompt", "none", "response_mode", "form_post").Encode())
	f.Add(authParams("old", "request", "a.eyJzdGF0ZSI6ImEifQ.").Encode() + "&state=b")
	f.Add(authParams("pushes", "request_uri", pushed.RequestURI+"x", "id_token_hint", "a.b.c").Encode() + "&resource=%23")
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := w.readAuthRequest(t.Context(), raw)
		var ours *protocol.Error
		var page *web.Error
		switch {
		case a == nil && !errors.As(err, &ours) && (!errors.As(err, &page) || page.Status != http.StatusBadRequest):
			t.Fatalf("%v is not the answer to a bad request", err)
		case a == nil:
			return
		case !clients.RedirectAllowed(a.Client, a.Redirect) || a.Params["client_id"] != a.Client.ClientID:
			t.Fatalf("would answer %q for %q", a.Redirect, a.Client.ClientID)
		case err != nil && (!errors.As(err, &ours) || ours.ErrorType == protocol.ServerError):
			t.Fatalf("%v is not the client's error", err)
		case err != nil:
			return
		case clients.RequiresPKCE(a.Client) && len(a.Challenge) != 43, a.Client.RequirePAR, a.Scope == "" || clients.AllowedScope(a.Client, a.Scope) != a.Scope:
			t.Errorf("%q passes: challenge %q, scope %q", raw, a.Challenge, a.Scope)
		}
		again, err := w.reread(t.Context(), &store.LoginRequest{Params: a.Params.Encode()}) // as a login request keeps it
		if diff := cmp.Diff(a, again, cmp.Exporter(func(reflect.Type) bool { return true })); err != nil || diff != "" {
			t.Errorf("read again: %v %s", err, diff)
		}
	})
}
