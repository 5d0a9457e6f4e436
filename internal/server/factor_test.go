package server_test

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
)

// partnersNeedTwo is a rule for bob.
const partnersNeedTwo = "factors:\n  - {groups: [partners], acr: mfa}\n"

// factors is a server whose clock a test moves on, so that it waits for no code.
type factors struct {
	*idptest.Server
	t     *testing.T
	ahead atomic.Int64
}

func startFactors(t *testing.T, o idptest.Options) *factors {
	t.Helper()
	f := &factors{t: t}
	o.Now = f.now
	f.Server = idptest.Start(t, o)
	return f
}

func (f *factors) now() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) }

// nextCode is one that was not used before.
func (f *factors) nextCode(app *idptest.App) string {
	f.ahead.Add(int64(time.Minute))
	return app.Code(f.now())
}

// enrol sets up bob's first app, by a login that demands one, and returns it with his
// recovery codes.
func (f *factors) enrol() (app *idptest.App, codes []string) {
	f.t.Helper()
	b, auth := f.Browser(f.t), idptest.Wiki()
	auth.Query.Set("acr_values", "mfa")
	p := b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
	app = idptest.NewApp(f.t, p)
	p = fill(f.t, b, p, "setup_code", app.Code(f.now()))
	codes = recoveryCodes(f.t, p)
	auth.Code(f.t, f.Server, fill(f.t, b, p, "kept", "1"))
	return app, codes
}

// fill fills in the form of a page that has a field, and sends it.
func fill(t *testing.T, b *idptest.Browser, p *idptest.Page, field, value string) *idptest.Page {
	t.Helper()
	action, form := p.Form(t, field)
	form.Set(field, value)
	return b.Post(action, form)
}

var codeRE = regexp.MustCompile(`<li><code>([0-9A-Z-]{19})</code></li>`)

func recoveryCodes(t *testing.T, p *idptest.Page) (codes []string) {
	t.Helper()
	for _, m := range codeRE.FindAllStringSubmatch(p.Body, -1) {
		codes = append(codes, m[1])
	}
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes on %s (%d):\n%s", len(codes), p.Request.URL, p.StatusCode, p.Body)
	}
	return codes
}

// signedIn reports whether the browser has a live session.
func signedIn(f *idptest.Server, b *idptest.Browser) bool {
	for _, c := range b.Cookies() {
		if c.Name == "idp_session" {
			return b.Once("GET", "/account", nil, nil).StatusCode == http.StatusOK
		}
	}
	return false
}

func wantPage(t *testing.T, p *idptest.Page, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(html.UnescapeString(p.Body), w) {
			t.Fatalf("%s %s (%d) does not say %q:\n%s", p.Request.Method, p.Request.URL, p.StatusCode, w, p.Body)
		}
	}
}

// A rule demands two factors, and bob has one: he sets up an app on the way, keeps his
// recovery codes, and is where he wanted to go. From then on he is asked for a code.
func TestTheFirstAppIsSetUpOnTheWay(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{YAML: partnersNeedTwo})
	b, auth := f.Browser(t), idptest.Wiki()
	p := b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
	wantPage(t, p, "Set up an authenticator app", "Wiki", "You are logging in as <strong>bob</strong>", `inputmode="numeric" autocomplete="one-time-code"`, "<svg class=\"qr\"")
	if signedIn(f.Server, b) {
		t.Fatal("logged in by a password alone")
	}
	again := b.Get(p.Request.URL.String())
	if idptest.NewApp(t, again).URI.String() != idptest.NewApp(t, p).URI.String() {
		t.Error("a reload shows another secret")
	}
	app := idptest.NewApp(t, p)
	p = fill(t, b, p, "setup_code", "000000")
	wantPage(t, p, "The code is wrong", app.URI.Query().Get("secret")[:4])
	p = fill(t, b, p, "setup_code", app.Code(f.now()))
	codes := recoveryCodes(t, p)
	if again := recoveryCodes(t, b.Get(p.Request.URL.String())); again[9] != codes[9] {
		t.Error("a reload shows other recovery codes")
	}
	if signedIn(f.Server, b) {
		t.Fatal("logged in before the codes were kept")
	}
	auth.Code(t, f.Server, fill(t, b, p, "kept", "1"))
	if !signedIn(f.Server, b) {
		t.Error("not logged in")
	}

	b, auth = f.Browser(t), idptest.Wiki()
	p = b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
	wantPage(t, p, "One more step", "Wiki", "Use a recovery code instead", `inputmode="numeric" autocomplete="one-time-code"`)
	p = fill(t, b, p, "code", "12 34 5")
	wantPage(t, p, "The code is wrong", "Reference: ")
	auth.Code(t, f.Server, fill(t, b, p, "code", f.nextCode(app)))

	b, auth = f.Browser(t), idptest.Wiki()
	p = b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
	p = b.Get(linkTo(t, p, "Use a recovery code instead"))
	p = fill(t, b, p, "recovery_code", "nothing like it")
	wantPage(t, p, "The code is wrong", `name="recovery_code"`)
	auth.Code(t, f.Server, fill(t, b, p, "recovery_code", strings.ToLower(codes[4])))
	f.wantAudit("login", "form, recovery code", "login_failed", "BAD_CODE", "recovery_code_used", "recovery_codes_made", "factor_added")
}

