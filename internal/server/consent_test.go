package server_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"idp/internal/idptest"
	"idp/internal/store"
)

// shop is a relying party that people must allow to know them.
const shop = `  - client_id: shop
    client_name: Shop
    client_secret_file: wiki.secret
    redirect_uris: [http://shop.localhost/callback]
    grant_types: [authorization_code, refresh_token]
    scope: openid profile email groups offline_access read
    groups: [staff*]
    policy_uri: https://shop.example/privacy
    trusted: false
`

const shopCallback = "http://shop.localhost/callback"

// atShop is a request of the shop, with bob logged in, and the consent page.
func atShop(t *testing.T, b *idptest.Browser, scope string) (*idptest.Auth, *idptest.Page) {
	t.Helper()
	auth := idptest.NewAuth("shop", shopCallback)
	auth.Query.Set("scope", scope)
	p := b.Get(auth.URL())
	if strings.Contains(p.Body, `name="password"`) {
		p = b.LogIn(p, "bob", idptest.BobPassword)
	}
	if p.StatusCode != http.StatusOK || p.Request.URL.Path != "/consent" {
		t.Fatalf("walked %s to %d %v, want the consent page\n%s", p.Walked, p.StatusCode, p.Location, p.Body)
	}
	return auth, p
}

// say presses one of the two buttons.
func say(t *testing.T, b *idptest.Browser, p *idptest.Page, answer string) *idptest.Page {
	t.Helper()
	action, form := p.Form(t, "answer")
	form.Set("answer", answer)
	return b.Post(action, form)
}

func TestConsentIsAskedListedAndTakenBack(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{Clients: shop}, func(t *testing.T, s *idptest.Server) {
		rp := newRelyingParty(t, s, "shop", idptest.WikiSecret, shopCallback)
		b := s.Browser(t)
		auth, page := atShop(t, b, "openid email groups offline_access")
		for _, words := range []string{"Allow Shop?", "shop.localhost", "<strong>bob</strong>", "Use another account", "An identifier that stands for you", "bob@example.com",
			"those it may see: staff-eu", "stay logged in there while you are away", `href="https://shop.example/privacy" target="_blank" rel="noopener noreferrer"`} {
			if !strings.Contains(page.Body, words) {
				t.Errorf("the page does not say %q", words)
			}
		}
		if strings.Contains(page.Body, "partners") || strings.Contains(page.Body, ">new<") {
			t.Errorf("the page says too much:\n%s", page.Body)
		}
		token, err := rp.oauth.Exchange(rp.ctx, auth.Code(t, s, say(t, b, page, "allow")), oauth2.VerifierOption(auth.Verifier))
		if err != nil {
			t.Fatal(err)
		}
		if again := b.Get(page.Request.URL.String()); again.StatusCode != http.StatusBadRequest || !strings.Contains(again.Body, "Start again from the site you came from") {
			t.Errorf("Back to the page: %d\n%s", again.StatusCode, again.Body)
		}
		next := idptest.NewAuth("shop", shopCallback)
		next.Query.Set("scope", "openid email")
		if p := b.Get(next.URL()); len(p.Walked) != 1 {
			t.Errorf("asked for the same again: %s", p.Walked)
		} else {
			next.Code(t, s, p)
		}
		if _, p := atShop(t, b, "openid email read"); !strings.Contains(p.Body, `“read”</strong> <span class="tag">new</span>`) || strings.Count(p.Body, ">new<") != 1 {
			t.Errorf("more is asked for, and the page does not mark it:\n%s", p.Body)
		}

		account := b.Get("/account/sites")
		if !strings.Contains(account.Body, "Sites you allowed (1)") || !strings.Contains(account.Body, "shop.localhost") {
			t.Errorf("/account/sites lists nothing:\n%s", account.Body)
		}
		action, form := account.Form(t, "client_id")
		for range 2 { // sent twice it does nothing more, and says the same
			if p := b.Post(action, form); !strings.Contains(p.Body, "Taken back from Shop") || !strings.Contains(p.Body, "None so far") {
				t.Errorf("taken back: %d\n%s", p.StatusCode, p.Body)
			}
		}
		if _, err := rp.oauth.TokenSource(rp.ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
			t.Errorf("refresh after that: %v", err)
		}
		if _, err := rp.provider.UserInfo(rp.ctx, oauth2.StaticTokenSource(token)); err == nil {
			t.Error("userinfo answers after that")
		}
		atShop(t, b, "openid")
		entries, err := s.Store().Entries(t.Context(), store.Filter{UserID: s.User("bob").ID, Event: "consent_revoked"})
		if err != nil || len(entries) != 1 || entries[0].Actor != "bob" || entries[0].ClientID != "shop" {
			t.Errorf("audit: %+v, %v", entries, err)
		}
	})
}

