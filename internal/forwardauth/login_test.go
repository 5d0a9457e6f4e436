package forwardauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"idp/internal/audit"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
)

// begun is a browser that has begun a login at a site, and the code that it got; the
// callback has not been opened.
func begun(t *testing.T, s *idptest.Server, p *site, b *idptest.Browser) (callback *url.URL) {
	t.Helper()
	page := b.Once(http.MethodGet, p.URL+"/.idp/start?to=/mine", nil, nil)
	authorize, err := page.Response.Location()
	if err != nil {
		t.Fatalf("start: %d\n%s", page.StatusCode, page.Body)
	}
	strangers := *b
	strangers.Also = nil // stays at the issuer
	got := strangers.Get(authorize.String())
	if got.Location == nil {
		got = strangers.LogIn(got, "bob", idptest.BobPassword)
	}
	if got.Location == nil || got.Location.Path != "/.idp/callback" || got.Location.Query().Get("code") == "" {
		t.Fatalf("authorize: walked %s, to %s", got.Walked, got.Location)
	}
	return got.Location
}

// A code is good for the browser that began, at the host that it is for, once.
func TestHoleCallbackOfAnotherBrowser(t *testing.T) {
	idptest.Each(t, idptest.Options{YAML: sites}, func(t *testing.T, s *idptest.Server) {
		p := protect(t, s, "reports.localhost")
		attacker := browser(t, s, p)
		callback := begun(t, s, p, attacker)
		victim := browser(t, s, p)
		for name, b := range map[string]*idptest.Browser{"without a cookie": browser(t, s, p), "with a login of its own": victim} {
			if b == victim {
				b.Once(http.MethodGet, p.URL+"/.idp/start?to=/", nil, nil)
			}
			page := b.Once(http.MethodGet, callback.String(), nil, nil)
			if where, _ := page.Response.Location(); page.StatusCode != http.StatusSeeOther || where.Path != "/.idp/start" {
				t.Errorf("%s: %d to %s", name, page.StatusCode, where)
			}
			for _, c := range b.CookiesAt(p.URL) {
				if c.Name == "idp_site" {
					t.Errorf("%s is logged in", name)
				}
			}
		}
		// Nothing of it has used the code up.
		if page := attacker.Get(callback.String()); page.StatusCode != http.StatusOK || page.Header.Get("Remote-User") != "bob" {
			t.Errorf("its own browser: %d, walked %s", page.StatusCode, page.Walked)
		}
	})
}

func TestHoleCallbackMovedToAnotherHost(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	b := browser(t, s, p)
	callback := begun(t, s, p, b)
	var verifier *http.Cookie
	for _, c := range b.CookiesAt(p.URL) {
		if c.Name == "idp_start" {
			verifier = c
		}
	}
	moved := p.askAt(t.Context(), http.MethodGet, callback.RequestURI(), http.Header{"X-Forwarded-Proto": {"http"},
		"X-Forwarded-Host": {strings.Replace(strings.TrimPrefix(p.URL, "http://"), "reports", "open", 1)}, "Cookie": {verifier.Name + "=" + verifier.Value}})
	if a := read(t, moved); a.StatusCode != http.StatusSeeOther || a.Header.Get("Set-Cookie") != "" {
		t.Errorf("%d, cookies %q", a.StatusCode, a.Header["Set-Cookie"])
	}
}

// Behind a proxy that asks without the browser's cookie, whoever has logged in is told
// so, and not sent round for ever; who begins a login that is not needed any more, in
// another tab, comes to their page.
func TestProxyThatDoesNotPassCookies(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	b := bobAt(t, s, p)
	if page := b.Get(p.URL + "/.idp/start?to=/mine"); page.StatusCode != http.StatusOK || len(page.Walked) != 2 || page.Body != "application /mine" {
		t.Errorf("a login that is not needed: walked %s, status %d\n%s", page.Walked, page.StatusCode, page.Body)
	}
	if page := b.Get(p.URL + "/.idp/start?to=/mine&other=account"); strings.Contains(page.Body, "application") {
		t.Errorf("another account: walked %s\n%s", page.Walked, page.Body)
	}
	p.forgets = true
	b = browser(t, s, p)
	page := b.LogIn(b.Get(p.URL+"/mine"), "bob", idptest.BobPassword)
	if page.StatusCode != http.StatusForbidden || page.Header.Get("Idp-Reason") != "COOKIE_NOT_PASSED" || !strings.Contains(page.Body, "You are logged in, but its proxy does not tell") {
		t.Errorf("walked %s: %d %s\n%s", page.Walked, page.StatusCode, page.Header.Get("Idp-Reason"), page.Body)
	}
	if len(s.Log.Lines("reason=COOKIE_NOT_PASSED", "came without it")) != 1 {
		t.Errorf("the log does not say why:\n%s", s.Log)
	}
}