// wantAudit: each of the words stands in some entry of bob's.
func (f *factors) wantAudit(words ...string) {
	f.t.Helper()
	entries, err := f.Store().Entries(f.t.Context(), store.Filter{UserID: f.User("bob").ID})
	if err != nil {
		f.t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range entries {
		all.WriteString(strings.Join([]string{e.Event, e.Reason, e.Detail, "\n"}, " "))
	}
	for _, w := range words {
		if !strings.Contains(all.String(), w) {
			f.t.Errorf("no entry says %q:\n%s", w, all.String())
		}
	}
}

// linkTo is where a link of a page leads.
func linkTo(t *testing.T, p *idptest.Page, text string) string {
	t.Helper()
	m := regexp.MustCompile(`<a[^>]* href="([^"]*)"[^>]*>` + regexp.QuoteMeta(text) + `|<a href="([^"]*)"[^>]*>` + regexp.QuoteMeta(text)).FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("no link %q:\n%s", text, p.Body)
	}
	return html.UnescapeString(m[1] + m[2])
}

// Behind the browser's prompt, too, whoever has a factor is asked for it; a ticket asks
// for nothing that no rule demands.
func TestOwnFactorBehindThePrompt(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	f := startFactors(t, idptest.Options{YAML: idptest.KerberosYAML(realm)})
	app := f.appOf("alice", krbtest.AlicePassword)
	b, auth := f.Browser(t), idptest.Wiki()
	p := b.GetWith(b.Get(auth.URL()).Request.URL.String(), idptest.Basic("alice", krbtest.AlicePassword))
	wantPage(t, p, "One more step", "alice")
	auth.Code(t, f.Server, fill(t, b, p, "code", f.nextCode(app)))

	b, auth = f.Browser(t), idptest.Wiki()
	header := idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))
	auth.Code(t, f.Server, b.GetWith(b.Get(auth.URL()).Request.URL.String(), header))
	if len(f.Log.Lines("login=code", "user=alice")) == 0 {
		t.Error("the log has no line of the code")
	}
}

// What people do to their factors on the account's pages.
func TestFactorsOnTheAccountsPages(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	app := f.appOf("bob", idptest.BobPassword)
	phone := f.Browser(t)
	p := phone.LogIn(phone.Get("/login"), "bob", idptest.BobPassword)
	fill(t, phone, p, "code", f.nextCode(app))
	b := f.Browser(t)
	fill(t, b, b.LogIn(b.Get("/login"), "bob", idptest.BobPassword), "code", f.nextCode(app))
	if !signedIn(f.Server, phone) || !signedIn(f.Server, b) {
		t.Fatal("not logged in by a code")
	}

	p = b.Get("/account/factors/app")
	second := idptest.NewApp(t, p)
	p = fill(t, b, p, "setup_code", "123")
	wantPage(t, p, "The code is wrong")
	if idptest.NewApp(t, p).URI.String() != second.URI.String() {
		t.Error("behind a wrong code another secret is shown")
	}
	action, form := p.Form(t, "setup_code")
	form.Set("setup_code", second.Code(f.now()))
	form.Set("name", " <b>Tablet</b>\x07 ")
	p = b.Post(action, form)
	wantPage(t, p, "Your app is set up", "<b>Tablet</b>", "What you have (2)", "10 are left")
	if strings.Contains(p.Body, "<b>Tablet") {
		t.Error("a name is markup")
	}
	if third := idptest.NewApp(t, b.Get("/account/factors/app")); third.URI.String() == second.URI.String() {
		t.Error("the next app gets the secret of this one")
	}
	wantPage(t, b.Get("/account/factors?done=removed&token=x"), "What you have (2)")
	if p := b.Get("/account/factors?done=removed&token=x"); strings.Contains(p.Body, "Removed") {
		t.Error("a link makes the page say that something was removed")
	}

	old := recoveryCodes(t, fill(t, b, b.Get("/account/factors/recovery"), "form_token", formToken(t, b.Get("/account/factors/recovery"))))
	again := fill(t, b, b.Get("/account/factors/recovery"), "form_token", formToken(t, b.Get("/account/factors/recovery")))
	if next := recoveryCodes(t, again); next[0] == old[0] {
		t.Error("new codes are the old ones")
	}
	if p := f.Browser(t).Get(again.Request.URL.String()); strings.Contains(p.Body, "<li><code>") {
		t.Error("the address of new codes shows them in another browser")
	}

	p = fill(t, b, b.Get(linkTo(t, b.Get("/account/factors"), "Rename or remove")), "remove", "1")
	wantPage(t, p, "Removed", "What you have (1)")
	if signedIn(f.Server, phone) || !signedIn(f.Server, b) {
		t.Error("want the phone signed out, and this browser not")
	}
	f.wantAudit("factor_removed", "factor_added", "recovery_codes_made")
	wantPage(t, b.Get("/account/history"), "You removed a second step", "Logged in with your name and password and with a one-time code")
	wantPage(t, b.Get("/account/security"), "Second step", "Tablet")

	// The last one is needed where a rule says so, and can go where none does.
	reloadWith(t, f.Server, "", partnersNeedTwo)
	change := b.Get(linkTo(t, b.Get("/account/factors"), "Rename or remove"))
	wantPage(t, change, "this is the only one you have")
	_, form = change.Form(t, "name")
	form.Set("remove", "1")
	wantPage(t, b.Post(change.Request.URL.Path, form), "this is the only one you have")
	reloadWith(t, f.Server, partnersNeedTwo, "")
	wantPage(t, b.Post(change.Request.URL.Path, form), "Removed", "Nothing so far")
}

func formToken(t *testing.T, p *idptest.Page) string {
	t.Helper()
	_, form := p.Form(t, "form_token")
	return form.Get("form_token")
}