func TestConsentRefusedGoesBackToTheSite(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: shop})
	b := s.Browser(t)
	auth, page := atShop(t, b, "openid")
	p := say(t, b, page, "deny")
	if p.Location == nil || p.Location.Query().Get("error") != "access_denied" || p.Location.Query().Get("state") != auth.Query.Get("state") || !strings.HasPrefix(p.Location.String(), shopCallback) {
		t.Fatalf("%d to %v", p.StatusCode, p.Location)
	}
	if p := say(t, b, page, "allow"); p.Location != nil || p.StatusCode != http.StatusBadRequest { // Back, and the other button
		t.Errorf("changed their mind on a page that is over: %d to %v", p.StatusCode, p.Location)
	}
	if c, err := s.Store().Consents(t.Context(), s.User("bob").ID); err != nil || len(c) != 0 {
		t.Errorf("allowed all the same: %v, %v", c, err)
	}
}

func TestConsentSentTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: shop})
	b := s.Browser(t)
	auth, page := atShop(t, b, "openid")
	action, form := page.Form(t, "answer")
	for _, answer := range []string{"allow", "allow", "deny"} { // the first one counts
		form.Set("answer", answer)
		if p := b.Once("POST", action, form, nil); p.StatusCode != http.StatusSeeOther || !strings.Contains(p.Header.Get("Location"), "/authorize/resume") {
			t.Fatalf("%s: %d", answer, p.StatusCode)
		}
	}
	form.Set("answer", "allow")
	auth.Code(t, s, b.Post(action, form))
	if p := b.Post(action, form); p.Location != nil || p.StatusCode != http.StatusBadRequest || !strings.Contains(p.Body, "This link has expired") {
		t.Errorf("when it is over: %d to %v", p.StatusCode, p.Location)
	}
	entries, err := s.Store().Entries(t.Context(), store.Filter{UserID: s.User("bob").ID, Event: "consent_given"})
	if err != nil || len(entries) != 1 {
		t.Errorf("audit: %+v, %v", entries, err)
	}
}

// Another site, another page, another person: none of them can say yes.
func TestHoleConsentForged(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: shop})
	addUser(t, s, "carol")
	b := s.Browser(t)
	_, first := atShop(t, b, "openid")
	_, second := atShop(t, b, "openid email")
	_, third := atShop(t, b, "openid")
	action, form := first.Form(t, "answer")
	_, other := second.Form(t, "answer")
	_, twin := third.Form(t, "answer")
	form.Set("answer", "allow")
	with := func(name, value string) url.Values {
		f := url.Values{}
		for k, v := range form {
			f[k] = v
		}
		f.Set(name, value)
		return f
	}
	carol := s.Browser(t)
	carol.LogIn(carol.Get("/account"), "carol", idptest.BobPassword)
	for name, c := range map[string]struct {
		by     *idptest.Browser
		form   url.Values
		header http.Header
		status int
	}{
		"no token":              {b, with("form_token", ""), nil, http.StatusForbidden},
		"a made-up token":       {b, with("form_token", "AAAA"), nil, http.StatusForbidden},
		"another question":      {b, with("form_token", other.Get("form_token")), nil, http.StatusForbidden},
		"the same question's":   {b, with("form_token", twin.Get("form_token")), nil, http.StatusForbidden},
		"another login request": {b, with("login", twin.Get("login")), nil, http.StatusForbidden},
		"no login request":      {b, with("login", ""), nil, http.StatusBadRequest},
		"no answer":             {b, with("answer", ""), nil, http.StatusBadRequest},
		"another site's form":   {b, form, http.Header{"Sec-Fetch-Site": {"cross-site"}}, http.StatusForbidden},
		"a sibling's form":      {b, form, http.Header{"Sec-Fetch-Site": {"same-site"}}, http.StatusForbidden},
		"another browser":       {s.Browser(t), form, nil, http.StatusBadRequest},
		"another person's":      {carol, form, nil, http.StatusBadRequest},
	} {
		p := c.by.Once("POST", action, c.form, c.header)
		if p.StatusCode != c.status || p.Header.Get("Location") != "" {
			t.Errorf("%s: %d to %q, want %d", name, p.StatusCode, p.Header.Get("Location"), c.status)
		}
	}
	if p := carol.Get(first.Request.URL.String()); p.StatusCode != http.StatusBadRequest || strings.Contains(p.Body, "Allow Shop") {
		t.Errorf("carol sees bob's page: %d", p.StatusCode)
	}
	for _, user := range []string{"bob", "carol"} {
		if c, err := s.Store().Consents(t.Context(), s.User(user).ID); err != nil || len(c) != 0 {
			t.Errorf("%s: %v, %v", user, c, err)
		}
	}
}

