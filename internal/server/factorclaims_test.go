package server_test

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

// told is what an ID token says of how somebody logged in.
type told struct {
	amr      []string
	acr, sid string
	authTime time.Time
}

func (f *factors) told(rp *relyingParty, auth *idptest.Auth, p *idptest.Page) told {
	f.t.Helper()
	token, err := rp.oauth.Exchange(rp.ctx, auth.Code(f.t, f.Server, p), oauth2.VerifierOption(auth.Verifier))
	if err != nil {
		f.t.Fatal(err)
	}
	c := rp.claims(f.t, token, auth.Query.Get("nonce"))
	var out told
	list, _ := c["amr"].([]any)
	for _, v := range list {
		method, _ := v.(string)
		out.amr = append(out.amr, method)
	}
	out.acr, _ = c["acr"].(string)
	out.sid, _ = c["sid"].(string)
	at, _ := c["auth_time"].(float64)
	out.authTime = time.Unix(int64(at), 0)
	return out
}

func (f *factors) wantTold(what string, got told, acr string, amr ...string) {
	f.t.Helper()
	slices.Sort(got.amr)
	slices.Sort(amr)
	if got.acr != acr || !slices.Equal(got.amr, amr) {
		f.t.Errorf("%s: acr %q, amr %q; want %q, %q", what, got.acr, got.amr, acr, amr)
	}
}

// What a relying party that we did not write is told, of each way to log in.
func TestWhatSitesAreToldOfTheFactors(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	f := startFactors(t, idptest.Options{YAML: idptest.KerberosYAML(realm)})
	rp := newRelyingParty(t, f.Server, "wiki", idptest.WikiSecret, "http://wiki.localhost/callback")
	want := func(acr string) *idptest.Auth {
		auth := idptest.Wiki()
		if acr != "" {
			auth.Query.Set("acr_values", acr)
		}
		return auth
	}
	form := func(b *idptest.Browser, auth *idptest.Auth, name, password string) *idptest.Page {
		return b.LogIn(b.Get(auth.URL()), name, password)
	}

	b, auth := f.Browser(t), want("")
	f.wantTold("a password", f.told(rp, auth, form(b, auth, "bob", idptest.BobPassword)), "1", "pwd")

	app, codes := f.enrol()
	started := f.now()
	b, auth = f.Browser(t), want("")
	both := f.told(rp, auth, fill(t, b, form(b, auth, "bob", idptest.BobPassword), "code", f.nextCode(app)))
	f.wantTold("a password and a code", both, "mfa", "pwd", "otp", "mfa")
	if both.authTime.Sub(started) > 30*time.Second {
		t.Errorf("auth_time %s, want that of the password, before %s", both.authTime, f.now())
	}
	auth = want("mfa")
	if again := f.told(rp, auth, b.Get(auth.URL())); again.acr != "mfa" || again.sid != both.sid || !again.authTime.Equal(both.authTime) {
		t.Errorf("the same session: %+v, want %+v", again, both)
	}

	b, auth = f.Browser(t), want("")
	p := form(b, auth, "bob", idptest.BobPassword)
	p = fill(t, b, b.Get(linkTo(t, p, "Use a recovery code instead")), "recovery_code", codes[0])
	f.wantTold("a password and a recovery code", f.told(rp, auth, p), "mfa", "pwd", "otp", "mfa")
}

// A ticket logs in silently, and where more is wanted only that is asked for: the
// session stays the same and gets no younger, its cookie is another.
func TestAStepUpAsksOnlyForWhatIsMissing(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	f := startFactors(t, idptest.Options{YAML: idptest.KerberosYAML(realm)})
	rp := newRelyingParty(t, f.Server, "wiki", idptest.WikiSecret, "http://wiki.localhost/callback")
	app := f.appOf("alice", krbtest.AlicePassword)

	b, auth := f.Browser(t), idptest.Wiki()
	header := idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))
	ticket := f.told(rp, auth, b.GetWith(b.Get(auth.URL()).Request.URL.String(), header))
	f.wantTold("a ticket", ticket, "1", "wia")
	before := sessionCookie(b)

	auth = idptest.Wiki()
	auth.Query.Set("claims", `{"id_token":{"acr":{"essential":true,"values":["mfa"]}}}`)
	p := b.Get(auth.URL())
	wantPage(t, p, "One more step", "alice")
	if cookie := sessionCookie(b); cookie != before {
		t.Error("the session changed before the code was right")
	}
	up := f.told(rp, auth, fill(t, b, p, "code", f.nextCode(app)))
	f.wantTold("a ticket and a code", up, "mfa", "wia", "otp", "mfa")
	if up.sid != ticket.sid || !up.authTime.Equal(ticket.authTime) || sessionCookie(b) == before {
		t.Errorf("stepped up: sid %s, auth_time %s, the same cookie: %v; want %s, %s, another cookie", up.sid, up.authTime, sessionCookie(b) == before, ticket.sid, ticket.authTime)
	}

	// max_age asks for a login, which a code is not: password and code, both anew.
	f.ahead.Add(int64(90 * time.Second)) // no more than a KDC allows
	auth = idptest.Wiki()
	auth.Query.Set("max_age", "60")
	auth.Query.Set("acr_values", "mfa")
	p = b.Get(auth.URL())
	wantPage(t, p, "Confirm that it is you")
	p = b.LogIn(p, "alice", krbtest.AlicePassword)
	anew := f.told(rp, auth, fill(t, b, p, "code", f.nextCode(app)))
	f.wantTold("both anew", anew, "mfa", "pwd", "otp", "mfa")
	if anew.sid != ticket.sid || !anew.authTime.After(ticket.authTime) {
		t.Errorf("both anew: %+v, want the sid %s and a younger auth_time than %s", anew, ticket.sid, ticket.authTime)
	}

	auth = idptest.Wiki()
	auth.Query.Set("prompt", "login")
	auth.Query.Set("acr_values", "mfa")
	p = b.Get(auth.URL())
	wantPage(t, p, "Confirm that it is you")
	wantPage(t, b.LogIn(p, "alice", krbtest.AlicePassword), "One more step")
}

// appOf sets up somebody's app on the account's pages.
func (f *factors) appOf(name, password string) *idptest.App {
	f.t.Helper()
	b := f.Browser(f.t)
	b.LogIn(b.Get("/login"), name, password)
	p := b.Get("/account/factors/app")
	app := idptest.NewApp(f.t, p)
	recoveryCodes(f.t, fill(f.t, b, p, "setup_code", app.Code(f.now())))
	return app
}

func sessionCookie(b *idptest.Browser) string {
	for _, c := range b.Cookies() {
		if c.Name == "idp_session" {
			return c.Value
		}
	}
	return ""
}