// Whoever keeps no cookies is told so, and not sent round for ever.
func TestBrowserWithoutCookies(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	callback := begun(t, s, p, browser(t, s, p))
	q := callback.Query()
	q.Set("state", "2/mine")
	callback.RawQuery = q.Encode()
	page := browser(t, s, p).Get(callback.String())
	if page.StatusCode != http.StatusBadRequest || !strings.Contains(page.Body, "does not keep the cookies") {
		t.Errorf("%d, walked %s\n%s", page.StatusCode, page.Walked, page.Body)
	}
}

func TestHoleOpenRedirect(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	b := bobAt(t, s, p)
	for _, to := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example/", "\\\\evil.example", "/\tevil", "/\r\nSet-Cookie: x=y", "javascript:alert(1)", "", "x", "/.idp/sign-out", "/" + strings.Repeat("a", 5000)} {
		p2 := browser(t, s, p)
		start := p2.Once(http.MethodGet, p.URL+"/.idp/start?to="+url.QueryEscape(to), nil, nil)
		where, _ := start.Response.Location()
		if got := where.Query().Get("state"); got != "1/" {
			t.Errorf("start %q: state %q", to, got)
		}
		// The same in the state of the callback, of somebody who is logged in.
		page := b.Once(http.MethodGet, p.URL+"/.idp/callback?state="+url.QueryEscape("1"+to), nil, nil)
		if where, _ := page.Response.Location(); where == nil || where.String() != p.URL+"/" {
			t.Errorf("callback %q: %d to %s", to, page.StatusCode, where)
		}
	}
}

// A site's client cannot be used at the endpoints for programs, nor its callback be
// another address.
func TestHoleSiteAsARelyingParty(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	b := browser(t, s, p)
	callback := begun(t, s, p, b)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {callback.Query().Get("code")}, "redirect_uri": {p.URL + "/.idp/callback"}, "client_id": {"reports.localhost"}}
	for _, secret := range []string{"", "x"} {
		if secret != "" {
			form.Set("client_secret", secret)
		}
		if got := s.Program(t).Post("/token", form); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("token: %d %s", got.StatusCode, got.Body)
		}
	}
	for _, uri := range []string{"http://reports.localhost:99999999/.idp/callback", "http://reports.localhost:1/.idp/callback/x", "http://reports.localhost.evil.example/.idp/callback",
		"http://reports.localhost@evil.example/.idp/callback", "http://reports.localhost:1@evil.example/.idp/callback", "http://reports.localhost:80", "http://evil.example/.idp/callback"} {
		auth := idptest.NewAuth("reports.localhost", uri)
		if got := b.Get(auth.URL()); got.StatusCode != http.StatusBadRequest || got.Location != nil {
			t.Errorf("%s: %d to %s", uri, got.StatusCode, got.Location)
		}
	}
}

// What ends a session ends it at the sites with the next request, on this node.
func TestSignedOutOrDisabled(t *testing.T) {
	idptest.Each(t, idptest.Options{YAML: sites}, func(t *testing.T, s *idptest.Server) {
		p := protect(t, s, "reports.localhost")
		b := bobAt(t, s, p)
		cookie := siteCookie(t, b, p)
		if a := p.put(t, asNginx(p, "/", "Cookie", cookie)); a.StatusCode != http.StatusOK {
			t.Fatalf("before: %d", a.StatusCode)
		}
		page := b.Get(p.URL + "/.idp/sign-out")
		action, form := page.Form(t, "form_token")
		b.Post(action, form)
		p.put(t, asNginx(p, "/", "Cookie", cookie)).wants(t, "signed out", http.StatusUnauthorized, "LOGIN_REQUIRED")
		if page := b.Get(p.URL + "/"); !strings.Contains(page.Body, `name="password"`) {
			t.Errorf("a page after sign-out: walked %s", page.Walked)
		}
		cookie = siteCookie(t, bobAt(t, s, p), p)
		if err := s.Store().SetDisabled(t.Context(), s.User("bob").ID, true, store.Entry{Actor: "test"}); err != nil {
			t.Fatal(err)
		}
		p.put(t, asNginx(p, "/", "Cookie", cookie)).wants(t, "disabled", http.StatusUnauthorized, "LOGIN_REQUIRED")
	})
}