// What is allowed is what the row asks, whatever a form adds to it; and a page
// that was shown before the question grew answers nothing.
func TestHoleConsentScopeEscalated(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: strings.Replace(shop, "scope: openid profile email", "scope: openid", 1)})
	b := s.Browser(t)
	_, page := atShop(t, b, "openid email profile")
	action, form := page.Form(t, "answer")
	form.Set("answer", "allow")
	form.Set("scope", "openid email profile")
	form.Set("consent", "openid email profile")
	reloadWith(t, s, "scope: openid groups", "scope: openid profile email groups")
	if p := b.Post(action, form); p.Request.URL.Path != "/consent" || !strings.Contains(p.Body, `Your profile</strong> <span class="tag">new`) {
		t.Errorf("what the site may ask for has grown, and the page does not say so: %d %s", p.StatusCode, p.Walked)
	}
	if got := allowedShop(t, s); got != "openid" {
		t.Errorf("allowed %q, want what the page showed", got)
	}
	if p := b.Post(action, form); p.StatusCode != http.StatusForbidden || p.Location != nil {
		t.Errorf("the page about less answers for more: %d to %v", p.StatusCode, p.Location)
	}
	if got := allowedShop(t, s); got != "openid" {
		t.Errorf("allowed %q by a page that did not say so", got)
	}
	if p := say(t, b, b.Get(page.Request.URL.String()), "allow"); p.Location == nil || !p.Location.Query().Has("code") || allowedShop(t, s) != "openid email profile" {
		t.Errorf("to %v, allowed %q", p.Location, allowedShop(t, s))
	}
}

// allowedShop is what bob allowed.
func allowedShop(t *testing.T, s *idptest.Server) string {
	t.Helper()
	c, err := s.Store().Consent(t.Context(), s.User("bob").ID, "shop")
	if err != nil {
		t.Fatal(err)
	}
	return c.Scope
}

// reloadWith changes a word of the configuration file.
func reloadWith(t *testing.T, s *idptest.Server, before, after string) {
	t.Helper()
	path := filepath.Join(s.Dir, "idp.yaml")
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), before) {
		t.Fatalf("no %q in the file: %v", before, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), before, after, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(t.Context(), s.Config()); err != nil {
		t.Fatal(err)
	}
}

// While bob's page is open, carol logs in in another tab.
func TestHoleConsentByAnotherUserOfTheBrowser(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: shop})
	addUser(t, s, "carol")
	b := s.Browser(t)
	_, page := atShop(t, b, "openid")
	_, form := page.Form(t, "answer")
	login := b.Get("/login?login=" + url.QueryEscape(form.Get("login"))) // bob's own login request
	asked := b.LogIn(login, "carol", idptest.BobPassword)
	if asked.Request.URL.Path != "/consent" || !strings.Contains(asked.Body, "<strong>carol</strong>") {
		t.Fatalf("carol is not asked: %s", asked.Walked)
	}
	if p := say(t, b, page, "allow"); p.StatusCode != http.StatusForbidden || p.Location != nil {
		t.Errorf("bob's page answers for carol: %d to %v", p.StatusCode, p.Location)
	}
	if p := say(t, b, asked, "allow"); p.Location == nil || !p.Location.Query().Has("code") {
		t.Errorf("carol: %d", p.StatusCode)
	}
	for user, want := range map[string]int{"bob": 0, "carol": 1} {
		if c, err := s.Store().Consents(t.Context(), s.User(user).ID); err != nil || len(c) != want {
			t.Errorf("%s: %v, %v", user, c, err)
		}
	}
}

