package server_test

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"idp/internal/factor/factortest"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
)

var optionsRE = regexp.MustCompile(`data-options="([^"]*)"`)

// question is what a page asks its browser for; empty: no passkey.
func question(p *idptest.Page) string {
	m := optionsRE.FindStringSubmatch(p.Body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// show answers a page's question for a passkey.
func show(t *testing.T, b *idptest.Browser, p *idptest.Page, d *factortest.Authenticator) *idptest.Page {
	t.Helper()
	if question(p) == "" {
		t.Fatalf("%s (%d) asks for no passkey:\n%s", p.Request.URL, p.StatusCode, p.Body)
	}
	if strings.Contains(p.Body, `name="new_passkey"`) {
		return fill(t, b, p, "new_passkey", d.Create(t, question(p)))
	}
	return fill(t, b, p, "passkey", d.Get(t, question(p)))
}

// passkeyOf gives bob a passkey by his account's page, as his first factor.
func (f *factors) passkeyOf(change func(*factortest.Authenticator)) *factortest.Authenticator {
	f.t.Helper()
	d := &factortest.Authenticator{Origin: f.Issuer}
	if change != nil {
		change(d)
	}
	b := f.Browser(f.t)
	p := b.LogIn(b.Get("/account/factors/passkey"), "bob", idptest.BobPassword)
	recoveryCodes(f.t, show(f.t, b, p, d))
	return d
}

// claimsOf ends a login at the wiki and returns the claims of its ID token.
func (f *factors) claimsOf(auth *idptest.Auth, p *idptest.Page) map[string]any {
	f.t.Helper()
	rp := newRelyingParty(f.t, f.Server, "wiki", idptest.WikiSecret, "http://wiki.localhost/callback")
	token, err := rp.oauth.Exchange(rp.ctx, auth.Code(f.t, f.Server, p), oauth2.VerifierOption(auth.Verifier))
	if err != nil {
		f.t.Fatal(err)
	}
	return rp.claims(f.t, token, auth.Query.Get("nonce"))
}

func (f *factors) wantShown(claims map[string]any, acr string, amr ...any) {
	f.t.Helper()
	if got, _ := claims["amr"].([]any); claims["acr"] != acr || !slices.Equal(got, amr) {
		f.t.Errorf("acr %v, amr %v, want %s, %v", claims["acr"], claims["amr"], acr, amr)
	}
}

func TestAPasskeyLogsInAlone(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	d := f.passkeyOf(nil)
	b, auth := f.Browser(t), idptest.Wiki()
	auth.Query.Set("acr_values", "phr")
	p := b.Get(auth.URL())
	wantPage(t, p, "Log in with a passkey", `autocomplete="username webauthn"`, "/static/passkey.")
	f.wantShown(f.claimsOf(auth, show(t, b, p, d)), "phr", "pop", "user", "mfa")
	wantPage(t, b.Get("/account/sessions"), "with a passkey")
	if len(f.Log.Lines("login=passkey", "user=bob")) == 0 {
		t.Errorf("no log line of it:\n%s", f.Log)
	}
	f.wantAudit("passkey", "factor_added")
}

func TestAPasskeyIsASecondFactor(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{YAML: partnersNeedTwo})
	d := &factortest.Authenticator{Origin: f.Issuer}
	app, _ := f.enrol()
	b := f.Browser(t)
	p := b.LogIn(b.Get("/account/factors/passkey"), "bob", idptest.BobPassword)
	p = show(t, b, fill(t, b, p, "code", f.nextCode(app)), d)
	wantPage(t, p, "Your passkey is set up", "Passkey, on one device only")

	for unverified, want := range map[bool]struct {
		acr string
		amr []any
	}{true: {"mfa", []any{"pwd", "pop", "mfa"}}, false: {"phr", []any{"pwd", "pop", "user", "mfa"}}} {
		d.Unverified = unverified
		b, auth := f.Browser(t), idptest.Wiki()
		p := b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
		wantPage(t, p, "One more step", "Log in with a passkey", `name="code"`)
		f.wantShown(f.claimsOf(auth, show(t, b, p, d)), want.acr, want.amr...)
	}
	f.wantAudit("form, passkey")

	// Where nothing less than a passkey that makes sure of its person will do.
	d.Unverified = true
	b, auth := f.Browser(t), idptest.Wiki()
	auth.Query.Set("acr_values", "phr")
	p = b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
	p = show(t, b, p, d)
	wantPage(t, p, "Your passkey did not make sure of you", "This browser cannot use passkeys")
	d.Unverified = false
	f.wantShown(f.claimsOf(auth, show(t, b, p, d)), "phr", "pwd", "pop", "user", "mfa")
}

// Whoever must show a passkey and has none makes one, behind all that they have.
func TestAPasskeyIsMadeOnTheWay(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	d := &factortest.Authenticator{Origin: f.Issuer}
	b, auth := f.Browser(t), idptest.Wiki()
	auth.Query.Set("acr_values", "phr")
	p := b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
	wantPage(t, p, "Make a passkey", "You have none yet: make one now", "This browser cannot use passkeys")
	d.Unverified = true
	p = show(t, b, p, d)
	wantPage(t, p, "Your passkey did not make sure of you")
	d.Unverified = false
	p = show(t, b, p, d)
	recoveryCodes(t, p)
	if signedIn(f.Server, b) {
		t.Error("logged in before the codes were kept")
	}
	f.wantShown(f.claimsOf(auth, fill(t, b, p, "kept", "1")), "phr", "pwd", "pop", "user", "mfa")
}

// TestHolePasskeyMadeByWhoeverKnowsThePassword: beside what somebody has, nothing is
// made until all of it was shown.
func TestHolePasskeyMadeByWhoeverKnowsThePassword(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	d := &factortest.Authenticator{Origin: f.Issuer}
	// The page was opened before bob had anything, and is sent when he has.
	thief, early := f.Browser(t), idptest.Wiki()
	early.Query.Set("acr_values", "phr")
	opened := thief.LogIn(thief.Get(early.URL()), "bob", idptest.BobPassword)
	app, _ := f.enrol()
	wantPage(t, show(t, thief, opened, d), `name="code"`)

	b, auth := f.Browser(t), idptest.Wiki()
	auth.Query.Set("acr_values", "phr")
	p := b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
	wantPage(t, p, "Show your code first", `name="code"`)
	if question(p) != "" {
		t.Error("a passkey is asked for behind a password alone")
	}
	action, form := p.Form(t, "code")
	form.Set("new_passkey", `{"id":"AA"}`)
	p = b.Post(action, form)
	wantPage(t, p, `name="code"`)
	if have, err := f.Store().FactorsOf(t.Context(), f.User("bob").ID); err != nil || len(have) != 1 {
		t.Fatalf("%v, %v", have, err)
	}
	p = fill(t, b, p, "code", f.nextCode(app))
	f.wantShown(f.claimsOf(auth, show(t, b, p, d)), "phr", "pwd", "otp", "mfa", "pop", "user")
}

// TestHolePasskeyOfAnotherLogin: what was shown for one login, or at one step, is
// refused at another.
func TestHolePasskeyOfAnotherLogin(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{Users: "  - {name: carol, password_file: bob.txt}\n"})
	d := f.passkeyOf(nil)
	login := func() (*idptest.Browser, *idptest.Page) {
		b := f.Browser(t)
		return b, b.Get(idptest.Wiki().URL())
	}
	refused := func(what string, b *idptest.Browser, p *idptest.Page, answer string) {
		t.Helper()
		p = fill(t, b, p, "passkey", answer)
		wantPage(t, p, "Your passkey was not accepted", "Reference: ")
		if signedIn(f.Server, b) {
			t.Errorf("%s: logged in", what)
		}
	}
	mine, page := login()
	other, otherPage := login()
	refused("in another browser", other, otherPage, d.Get(t, question(page)))
	refused("at another login request", mine, mine.Get(idptest.Wiki().URL()), d.Get(t, question(page)))
	refused("of another challenge", mine, page, d.Get(t, `{"challenge":"AAAA","rpId":"idp.localhost"}`))

	// bob's passkey behind carol's password.
	b := f.Browser(t)
	p := b.LogIn(b.Get("/account/factors/passkey"), "carol", idptest.BobPassword)
	carols := &factortest.Authenticator{Origin: f.Issuer}
	recoveryCodes(t, show(t, b, p, carols))
	b = f.Browser(t)
	p = b.LogIn(b.Get(idptest.Wiki().URL()), "carol", idptest.BobPassword)
	refused("another user's as second factor", b, p, d.Use(t, d.Last(), question(p)))
	if len(f.Log.Lines("reason=PASSKEY_UNKNOWN", "another user's: bob")) == 0 {
		t.Error("the log does not say whose it was")
	}
	// The second step's answer at the login page, of the same request.
	answer := carols.Get(t, question(p))
	refused("a second factor alone", b, b.Get("/login?login="+url.QueryEscape(formLogin(t, p))), answer)

	// A good answer, sent twice, by its own browser.
	answer = d.Get(t, question(page))
	action, form := page.Form(t, "passkey")
	form.Set("passkey", answer)
	if p := mine.Once("POST", action, form, nil); !strings.Contains(p.Header.Get("Location"), "/authorize/resume") {
		t.Fatalf("a good answer leads to %s", p.Header.Get("Location"))
	}
	if p := mine.Once("POST", action, form, nil); strings.Contains(p.Header.Get("Location"), "/authorize/resume") {
		t.Error("the same answer logs in twice")
	}
}

