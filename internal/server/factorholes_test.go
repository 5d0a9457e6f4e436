package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// halfway has typed bob's password and shown no factor.
func (f *factors) halfway() (b *idptest.Browser, auth *idptest.Auth, p *idptest.Page) {
	f.t.Helper()
	b, auth = f.Browser(f.t), idptest.Wiki()
	p = b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
	wantPage(f.t, p, `name="code"`)
	return b, auth, p
}

// loginID is the id of the login request that a page is about.
func loginID(t *testing.T, p *idptest.Page) string {
	t.Helper()
	id := p.Request.URL.Query().Get("login")
	if id == "" {
		t.Fatalf("%s names no login request", p.Request.URL)
	}
	return id
}

// noWayIn: nothing that a browser can open by itself gives it a session, a code or a
// page of the account.
func (f *factors) noWayIn(b *idptest.Browser, id string) {
	f.t.Helper()
	for _, target := range []string{"/authorize/resume?login=" + id, "/account", "/account/factors", idptest.Wiki().URL(), "/login?login=" + id,
		"/factor?login=" + id, "/factor", "/consent?login=" + id, "/device", "/"} {
		p := b.Get(target)
		if p.Location != nil || signedIn(f.Server, b) || strings.Contains(p.Body, "bob@example.com") {
			f.t.Errorf("%s leads in: %d, walked %s", target, p.StatusCode, p.Walked)
		}
	}
}

func TestHoleSecondFactorSkipped(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{YAML: partnersNeedTwo})
	b := f.Browser(t)
	p := b.LogIn(b.Get(idptest.Wiki().URL()), "bob", idptest.BobPassword)
	f.noWayIn(b, loginID(t, p)) // with nothing set up yet
	app, _ := f.enrol()
	b, _, p = f.halfway()
	f.noWayIn(b, loginID(t, p))

	// The form says nothing of who is asked, what was shown, or that it was enough.
	b, auth, p := f.halfway()
	action, form := p.Form(t, "code")
	for _, extra := range []url.Values{{}, {"kept": {"1"}}, {"code": {""}}, {"setup_code": {"000000"}}, {"user": {"bob"}, "amr": {"mfa"}, "kept": {"1"}}, {"recovery_code": {""}}} {
		sent := url.Values{"form_token": form["form_token"], "login": form["login"]}
		for k, v := range extra {
			sent[k] = v
		}
		if p := b.Post(action, sent); p.Location != nil || signedIn(f.Server, b) {
			t.Errorf("%v leads in", extra)
		}
	}
	form.Set("code", f.nextCode(app))
	for _, token := range []string{"", "x", f.Browser(t).Get("/login").Header.Get("X-None")} {
		sent := url.Values{"form_token": {token}, "login": form["login"], "code": form["code"]}
		if p := b.Post(action, sent); p.Location != nil || signedIn(f.Server, b) {
			t.Errorf("form token %q is taken", token)
		}
	}
	auth.Code(t, f.Server, b.Post(action, form)) // which nothing of this has used up
}

func TestHoleSecondFactorInAnotherBrowser(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	app, _ := f.enrol()
	_, _, p := f.halfway()
	action, form := p.Form(t, "code")
	form.Set("code", f.nextCode(app))

	thief := f.Browser(t)
	thief.Get("/login") // has a browser cookie of its own
	f.noWayIn(thief, loginID(t, p))
	if got := thief.Post(action, form); got.Location != nil || signedIn(f.Server, thief) {
		t.Error("a form of another browser leads in")
	}

	// Whoever planted their browser cookie has that of the victim's login, and has
	// none of its step.
	victim, planted := f.Browser(t), f.Program(t)
	page := victim.LogIn(victim.Get(idptest.Wiki().URL()), "bob", idptest.BobPassword)
	for _, c := range victim.Cookies() {
		if c.Name == "idp_browser" {
			planted.Header.Set("Cookie", c.Name+"="+c.Value)
		}
	}
	got := planted.Get(page.Request.URL.String())
	if got.Request.URL.Path != "/login" || strings.Contains(got.Body, "bob") {
		t.Errorf("a planted browser cookie shows the step: %s (%d)", got.Request.URL, got.StatusCode)
	}
	action, form = page.Form(t, "code")
	form.Set("code", f.nextCode(app))
	if got := planted.Post(action, form); got.Location != nil || len(got.Cookies()) != 0 || len(f.sessions()) != 1 {
		t.Errorf("a planted browser cookie leads in: walked %s", got.Walked)
	}
}