// Two nodes: what ends on one ends on the other within the second.
func TestSignedOutOnAnotherNode(t *testing.T) {
	now := time.Now()
	s := idptest.Start(t, idptest.Options{YAML: sites, Now: func() time.Time { return now }})
	beside := idptest.Start(t, idptest.Options{YAML: sites, Beside: s, Now: func() time.Time { return now }})
	p, q := protect(t, s, "reports.localhost"), protect(t, beside, "reports.localhost")
	q.URL = p.URL
	cookie := siteCookie(t, bobAt(t, s, p), p)
	if a := q.put(t, asNginx(p, "/", "Cookie", cookie)); a.StatusCode != http.StatusOK {
		t.Fatalf("the other node: %d", a.StatusCode)
	}
	if err := s.Store().SetDisabled(t.Context(), s.User("bob").ID, true, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	q.put(t, asNginx(p, "/", "Cookie", cookie)).wants(t, "a second later", http.StatusUnauthorized, "LOGIN_REQUIRED")
}

// The assertion is verified by a library that is not ours, with our JWKS alone.
func TestAssertion(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	a := p.put(t, asNginx(p, "/", "Cookie", siteCookie(t, bobAt(t, s, p), p)))
	parsed, err := jwt.ParseSigned(a.Header.Get("Remote-Assertion"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if typ := parsed.Headers[0].ExtraHeaders["typ"]; typ != "assertion+jwt" {
		t.Errorf("typ %v", typ)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(s.Program(t).Get("/jwks").Body), &set); err != nil {
		t.Fatal(err)
	}
	var c struct {
		jwt.Claims
		Username string   `json:"preferred_username"`
		Groups   []string `json:"groups"`
		SID      string   `json:"sid"`
		ACR      string   `json:"acr"`
	}
	if err := parsed.Claims(set.Key(parsed.Headers[0].KeyID)[0], &c); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(jwt.Expected{Issuer: s.Issuer, AnyAudience: jwt.Audience{"reports.localhost"}, Time: time.Now()}); err != nil {
		t.Error(err)
	}
	if c.Username != "bob" || c.Subject != s.User("bob").ID || c.SID == "" || c.ACR != "1" || len(c.Groups) != 2 || c.Expiry.Time().Sub(c.IssuedAt.Time()) != time.Minute {
		t.Errorf("claims %+v", c)
	}
	// It is none of the other tokens: it opens nothing here.
	if got := s.Program(t).GetWith("/userinfo", "Bearer "+a.Header.Get("Remote-Assertion")); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo: %d", got.StatusCode)
	}
}

// A part that wants a second factor: people are asked for it and come back.
func TestSecondFactorOnTheWay(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	b := bobAt(t, s, p)
	p.put(t, asNginx(p, "/safe/x", "Cookie", siteCookie(t, b, p))).wants(t, "a program", http.StatusForbidden, "FACTOR_REQUIRED")
	page := b.Get(p.URL + "/safe/x?y")
	app := idptest.NewApp(t, page)
	action, form := page.Form(t, "setup_code")
	form.Set("setup_code", app.Code(time.Now()))
	page = b.Post(action, form)
	action, form = page.Form(t, "kept")
	form.Set("kept", "1")
	page = b.Post(action, form)
	if page.StatusCode != http.StatusOK || page.Body != "application /safe/x?y" {
		t.Errorf("walked %s: %d\n%s", page.Walked, page.StatusCode, page.Body)
	}
}

// The site sees its visitor elsewhere than the issuer does, where the rules demand more:
// it is asked for, and nobody is sent round for ever.
func TestFactorWhereTheSiteSeesItsVisitor(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites + "factors: [{networks: [127.0.0.0/8], acr: \"1\"}, {acr: mfa}]\n"})
	p := protect(t, s, "reports.localhost")
	b := bobAt(t, s, p)
	p.seen = "203.0.113.5"
	if page := b.Get(p.URL + "/x"); !strings.Contains(page.Body, "otpauth://") {
		t.Errorf("walked %s: %d\n%s", page.Walked, page.StatusCode, page.Body)
	}
}

// Somebody who is logged in and was refused is told so: back to the page would lead to
// the login again.
func TestRefusedAlthoughLoggedIn(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	b := bobAt(t, s, p)
	for code, reason := range map[string]string{"unmet_authentication_requirements": "FACTOR_REQUIRED", "access_denied": "NOT_ALLOWED", "server_error": ""} {
		page := b.Once(http.MethodGet, p.URL+"/.idp/callback?state=1/safe/&error="+code, nil, nil)
		if page.StatusCode != http.StatusForbidden || page.Header.Get("Idp-Reason") != reason {
			t.Errorf("%s: %d %s", code, page.StatusCode, page.Header.Get("Idp-Reason"))
		}
	}
}