func formLogin(t *testing.T, p *idptest.Page) string {
	t.Helper()
	_, form := p.Form(t, "login")
	return form.Get("login")
}

// TestHolePasskeyTellsNothing: refused passkeys read alike, whoever's they are.
func TestHolePasskeyTellsNothing(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	d := f.passkeyOf(nil)
	texts := map[string]bool{}
	try := func(d *factortest.Authenticator) {
		t.Helper()
		b := f.Browser(t)
		p := b.Get(idptest.Wiki().URL())
		p = fill(t, b, p, "passkey", d.Get(t, question(p)))
		text, _, _ := strings.Cut(p.Body[strings.Index(p.Body, `id="notice"`):], "</div>")
		texts[text] = true
		if signedIn(f.Server, b) || strings.Contains(p.Body, `value="bob"`) {
			t.Errorf("logged in, or named:\n%s", p.Body)
		}
	}
	stranger := &factortest.Authenticator{Origin: f.Issuer}
	stranger.Create(t, `{"challenge":"AA","rp":{"id":"idp.localhost"},"user":{"id":"AA"}}`)
	try(stranger)
	if err := f.Store().SetDisabled(t.Context(), f.User("bob").ID, true, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	try(d)
	f.wantAudit("USER_DISABLED")
	if err := f.Store().SetDisabled(t.Context(), f.User("bob").ID, false, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	d.Swap(t)
	try(d)
	if len(texts) != 1 {
		t.Errorf("%d different texts: %v", len(texts), texts)
	}
}

func TestAPasskeyIsRemoved(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	d := f.passkeyOf(nil)
	b := f.Browser(t)
	p := show(t, b, b.Get("/account/factors"), d)
	wantPage(t, p, "Passkey, on one device only", "Rename or remove")
	p = b.Get(linkTo(t, p, "Rename or remove"))
	action, form := p.Form(t, "name")
	form.Set("name", "Phone")
	wantPage(t, b.Post(action, form), "Renamed", "Phone")
	action, form = p.Form(t, "remove")
	form.Set("remove", "1")
	wantPage(t, b.Post(action, form), "Removed")
	b = f.Browser(t)
	p = b.Get(idptest.Wiki().URL())
	wantPage(t, fill(t, b, p, "passkey", d.Get(t, question(p))), "Your passkey was not accepted")
	f.wantAudit("factor_removed")
}

func TestAPasskeyPageThatWasOpenForLong(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	d := f.passkeyOf(nil)
	b := f.Browser(t)
	p := b.Get(idptest.Wiki().URL())
	f.ahead.Add(int64(11 * time.Minute))
	p = show(t, b, p, d)
	wantPage(t, p, "This page was open for too long")
	if p = show(t, b, p, d); p.Location == nil {
		t.Errorf("the next answer is refused, too:\n%s", p.Body)
	}
}

func TestThereAreNoPasskeysAtAnAddress(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Host: "127.0.0.1"})
	b := s.Browser(t)
	p := b.Get(idptest.Wiki().URL())
	if question(p) != "" || strings.Contains(p.Body, "passkey") {
		t.Errorf("a passkey is offered:\n%s", p.Body)
	}
	b.LogIn(p, "bob", idptest.BobPassword)
	if p = b.Get("/account/factors/passkey"); p.StatusCode != 404 || strings.Contains(b.Get("/account/factors").Body, "/account/factors/passkey") {
		t.Errorf("%d", p.StatusCode)
	}
}

// Where no directory says that an account of the company is still enabled, a passkey
// alone would outlive it: behind the company's password it is good.
func TestHolePasskeyOutlivesTheCompanysAccount(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	f := startFactors(t, idptest.Options{YAML: idptest.KerberosYAML(realm)})
	d := &factortest.Authenticator{Origin: f.Issuer}
	b := f.Browser(t)
	p := b.LogIn(b.Get("/account/factors/passkey"), "alice", krbtest.AlicePassword)
	recoveryCodes(t, show(t, b, p, d))

	b = f.Browser(t)
	p = show(t, b, b.Get("/account"), d)
	wantPage(t, p, "A passkey alone is not enough here")
	if signedIn(f.Server, b) || len(f.Log.Lines("PASSKEY_UNVOUCHED", "user=alice")) == 0 {
		t.Errorf("logged in, or no log line says why not:\n%s", f.Log)
	}
	p = b.LogIn(b.Get("/account"), "alice", krbtest.AlicePassword)
	show(t, b, p, d)
	if !signedIn(f.Server, b) {
		t.Error("behind the password the passkey is no second factor")
	}
}
