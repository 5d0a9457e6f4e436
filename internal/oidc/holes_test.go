package oidc

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"idp/internal/oidc/pushed"
	"idp/internal/oidc/rptest"
	"idp/internal/secret"
	"idp/internal/store"
)

// evil makes a client that nobody has vouched for, and returns its id and secret. It
// is where the tests' other clients are, so not by /register, which would refuse it.
func (w *world) evil() (id, plain string) {
	w.t.Helper()
	id, plain = secret.ID(), secret.Token().Reveal()
	must(w.t, w.Store.RegisterClient(w.t.Context(), store.Client{ClientID: id, ClientName: "Bank", SecretHashes: [][]byte{secret.Hash(secret.String(plain))},
		RedirectURIs: []string{testRedirect}, PostLogoutRedirectURIs: []string{bye}}, 10, store.Entry{Actor: "test"}))
	return id, plain
}

func (w *world) as(id, plain, target string, form url.Values) *answer {
	r := postForm(target, form)
	r.SetBasicAuth(id, plain)
	r.RemoteAddr = "127.0.0.1:1234"
	return w.do(r)
}

// stays checks that the answer is a page of ours that sends nobody anywhere by itself.
func (a *answer) stays(name string, status int) {
	a.t.Helper()
	body := a.Body.String()
	if a.Code != status || a.Header().Get("Location") != "" || strings.Contains(body, "http-equiv") || strings.Contains(body, "submit()") {
		a.t.Errorf("%s: %d to %q, want a page %d that waits: %s", name, a.Code, a.Header().Get("Location"), status, body)
	}
}

// Whoever can have parameters kept, by whatever endpoint, has pushed nothing.
func TestHoleParkedSignOutIsNoPushedRequest(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	for name, forged := range map[string]string{
		"a hash": base64.RawURLEncoding.EncodeToString(secret.Bytes(32)), "no base64": "%%%", "short": "AA", "long": strings.Repeat("A", 8000),
	} {
		form := authParams("pushes")
		form.Set("request_uri", forged)
		parked := w.browser().post("/end_session", form).location()
		uri := parked.Query().Get("request_uri")
		if parked.Path != "/end_session" || uri == "" {
			t.Fatalf("%s: %s", name, parked)
		}
		for _, client := range []string{"", "pushes", "sign out"} {
			q := url.Values{"request_uri": {uri}}
			if client != "" {
				q.Set("client_id", client)
			}
			b.get("/authorize?"+q.Encode()).stays(name+" as "+client, http.StatusBadRequest)
		}
		row, err := w.Store.PushedRequest(t.Context(), secret.Hash(secret.String(strings.TrimPrefix(uri, pushed.RequestURI))))
		must(t, err)
		if kept, err := url.ParseQuery(row.Params); err != nil || len(kept) != 2 || kept.Get("client_id") != "pushes" || len(row.PushedHash) != 0 {
			t.Errorf("%s: kept %s", name, row.Params)
		}
	}
	// Whatever a row holds: its owner asks, and what was pushed is no parameter.
	for i, c := range []struct{ owner, asked string }{{"", ""}, {"sign out", "sign out"}, {"", "wiki"}, {"wiki", "wiki"}} {
		handle := secret.Token()
		form := authParams("wiki", "request_uri", base64.RawURLEncoding.EncodeToString(secret.Hash(handle)))
		must(t, w.Store.PutPushedRequest(t.Context(), store.PushedRequest{Hash: secret.Hash(handle), ClientID: c.owner, Params: form.Encode(), ExpiresAt: w.clock.Load() + 60_000}))
		q := url.Values{"request_uri": {pushed.RequestURI + handle.Reveal()}, "client_id": {c.asked}}
		if a := b.get("/authorize?" + q.Encode()); a.location().Query().Has("code") || (a.Code != http.StatusBadRequest) != (i == 3) {
			t.Errorf("owner %q, asked as %q: %d %s", c.owner, c.asked, a.Code, a.location())
		}
	}
	// Nor does it use up what another client pushed.
	target := w.push("pushes")
	handle := strings.TrimPrefix(strings.Split(target, "request_uri=")[1], url.QueryEscape(pushed.RequestURI))
	form := authParams("wiki", "request_uri", base64.RawURLEncoding.EncodeToString(secret.Hash(secret.String(handle))))
	b.get("/authorize?" + w.browser().post("/end_session", form).location().RawQuery)
	if a := b.post("/authorize", form); a.location().Query().Get("error") != "request_uri_not_supported" {
		t.Errorf("a hash at the authorization endpoint: %d %s", a.Code, a.location())
	}
	if back := b.get(target).back(); !back.Has("code") {
		t.Errorf("what was pushed is used up: %v", back)
	}
}