// sessions are bob's.
func (f *factors) sessions() []store.Session {
	f.t.Helper()
	all, err := f.Store().SessionsOf(f.t.Context(), f.User("bob").ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

func TestHoleSecondFactorOfWhoCountsNoMore(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{YAML: partnersNeedTwo})
	app, _ := f.enrol()
	ctx, id := t.Context(), f.User("bob").ID
	try := func(what string, change func() error) {
		t.Helper()
		b, _, p := f.halfway()
		if err := change(); err != nil {
			t.Fatal(err)
		}
		p = fill(t, b, p, "code", f.nextCode(app))
		if p.Location != nil || signedIn(f.Server, b) {
			t.Errorf("%s: the login goes on", what)
		}
		f.noWayIn(b, p.Request.URL.Query().Get("login"))
	}
	try("disabled", func() error { return f.Store().SetDisabled(ctx, id, true, store.Entry{}) })
	if err := f.Store().SetDisabled(ctx, id, false, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	hash := f.User("bob").PasswordHash
	try("another password", func() error { return f.Store().SetPassword(ctx, id, "$argon2id$other", store.Entry{}) })
	if err := f.Store().SetPassword(ctx, id, hash, store.Entry{}); err != nil {
		t.Fatal(err)
	}

	// Nor may the old password set up the factor that then is the only one.
	b, _, p := f.halfway()
	if _, err := f.Store().ResetFactors(ctx, id, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	p = b.Get(p.Request.URL.String())
	app = idptest.NewApp(t, p)
	if err := f.Store().SetPassword(ctx, id, "$argon2id$other", store.Entry{}); err != nil {
		t.Fatal(err)
	}
	fill(t, b, p, "setup_code", app.Code(f.now()))
	if all, err := f.Store().FactorsOf(ctx, id); err != nil || len(all) != 0 {
		t.Errorf("the old password set up %v, %v", all, err)
	}
}

// A session that is to show more ends: what it has shown counts no more, whatever its
// login request holds.
func TestHoleStepUpOfAnEndedSession(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	b := f.Browser(t)
	b.LogIn(b.Get("/login"), "bob", idptest.BobPassword)
	auth := idptest.Wiki()
	auth.Query.Set("acr_values", "mfa")
	p := b.Get(auth.URL())
	app := idptest.NewApp(t, p)
	p = fill(t, b, p, "setup_code", app.Code(f.now())) // held, until the codes are kept
	recoveryCodes(t, p)
	for _, s := range f.sessions() {
		if err := f.Store().EndSession(t.Context(), s.ID, store.Entry{}); err != nil {
			t.Fatal(err)
		}
	}
	if p := fill(t, b, p, "kept", "1"); p.Location != nil || signedIn(f.Server, b) || len(f.sessions()) != 0 {
		t.Errorf("walked %s: the session has come back", p.Walked)
	}
}

func TestHoleCodeReplayed(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	app, codes := f.enrol()
	code := f.nextCode(app)
	b, auth, p := f.halfway()
	auth.Code(t, f.Server, fill(t, b, p, "code", code))
	b, _, p = f.halfway()
	if p = fill(t, b, p, "code", code); signedIn(f.Server, b) {
		t.Error("the same code again leads in")
	}
	wantPage(t, p, "This code has been used")

	b, auth, p = f.halfway()
	p = b.Get(linkTo(t, p, "Use a recovery code instead"))
	auth.Code(t, f.Server, fill(t, b, p, "recovery_code", codes[0]))
	b, _, p = f.halfway()
	p = b.Get(linkTo(t, p, "Use a recovery code instead"))
	if p = fill(t, b, p, "recovery_code", codes[0]); signedIn(f.Server, b) {
		t.Error("the same recovery code again leads in")
	}
	wantPage(t, p, "This code has been used")
}

// One code is typed in eight browsers at once, at two nodes: one of them is let in.
// (factor.TestHoleCodeRace64 has no limiter in front.)
func TestHoleCodeRaceOnTwoNodes(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	f := startFactors(t, idptest.Options{Database: database})
	g := &factors{t: t}
	g.Server = idptest.Start(t, idptest.Options{Database: database, KeyFile: f.Dir + "/idp.key", Now: f.now})
	app, codes := f.enrol()
	for field, code := range map[string]string{"code": f.nextCode(app), "recovery_code": codes[0]} {
		type login struct {
			b      *idptest.Browser
			action string
			form   url.Values
		}
		var logins []login
		for i := range 8 {
			b, _, p := []*factors{f, g}[i%2].halfway()
			action, form := p.Form(t, "code")
			form.Del("code")
			form.Set(field, code)
			logins = append(logins, login{b, action, form})
		}
		var in atomic.Int64
		var all sync.WaitGroup
		for _, l := range logins {
			all.Go(func() {
				if p := l.b.Once("POST", l.action, l.form, nil); strings.Contains(p.Header.Get("Location"), "/authorize/resume") {
					in.Add(1)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 {
			t.Errorf("%s: %d of 8 were let in, want one", field, in.Load())
		}
	}
}

func TestHoleCodesTried(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	app, codes := f.enrol()
	b, _, p := f.halfway()
	for i := range 5 {
		p = fill(t, b, p, "code", fmt.Sprintf("00000%d", i))
		wantPage(t, p, "The code is wrong")
	}
	for range 2 { // the same once more counts no more, and is not looked at
		fill(t, b, p, "code", "000000")
	}
	p = fill(t, b, p, "code", f.nextCode(app))
	wantPage(t, p, "Too many wrong codes")
	p = b.Get(linkTo(t, p, "Use a recovery code instead"))
	wantPage(t, fill(t, b, p, "recovery_code", codes[0]), "Too many wrong codes")

	// In another browser it is the same; the password goes on being good, and wrong
	// ones cost no code.
	b, _, p = f.halfway()
	wantPage(t, fill(t, b, p, "code", f.nextCode(app)), "Too many wrong codes")
	other := f.Browser(t)
	wrong := other.LogIn(other.Get("/login"), "bob", "wrong")
	wantPage(t, wrong, "Name or password is wrong")

	f.ahead.Add(int64(31 * time.Minute))
	b, auth, p := f.halfway()
	p = b.Get(linkTo(t, p, "Use a recovery code instead"))
	auth.Code(t, f.Server, fill(t, b, p, "recovery_code", codes[0])) // which was not used up by being sent too early
	f.wantAudit("FACTOR_LOCKED", "BAD_CODE")
}

// A site may ask for more than the rules do, and never for less.
func TestHoleDowngradeByACRValues(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{YAML: partnersNeedTwo})
	f.enrol()
	for name, change := range map[string]url.Values{
		"acr_values":     {"acr_values": {"1"}},
		"both":           {"acr_values": {"1 mfa"}},
		"unknown":        {"acr_values": {"none"}},
		"essential":      {"claims": {`{"id_token":{"acr":{"essential":true,"values":["1"]}}}`}},
		"prompt=consent": {"prompt": {"consent"}, "acr_values": {"1"}},
	} {
		b, auth := f.Browser(t), idptest.Wiki()
		for k, v := range change {
			auth.Query[k] = v
		}
		p := b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
		if p.Location != nil || signedIn(f.Server, b) {
			t.Errorf("%s: logged in by a password alone", name)
			continue
		}
		wantPage(t, p, "One more step")
	}
}

// A session from before the rule is asked for more wherever it is shown, and gets
// nothing by prompt=none, by consent, or for a device.
func TestHoleSessionOfBeforeTheRule(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{Clients: telly})
	b := f.Browser(t)
	b.LogIn(b.Get("/login"), "bob", idptest.BobPassword)
	d := beginDevice(t, f.Server)
	question := asked(t, b, b.Get(d.Page), d)
	wantPage(t, question, "Allow")
	reloadWith(t, f.Server, "", partnersNeedTwo)

	for _, target := range []string{"/account", "/account/factors", idptest.Wiki().URL()} {
		if p := b.Get(target); p.Request.URL.Path != "/factor" {
			t.Errorf("%s: ended at %s (%d), want /factor", target, p.Request.URL, p.StatusCode)
		}
	}
	none := idptest.Wiki()
	none.Query.Set("prompt", "none")
	if p := b.Get(none.URL()); p.Location == nil || p.Location.Query().Get("error") != "login_required" {
		t.Errorf("prompt=none: %v", p.Location)
	}
	action, form := question.Form(t, "answer")
	form.Set("answer", "allow")
	if p := b.Post(action, form); strings.Contains(p.Body, "You can go back to your device") || pollDevice(t, f.Server, d).Access != "" {
		t.Errorf("a device is allowed by a session that has shown too little: %s", p.Request.URL)
	}
	action, form = b.Get("/device").Form(t, "user_code")
	form.Set("user_code", d.UserCode)
	if p := b.Get(action + "?" + form.Encode()); p.Request.URL.Path != "/factor" {
		t.Errorf("/device: ended at %s, want /factor", p.Request.URL)
	}
}

// A program that knows the password, and cannot show a code, is told so, and gets
// nothing; the log and the audit say why.
func TestHoleProgramWithoutAFactor(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	f := startFactors(t, idptest.Options{YAML: idptest.KerberosYAML(realm)})
	f.enrol()
	for _, p := range []*idptest.Page{
		f.Program(t).GetWith("/login/negotiate", idptest.Basic("bob", idptest.BobPassword)),
	} {
		if p.StatusCode != http.StatusForbidden || len(p.Cookies()) > 1 || !strings.Contains(p.Body, "A second factor is needed") {
			t.Errorf("%d, cookies %v", p.StatusCode, p.Cookies())
		}
	}
	if len(f.Log.Lines("reason=FACTOR_NEEDED", "user=bob")) != 1 || len(f.sessions()) != 1 {
		t.Errorf("log %q, %d sessions", f.Log.Lines("FACTOR_NEEDED"), len(f.sessions()))
	}
	f.wantAudit("FACTOR_NEEDED")
}

// What logs somebody in is changed only by whoever has just shown all that they have.
func TestHoleStaleLoginChangesFactors(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	f := startFactors(t, idptest.Options{YAML: idptest.KerberosYAML(realm) + "factors:\n  - {clients: [wiki], acr: mfa}\n"})

	// A ticket sets up nothing, neither on the account's page nor on the way to a site.
	b := f.Browser(t)
	header := idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))
	b.GetWith(b.Get("/account").Request.URL.String(), header)
	for _, target := range []string{"/account/factors/app", idptest.Wiki().URL()} {
		if p := b.Get(target); p.Request.URL.Path != "/login" || !strings.Contains(p.Body, "Confirm that it is you") {
			t.Errorf("%s with a ticket: ended at %s (%d), want the form", target, p.Request.URL, p.StatusCode)
		}
	}
	p := b.LogIn(b.Get(idptest.Wiki().URL()), "alice", krbtest.AlicePassword)
	wantPage(t, p, "Set up an authenticator app")

	app, _ := f.enrol()
	list := func(b *idptest.Browser) string { return linkTo(t, b.Get("/account/factors"), "Rename or remove") }
	b, auth, p := f.halfway()
	auth.Code(t, f.Server, fill(t, b, p, "code", f.nextCode(app)))
	change := b.Get(list(b))
	wantPage(t, change, "Remove", "Authenticator app")
	f.ahead.Add(int64(11 * time.Minute))
	for _, target := range []string{"/account/factors/app", "/account/factors/recovery", change.Request.URL.Path} {
		if p := b.Get(target); p.Request.URL.Path != "/login" {
			t.Errorf("%s after eleven minutes: %s (%d), want the form", target, p.Request.URL, p.StatusCode)
		}
	}
	if p := fill(t, b, change, "remove", "1"); p.Request.URL.Path != "/login" {
		t.Errorf("the form after eleven minutes: %s (%d)", p.Request.URL, p.StatusCode)
	}

	// A password alone, where there is a factor: the factor first.
	reloadWith(t, f.Server, "factors:", "factors:\n  - {networks: [127.0.0.0/8], acr: \"1\"}")
	b = f.Browser(t)
	b.LogIn(b.Get("/login"), "bob", idptest.BobPassword)
	if !signedIn(f.Server, b) {
		t.Fatal("the rule does not let a password alone in")
	}
	for _, target := range []string{"/account/factors/app", "/account/factors/recovery", change.Request.URL.Path} {
		if p := b.Get(target); p.Request.URL.Path != "/factor" {
			t.Errorf("%s with a password alone: %s (%d), want /factor", target, p.Request.URL, p.StatusCode)
		}
	}
	if all, err := f.Store().FactorsOf(t.Context(), f.User("bob").ID); err != nil || len(all) != 1 {
		t.Errorf("%v, %v: want the one factor that there was", all, err)
	}
}

// Whoever knows the password, and not the factor that is there, sets up none beside it.
func TestHoleSecondAppByPasswordAlone(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{YAML: partnersNeedTwo})
	thief := f.Browser(t)
	p := thief.LogIn(thief.Get(idptest.Wiki().URL()), "bob", idptest.BobPassword) // shown a secret of its own
	theirs := idptest.NewApp(t, p)
	f.enrol()
	p = fill(t, thief, p, "setup_code", theirs.Code(f.now()))
	if all, err := f.Store().FactorsOf(t.Context(), f.User("bob").ID); err != nil || len(all) != 1 || signedIn(f.Server, thief) {
		t.Errorf("%d factors, %v", len(all), err)
	}
	wantPage(t, p, "One more step")
}

// A site that one factor will do for opens no other one with it.
func TestHoleLenientSite(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{YAML: "factors:\n  - {clients: [wiki], acr: \"1\"}\n"})
	app := f.appOf("bob", idptest.BobPassword)
	b, wiki, other := f.Browser(t), idptest.Wiki(), idptest.NewAuth("app", "http://app.localhost/callback")
	f.ahead.Add(int64(time.Minute))
	wiki.Code(t, f.Server, b.LogIn(b.Get(wiki.URL()), "bob", idptest.BobPassword))
	for _, path := range []string{"/account", "/account/sessions", "/"} {
		if p := b.Get(path); !strings.HasPrefix(p.Request.URL.Path, "/factor") {
			t.Errorf("%s is open to the password alone: %s", path, p.Request.URL)
		}
	}
	p := b.Get(other.URL())
	if p.Location != nil {
		t.Fatalf("another site gets a code for the password alone: %s", p.Location)
	}
	other.Code(t, f.Server, fill(t, b, p, "code", f.nextCode(app)))
}

// A login that a site wants anew is not begun with the session, whatever its first step
// is called in the address.
func TestHoleStepUpInPlaceOfALogin(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{Clients: "  - {client_id: lazy, client_secret_file: wiki.secret, redirect_uris: [\"http://lazy.localhost/callback\"], reauth_by_ticket: true}\n"})
	b, auth := f.Browser(t), idptest.Wiki()
	auth.Code(t, f.Server, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword))
	again := idptest.NewAuth("lazy", "http://lazy.localhost/callback")
	again.Query.Set("prompt", "login")
	p := b.Get("/factor?login=" + loginID(t, b.Get(again.URL())))
	if p.Location != nil {
		t.Fatalf("nothing was typed, and the site gets %s", p.Location)
	}
	again.Code(t, f.Server, b.LogIn(p, "bob", idptest.BobPassword))
}

// Where a rule lets one factor pass, a password alone does not become another password.
func TestHolePasswordChangedBelowTheFactor(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{YAML: "factors:\n  - {networks: [127.0.0.0/8], acr: \"1\"}\n"})
	app := f.appOf("bob", idptest.BobPassword)
	for _, path := range []string{"/account/password", "/account/name"} {
		b := f.Browser(t)
		if p := b.LogIn(b.Get("/account"), "bob", idptest.BobPassword); p.Request.URL.Path != "/account" {
			t.Fatalf("%s: the rule lets one factor pass, and this is %s", path, p.Request.URL)
		}
		p := b.Get(path)
		if p.Request.URL.Path != "/factor" {
			t.Fatalf("%s is open to the password alone: %s", path, p.Request.URL)
		}
		if p = fill(t, b, p, "code", f.nextCode(app)); p.Request.URL.Path != path {
			t.Errorf("behind the code: %s", p.Request.URL)
		}
	}
}