// The same in a tab of its own: bob's page is over.
func TestConsentPageEndsWithItsSession(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: shop})
	addUser(t, s, "carol")
	b := s.Browser(t)
	_, page := atShop(t, b, "openid")
	auth := idptest.Wiki()
	auth.Query.Set("prompt", "select_account")
	auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "carol", idptest.BobPassword))
	for name, p := range map[string]*idptest.Page{"the page": b.Get(page.Request.URL.String()), "the answer": say(t, b, page, "allow")} {
		if p.StatusCode != http.StatusBadRequest || p.Location != nil || len(p.Walked) != 1 || !strings.Contains(p.Body, "Start again from the site you came from") {
			t.Errorf("%s: %d %s", name, p.StatusCode, p.Walked)
		}
	}
}

// No other site's page, and no link, takes consent back or says that it was.
func TestTakingBackNeedsOurForm(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: shop})
	b := s.Browser(t)
	_, page := atShop(t, b, "openid")
	say(t, b, page, "allow")
	action, form := b.Get("/account/sites").Form(t, "client_id")
	if p := b.Once("POST", action, form, http.Header{"Sec-Fetch-Site": {"cross-site"}}); p.StatusCode != http.StatusForbidden {
		t.Errorf("another site's form: %d", p.StatusCode)
	}
	forged := url.Values{"client_id": {"shop"}, "form_token": {"AAAA"}}
	if p := b.Once("POST", action, forged, nil); p.StatusCode != http.StatusForbidden {
		t.Errorf("without its token: %d", p.StatusCode)
	}
	if p := s.Browser(t).Once("POST", action, form, nil); p.Header.Get("Location") != s.Issuer+"/account/sites" {
		t.Errorf("by nobody: %d to %q", p.StatusCode, p.Header.Get("Location"))
	}
	for _, link := range []string{"/account/sites?done=taken_back+shop", "/account/sites?done=taken_back+shop&token=AAAA", "/account/sites?done=taken_back+wiki&token=" + url.QueryEscape(form.Get("form_token"))} {
		if p := b.Get(link); strings.Contains(p.Body, "Taken back") || !strings.Contains(p.Body, "Sites you allowed (1)") {
			t.Errorf("%s is believed", link)
		}
	}
}

// RFC 8252 §8.6: a page that is shown each time says so, and only that one.
func TestConsentPageSaysWhetherItIsTheLast(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: shop + `  - client_id: phone
    token_endpoint_auth_method: none
    redirect_uris: [http://127.0.0.1/cb, https://app.example/cb]
    trusted: false
`})
	b := s.Browser(t)
	_, secret := atShop(t, b, "openid")
	for _, c := range []struct {
		name string
		page *idptest.Page
		last bool
	}{
		{"a client with a secret", secret, true},
		{"an https address", b.Get(idptest.NewAuth("phone", "https://app.example/cb").URL()), true},
		{"any program of this machine", b.Get(idptest.NewAuth("phone", "http://127.0.0.1:8000/cb").URL()), false},
	} {
		if strings.Contains(c.page.Body, "not asked for again") != c.last || strings.Contains(c.page.Body, "You are asked each time") == c.last {
			t.Errorf("%s:\n%s", c.name, c.page.Body)
		}
	}
}

func TestConsentPageCannotBeFramed(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: shop})
	b := s.Browser(t)
	_, page := atShop(t, b, "openid")
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || page.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("CSP %q, X-Frame-Options %q", csp, page.Header.Get("X-Frame-Options"))
	}
	if page.Header.Get("Cache-Control") != "no-store" {
		t.Error("the page may be kept")
	}
	if p := b.Once("HEAD", page.Request.URL.String(), nil, nil); p.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d", p.StatusCode)
	}
}