// A name is told where whoever got the token may know it, and to nobody else.
func TestHoleIntrospectionTellsNames(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	w.client("old").PreferredUsername = "{name}@{realm}"
	for name, c := range map[string]struct {
		client  string
		changes []string
		want    any
	}{
		"openid alone":                  {"wiki", []string{"scope", "openid"}, nil},
		"email":                         {"wiki", []string{"scope", "openid email"}, nil},
		"profile":                       {"wiki", []string{"scope", "openid profile"}, "alice"},
		"the claim":                     {"wiki", []string{"scope", "openid", "claims", `{"userinfo":{"preferred_username":null}}`}, "alice"},
		"in the ID token":               {"wiki", []string{"scope", "openid", "claims", `{"id_token":{"preferred_username":null}}`}, "alice"},
		"another claim":                 {"wiki", []string{"scope", "openid", "claims", `{"userinfo":{"email":null}}`}, nil},
		"by its template":               {"old", []string{"scope", "openid profile"}, "alice@EXAMPLE.COM"},
		"by its template, openid alone": {"old", []string{"scope", "openid"}, nil},
	} {
		a := b.tokens(c.client, c.changes...)
		for _, token := range []string{a.str("access_token"), a.str("refresh_token")} {
			if got := w.api(c.client, "/introspect", url.Values{"token": {token}}).json(); token != "" && (got["active"] != true || got["username"] != c.want) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
	for scope, want := range map[string]any{"openid read": nil, "openid profile read": "alice"} {
		token := b.tokens("wiki", "scope", scope, "resource", testLedger).str("access_token")
		if got := w.api(testLedger, "/introspect", url.Values{"token": {token}}).json(); got["active"] != true || got["username"] != want {
			t.Errorf("%s, as the resource server: %v, want %v", scope, got, want)
		}
	}
	token := b.tokens("wiki", "scope", "openid", "claims", `{"userinfo":{"preferred_username":null}}`).str("access_token")
	w.client("wiki").Scope = "openid email"
	if got := w.api("wiki", "/introspect", url.Values{"token": {token}}).json(); got["username"] != nil {
		t.Errorf("taken from its registration: %v", got)
	}
}

// A client that its user has allowed nothing learns by prompt=none neither whether
// somebody is there, nor who.
func TestHoleWhoIsThereByPromptNone(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	w.user("bob")
	b := w.loggedIn("alice")
	hint := b.tokens("wiki").str("id_token")
	w.pass(time.Minute)
	questions := map[string][]string{
		"nothing":       nil,
		"her":           {"claims", `{"id_token":{"sub":{"value":"` + alice.ID + `"}}}`},
		"another":       {"claims", `{"id_token":{"sub":{"values":["x","y"]}}}`},
		"max_age":       {"max_age", "10"},
		"now":           {"max_age", "0"},
		"recently":      {"max_age", "3600"},
		"acr":           {"claims", `{"id_token":{"acr":{"essential":true,"values":["1"]}}}`},
		"stronger acr":  {"claims", `{"id_token":{"acr":{"essential":true,"values":["mfa"]}}}`},
		"more":          {"scope", "openid email"},
		"without email": {"scope", "openid"},
	}
	one := func(name string, browsers ...*browser) {
		t.Helper()
		for asked, changes := range questions {
			for i, b := range browsers {
				back := b.get(authorizeURL("stranger", append(changes, "prompt", "none")...)).back()
				if back.Get("error") != "interaction_required" || back.Get("error_description") != "the user has to be asked first" || len(back) != 4 {
					t.Errorf("%s, %s, browser %d: %v", name, asked, i, back)
				}
			}
		}
	}
	one("nothing allowed", b, w.loggedIn("bob"), w.browser())
	w.client("stranger").AllowGroups = []string{"finance"}
	one("not for them", b, w.loggedIn("bob"), w.browser())
	w.client("stranger").AllowGroups = nil
	// What was allowed may be asked about, and no more.
	b.say(b.asked(b.get(authorizeURL("stranger", "scope", "openid"))), true).back()
	for asked, want := range map[string]string{"her": "", "another": "login_required", "max_age": "login_required", "recently": ""} {
		if back := b.get(authorizeURL("stranger", append(questions[asked], "scope", "openid", "prompt", "none")...)).back(); back.Get("error") != want {
			t.Errorf("allowed, %s: %v, want %q", asked, back, want)
		}
	}
	delete(questions, "without email")
	for asked, changes := range questions {
		questions[asked] = append(changes, "scope", "openid email")
	}
	one("more than allowed", b, w.loggedIn("bob"), w.browser())
	// Without prompt=none: nobody is sent back at once because of who they are.
	for i, b := range []*browser{b, w.loggedIn("bob"), w.browser()} {
		if back := b.get(authorizeURL("stranger", "claims", `{"id_token":{"sub":{"value":"`+alice.ID+`"},"acr":{"essential":true,"values":["gold"]}}}`)).back(); back.Get("error") != "unmet_authentication_requirements" {
			t.Errorf("a level that nobody reaches, browser %d: %v", i, back)
		}
	}
	// An ID token of another client is no hint, whose client it is: trusted or not.
	for client, want := range map[string]string{"wiki": "", "other": "login_required", "stranger": "login_required"} {
		if back := b.get(authorizeURL(client, "prompt", "none", "id_token_hint", hint)).back(); back.Get("error") != want {
			t.Errorf("wiki's hint from %s: %v", client, back)
		}
	}
}

var pageLink = regexp.MustCompile(`<a href="(https://wiki[^"]*)"|action="(https://wiki[^"]*)"`)

// Nobody is forwarded to an address that anybody could have registered.
func TestHoleForwardedToWhateverRegisteredItself(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	id, _ := w.evil()
	bad := []string{"scope", "nonsense"}
	for name, b := range map[string]*browser{"nobody": w.browser(), "somebody else's": w.loggedIn("alice")} {
		for what, a := range map[string]*answer{
			"an error":       b.get(authorizeURL(id, bad...)),
			"by form_post":   b.get(authorizeURL(id, append(bad, "response_mode", "form_post")...)),
			"in silence":     b.get(authorizeURL(id, "prompt", "none")),
			"posted":         b.post("/authorize", authParams(id, bad...)),
			"unreachable":    b.get(authorizeURL(id, "claims", `{"id_token":{"acr":{"essential":true,"value":"gold"}}}`)),
			"request object": b.get(authorizeURL(id, "request", "a.b.c")),
		} {
			a.stays(name+", "+what, http.StatusBadRequest)
			m := pageLink.FindStringSubmatch(a.Body.String())
			if m == nil || !strings.Contains(a.Body.String(), `<span class="host">wiki.example.com</span>`) || !strings.Contains(html.UnescapeString(a.Body.String()), "error") {
				t.Errorf("%s, %s: no way on: %s", name, what, a.Body)
			}
		}
	}
	b := w.browser()
	target := logoutURL("client_id", id, "post_logout_redirect_uri", bye, "state", "s")
	b.get(target).stays("sign-out", http.StatusOK)
	if a := b.get(target); !strings.Contains(a.Body.String(), bye+"?state=s") || !strings.Contains(a.Body.String(), `<span class="host">wiki.example.com</span>`) {
		t.Errorf("sign-out: no way on: %s", a.Body)
	}
	// Whoever allowed it something knows it, and an administrator may vouch for it.
	c := w.loggedIn("alice")
	c.say(c.asked(c.get(authorizeURL(id, "scope", "openid"))), true).back()
	if back := c.get(authorizeURL(id, bad...)).back(); back.Get("error") != "invalid_scope" {
		t.Errorf("allowed: %v", back)
	}
	denied := w.loggedIn("alice")
	denied.say(denied.asked(denied.get(authorizeURL(id, "scope", "openid email"))), false).back()
	w.trust(id)
	if back := w.browser().get(authorizeURL(id, bad...)).back(); back.Get("error") != "invalid_scope" {
		t.Errorf("trusted: %v", back)
	}
	if a := w.browser().get(target); a.Header().Get("Location") != bye+"?state=s" {
		t.Errorf("trusted, sign-out: %d %s", a.Code, a.Header().Get("Location"))
	}
}

// trust is an administrator who vouches for a client that registered itself.
func (w *world) trust(id string) {
	w.t.Helper()
	c, err := w.Store.ClientByID(w.t.Context(), id)
	must(w.t, err)
	yes := true
	c.Trusted = &yes
	must(w.t, w.Store.UpdateClient(w.t.Context(), *c, false, store.Entry{Actor: "test"}))
	w.pass(2 * time.Second) // as long as the registry may remember the old one
}

// An ID token of one's own, or of a client that nobody has vouched for, neither ends
// somebody's session nor says that they signed out.
func TestHoleSignedOutByAStrangersToken(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.user("mallory")
	id, plain := w.evil()
	tokenOf := func(b *browser, client, plain string) string {
		a := b.get(authorizeURL(client, "scope", "openid"))
		if a.location().Path == "/consent" {
			a = b.say(b.asked(a), true)
		}
		return w.as(client, plain, "/token", codeForm(a.back().Get("code"))).str("id_token")
	}
	mallory := w.loggedIn("mallory")
	for name, hint := range map[string]string{"of a trusted client": tokenOf(mallory, "wiki", "secret"), "of a stranger": tokenOf(mallory, id, plain)} {
		victim := w.browser()
		victim.get(logoutURL("id_token_hint", hint))
		if path, _ := victim.row(victim.get(authorizeURL("wiki"))); path != "/login/negotiate" {
			t.Errorf("%s: tickets are switched off: %s", name, path)
		}
	}
	victim := w.browser()
	victim.get(logoutURL("id_token_hint", tokenOf(mallory, id, plain), "post_logout_redirect_uri", bye)).stays("a token of their own", http.StatusOK)

	alice := w.loggedIn("alice")
	hint := tokenOf(alice, id, plain)
	page := alice.get(logoutURL("id_token_hint", hint, "post_logout_redirect_uri", bye))
	page.stays("the session of an untrusted client", http.StatusOK)
	if !alice.alive() {
		t.Error("ended without being asked")
	}
	form := url.Values{"form_token": {formToken(t, page.Body.String())}, "id_token_hint": {hint}, "post_logout_redirect_uri": {bye}}
	if a := alice.post("/end_session", form); a.Header().Get("Location") != bye || alice.alive() {
		t.Errorf("confirmed: %d %s", a.Code, a.Header().Get("Location"))
	}
	// Of the last session of this browser it leads on, and changes nothing.
	again := w.loggedIn("alice")
	hint = tokenOf(again, id, plain)
	w.pass(9 * time.Hour)
	if a := again.get(logoutURL("id_token_hint", hint, "post_logout_redirect_uri", bye)); a.Header().Get("Location") != bye {
		t.Errorf("the last session: %d %s", a.Code, a.Header().Get("Location"))
	}
	if path, _ := again.row(again.get(authorizeURL("wiki"))); path != "/login/negotiate" {
		t.Errorf("the last session: tickets are switched off: %s", path)
	}
}

// What registered itself is counted like anybody, and may not push as much.
func TestHoleAStrangersPushesAreBounded(t *testing.T) {
	w := newWorld(t)
	push := func(id, plain, address string, changes ...string) *answer {
		r := postForm("/par", authParams(id, changes...))
		r.SetBasicAuth(id, plain)
		r.RemoteAddr = address + ":1234"
		return w.do(r)
	}
	fill := func(id, address string) {
		for i := range 2000 {
			h := secret.Hash(secret.String(fmt.Sprint(id, address, i)))
			must(t, w.Store.PutPushedRequest(t.Context(), store.PushedRequest{Hash: h, PushedHash: h, ClientID: id, Address: address, ExpiresAt: w.clock.Load() + 60_000}))
		}
	}
	id, plain := w.evil()
	push(id, plain, "192.0.2.1", "state", strings.Repeat("x", 9000)).wantError(http.StatusRequestEntityTooLarge, "invalid_request")
	if a := push("wiki", "secret", "192.0.2.1", "state", strings.Repeat("x", 9000)); a.Code != http.StatusCreated {
		t.Errorf("an administrator's client: %d %s", a.Code, a.Body)
	}
	fill(id, "")
	push(id, plain, "192.0.2.1").wantError(http.StatusTooManyRequests, "invalid_request")
	id, plain = w.evil()
	if a := push(id, plain, "192.0.2.1"); a.Code != http.StatusCreated {
		t.Errorf("another client: %d %s", a.Code, a.Body)
	}
	fill("", "192.0.2.2")
	push(id, plain, "192.0.2.2").wantError(http.StatusTooManyRequests, "invalid_request")
	fill("wiki", "")
	if a := push("wiki", "secret", "192.0.2.2"); a.Code != http.StatusCreated {
		t.Errorf("an administrator's client: %d %s", a.Code, a.Body)
	}
}

// A proof or an assertion that comes with a request for nothing is not used up:
// strangers leave no rows.
func TestHoleProofsUsedUpForNothing(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	key := rptest.NewKey(t, "ES256")
	code := w.loggedIn("alice").code("native")
	r := w.prove(postForm("/token", nil), key, nil)
	shown := r.Header.Get("DPoP")
	post := func(target string, form url.Values) *answer {
		form.Set("client_id", "native")
		r := postForm(target, form)
		r.Header.Set("DPoP", shown)
		return w.do(r)
	}
	post("/token", url.Values{"grant_type": {"x"}}).wantError(400, "unsupported_grant_type")
	post("/token", url.Values{"grant_type": {"client_credentials"}}).wantError(400, "unauthorized_client")
	post("/token", url.Values{}).wantError(400, "invalid_request")
	if a := post("/token", codeForm(code)); a.Code != http.StatusOK {
		t.Errorf("the proof was used up: %d %s", a.Code, a.Body)
	}
	post("/token", codeForm(code)).wantError(400, "invalid_dpop_proof")
	shown = w.prove(postForm("/par", nil), key, nil).Header.Get("DPoP")
	post("/par", authParams("native", "scope", "nonsense")).wantError(400, "invalid_scope")
	if a := post("/par", authParams("native")); a.Code != http.StatusCreated {
		t.Errorf("the proof was used up: %d %s", a.Code, a.Body)
	}
	signer := rptest.NewKey(t, "ES256")
	w.signing("signs", signer, nil)
	form := assertionForm(signer.Assertion(t, "signs", testIssuer, w.now(), nil))
	form.Set("grant_type", "x")
	w.do(postForm("/token", form)).wantError(400, "unsupported_grant_type")
	form.Set("grant_type", "client_credentials")
	if a := w.do(postForm("/token", form)); a.Code != http.StatusOK {
		t.Errorf("the assertion was used up: %d %s", a.Code, a.Body)
	}
}

// Who shows nothing but an assertion as a grant, which does not hold, gets one answer,
// whatever client is named.
func TestHoleWhichClientsThereAreByGrant(t *testing.T) {
	w := newWorld(t)
	key, other := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "ES256")
	w.robot("robot", key, nil)
	w.robot("trusting", key, func(c *store.Client) {
		c.TokenEndpointAuthMethod, c.JWKS = "none", nil
		c.TrustedAssertions = []store.TrustedAssertion{{Issuer: "https://platform.example.com", JWKSURI: "https://platform.example.com/jwks", Subject: "job"}}
	})
	sign := func(changes map[string]any) string { return other.Assertion(t, "robot", testIssuer, w.now(), changes) }
	want := ""
	for name, form := range map[string]url.Values{
		"no such client":      bearerForm(sign(map[string]any{"iss": "nobody", "sub": "nobody"})),
		"no such client_id":   bearerForm(sign(nil), "client_id", "nobody"),
		"another's key":       bearerForm(sign(nil)),
		"named too":           bearerForm(sign(nil), "client_id", "robot"),
		"not its issuer":      bearerForm(sign(nil), "client_id", "trusting"),
		"not for the grant":   bearerForm(sign(nil), "client_id", "wiki"),
		"another audience":    bearerForm(sign(map[string]any{"aud": "https://x.example"})),
		"expired":             bearerForm(sign(map[string]any{"exp": 1})),
		"no jti":              bearerForm(sign(map[string]any{"jti": nil})),
		"a user":              bearerForm(sign(map[string]any{"sub": "alice"})),
		"algorithm of no key": bearerForm(rptest.NewKey(t, "RS256").Assertion(t, "robot", testIssuer, w.now(), nil)),
	} {
		a := w.do(postForm("/token", form))
		if want == "" {
			want = a.Body.String()
		}
		if a.Code != http.StatusBadRequest || a.str("error") != "invalid_grant" || a.Body.String() != want {
			t.Errorf("%s: %d %s, another got %s", name, a.Code, a.Body, want)
		}
	}
}