// Scripts: Basic and tickets, without a session; a wrong password is one of the
// account's guesses, and a browser's is not looked at.
func TestCredentialsOfPrograms(t *testing.T) {
	realm := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm) + strings.Replace(sites, "groups: [partners]", "groups: []", 1)})
	p := protect(t, s, "reports.localhost")
	asked := p.put(t, asNginx(p, "/"))
	if offers := asked.Header["Www-Authenticate"]; len(offers) != 2 || offers[0] != "Negotiate" || offers[1] != `Basic realm="Example Ltd", charset="UTF-8"` {
		t.Errorf("offers %q", offers)
	}
	bob := idptest.Basic("bob", idptest.BobPassword)
	for range 3 {
		if a := p.put(t, asNginx(p, "/", "Authorization", bob)); a.StatusCode != http.StatusOK || a.Header.Get("Remote-User") != "bob" {
			t.Errorf("Basic: %d %s", a.StatusCode, a.Header.Get("Idp-Reason"))
		}
	}
	if n := len(s.Log.Lines("level=INFO", "login=basic", "status=200")); n != 1 {
		t.Errorf("%d logins in the log, want the one that was looked at", n)
	}
	if rows, err := s.Store().Entries(t.Context(), store.Filter{Event: audit.Login}); err != nil || len(rows) != 1 || rows[0].ClientID != "reports.localhost" {
		t.Errorf("%d rows of the audit log: %v", len(rows), err)
	}
	wrong := p.put(t, asNginx(p, "/", "Authorization", idptest.Basic("bob", "wrong")))
	wrong.wants(t, "a wrong password", http.StatusUnauthorized, "CREDENTIAL")
	if wrong.Header.Get("WWW-Authenticate") != "" {
		t.Error("a wrong password is asked for again")
	}
	if len(s.Log.Lines("reason=BAD_PASSWORD", "client_id=reports.localhost")) == 0 {
		t.Error("the log does not say why")
	}
	p.put(t, asNginx(p, "/", "Authorization", bob, "Sec-Fetch-Mode", "cors")).wants(t, "a browser's Basic", http.StatusUnauthorized, "LOGIN_REQUIRED")
	p.put(t, asNginx(p, "/", "Authorization", bob, "Origin", "https://evil.example")).wants(t, "another site's", http.StatusUnauthorized, "LOGIN_REQUIRED")
	p.put(t, asNginx(p, "/safe/", "Authorization", bob)).wants(t, "no second factor", http.StatusForbidden, "FACTOR_REQUIRED")

	ticket, err := realm.Ticket("alice", krbtest.AlicePassword, "HTTP/idp.localhost")
	if err != nil {
		t.Fatal(err)
	}
	token := idptest.Negotiate(t, ticket)
	a := p.put(t, asNginx(p, "/", "Authorization", token))
	if a.StatusCode != http.StatusOK || a.Header.Get("Remote-User") != "alice" || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Negotiate ") {
		t.Errorf("ticket: %d %s", a.StatusCode, a.Header.Get("Idp-Reason"))
	}
	p.put(t, asNginx(p, "/", "Authorization", token)).wants(t, "its replay", http.StatusUnauthorized, "CREDENTIAL")
	if err := s.Store().SetDisabled(t.Context(), s.User("bob").ID, true, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	p.put(t, asNginx(p, "/", "Authorization", bob)).wants(t, "Basic of a disabled user", http.StatusUnauthorized, "CREDENTIAL")
}

// A silent login by ticket adds no page.
func TestSilentTicketAtASite(t *testing.T) {
	realm := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm) + sites})
	ticket, err := realm.Ticket("alice", krbtest.AlicePassword, "HTTP/idp.localhost")
	if err != nil {
		t.Fatal(err)
	}
	p := protect(t, s, "open.localhost")
	b := browser(t, s, p)
	page := b.Get(p.URL + "/x")
	if page.StatusCode != http.StatusUnauthorized || page.Request.URL.Path != "/login/negotiate" {
		t.Fatalf("walked %s: %d", page.Walked, page.StatusCode)
	}
	page = b.GetWith(page.Request.URL.String(), idptest.Negotiate(t, ticket))
	if page.StatusCode != http.StatusOK || page.Header.Get("Remote-User") != "alice" || page.Body != "application /x" {
		t.Errorf("walked %s: %d", page.Walked, page.StatusCode)
	}
}
