package server_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
)

// inside starts a realm and a server that trusts it.
func inside(t *testing.T, more string) (*krbtest.Realm, *idptest.Server) {
	t.Helper()
	realm := krbtest.Start(t, krbtest.Options{})
	return realm, idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm) + more})
}

func ticketFor(t *testing.T, r *krbtest.Realm, name, password string) *krbtest.Ticket {
	t.Helper()
	ticket, err := r.Ticket(name, password, "HTTP/idp.localhost")
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func TestTicketLogsInSilentlyWithMutualAuthentication(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	b := s.Browser(t)
	auth := idptest.Wiki()
	p := b.Once("GET", auth.URL(), nil, nil)
	loc := p.Header.Get("Location")
	if p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(loc, s.Issuer+"/login/negotiate?login=") {
		t.Fatalf("authorize without a session: %d to %q, want 303 to /login/negotiate", p.StatusCode, loc)
	}
	p = b.Once("GET", loc, nil, nil)
	if want := []string{"Negotiate", `Basic realm="Example Ltd", charset="UTF-8"`}; p.StatusCode != 401 || !slices.Equal(p.Header.Values("WWW-Authenticate"), want) {
		t.Fatalf("challenge: %d %q, want 401 %q on two lines", p.StatusCode, p.Header.Values("WWW-Authenticate"), want)
	}
	if _, form := p.Form(t, "password"); form.Get("login") == "" {
		t.Error("the 401's body is not the complete login page")
	}
	p = b.Once("GET", loc, nil, http.Header{"Authorization": {idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))}})
	if p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.Header.Get("WWW-Authenticate"), "Negotiate ") {
		t.Fatalf("ticket: %d, WWW-Authenticate %q, want 303 with the server's token", p.StatusCode, p.Header.Get("WWW-Authenticate"))
	}
	auth.Code(t, s, b.Get(p.Header.Get("Location")))

	second := idptest.Wiki()
	p = b.Get(second.URL())
	second.Code(t, s, p)
	if len(p.Walked) != 1 {
		t.Errorf("second login walked %s, want a code at once", p.Walked)
	}
	if page := b.Get("/account"); !strings.Contains(page.Body, "company ticket") || !strings.Contains(page.Body, "alice") {
		t.Errorf("/account does not say who and how:\n%s", page.Body)
	}
}

func TestSchemeIsCaseInsensitive(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	header := idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))
	p := s.Program(t).Once("GET", "/login/negotiate", nil, http.Header{"Authorization": {"nEGOTIATE" + strings.TrimPrefix(header, "Negotiate")}})
	if p.StatusCode != 303 || p.Header.Get("Location") != s.Issuer+"/account" {
		t.Errorf("%d %q, want 303 to /account", p.StatusCode, p.Header.Get("Location"))
	}
}

func TestBadTicketsGetABare401WithThePage(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	b64 := base64.StdEncoding.EncodeToString
	for name, c := range map[string]struct{ header, reason string }{
		"ntlm":         {"Negotiate " + b64([]byte("NTLMSSP\x00\x01\x00\x00\x00\x07\x82\x08\xa2")), "NTLM_TOKEN"},
		"empty":        {"Negotiate", "MALFORMED_TOKEN"},
		"random":       {"Negotiate " + b64([]byte("certainly no ticket")), "MALFORMED_TOKEN"},
		"no base64":    {"Negotiate ***", "MALFORMED_TOKEN"},
		"48 KB":        {"Negotiate " + b64(make([]byte, 48<<10)), "MALFORMED_TOKEN"},
		"64 KB":        {"Negotiate " + b64(make([]byte, 64<<10)), "TOKEN_TOO_BIG"},
		"other scheme": {"Digest username=alice", "MALFORMED_CREDENTIAL"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.Log.Lines("reason=" + c.reason))
			p := s.Program(t).GetWith("/login/negotiate", c.header)
			if p.StatusCode != 401 || p.Header.Get("WWW-Authenticate") != "" || !strings.Contains(p.Body, `name="password"`) {
				t.Errorf("%d, WWW-Authenticate %q: want a 401 without a challenge, the page as its body", p.StatusCode, p.Header.Get("WWW-Authenticate"))
			}
			if got := len(s.Log.Lines("reason=" + c.reason)); got != before+1 {
				t.Errorf("%d log lines name the reason %s, want one more than %d", got, c.reason, before)
			}
		})
	}
}

func TestTokenOfOneMegabyteIsRefusedByItsSize(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	p := s.Program(t).GetWith("/login/negotiate", "Negotiate "+strings.Repeat("A", 1<<20))
	if p.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d, want 431", p.StatusCode)
	}
}

func TestOnlyNavigationsStartALogin(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	b := s.Browser(t)
	negotiate := b.Get(idptest.Wiki().URL()).Request.URL.String()
	for name, h := range map[string]http.Header{
		"fetch":          {"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}},
		"image":          {"Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"image"}},
		"frame":          {"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}},
		"XMLHttpRequest": {"X-Requested-With": {"XMLHttpRequest"}, "Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{negotiate, "/login/negotiate", idptest.Wiki().URL(), "/account", "/login"} {
				p := b.Once("GET", target, nil, h)
				if p.StatusCode != 403 || p.Header.Get("WWW-Authenticate") != "" {
					t.Errorf("%s: %d %q, want 403 without a challenge", target, p.StatusCode, p.Header.Get("WWW-Authenticate"))
				}
			}
		})
	}
}

func TestABrowserNeverAnswersForALinkWithAPasswordInIt(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	addUser(t, s, "mallory")
	b := s.Browser(t)
	for _, target := range []string{"/login/negotiate", "/account", "/login", idptest.Wiki().URL()} {
		p := b.Once("GET", target, nil, http.Header{"Authorization": {idptest.Basic("mallory", idptest.BobPassword)}})
		if p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.Header.Get("Location"), s.Issuer+"/log") {
			t.Errorf("%s: %d to %q, want an absolute address, which has no name and password in it", target, p.StatusCode, p.Header.Get("Location"))
		}
		for _, c := range b.Cookies() {
			if c.Name == "idp_session" {
				t.Errorf("%s logged mallory in", target)
			}
		}
	}
}

func TestSignedOutBrowserIsNotLoggedInByALink(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	b := s.Browser(t)
	challenge := b.Get(idptest.Wiki().URL())
	b.GetWith(challenge.Request.URL.String(), idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword)))
	action, form := b.Get("/account").Form(t, "form_token")
	b.Post(action, form)
	if p := b.Get("/login/negotiate"); p.StatusCode != http.StatusOK || p.Request.URL.Path != "/login" {
		t.Errorf("%d at %s, want the form", p.StatusCode, p.Request.URL.Path)
	}
}

func TestACrossSitePostReplacesNoCookie(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	for _, target := range []string{"/end_session", "/authorize", "/login"} {
		p := s.Browser(t).Once("POST", target, url.Values{"form_token": {"x"}}, http.Header{"Sec-Fetch-Site": {"cross-site"}})
		if c := p.Header.Values("Set-Cookie"); len(c) != 0 {
			t.Errorf("POST %s sets %q", target, c)
		}
	}
}

func TestBasicIsCheckedAgainstTheKDC(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	b := s.Browser(t)
	auth := idptest.Wiki()
	challenge := b.Get(auth.URL())
	p := b.GetWith(challenge.Request.URL.String(), idptest.Basic("alice", "wrong"))
	if p.StatusCode != 401 || p.Header.Get("WWW-Authenticate") != "" || !strings.Contains(p.Body, "Name or password is wrong") {
		t.Errorf("wrong password: %d, WWW-Authenticate %q: want a bare 401 with the page", p.StatusCode, p.Header.Get("WWW-Authenticate"))
	}
	if !strings.Contains(p.Body, `value="alice"`) {
		t.Error("the form below a wrong password does not begin with the name that was typed")
	}
	if again := b.Get(challenge.Request.URL.String()); len(again.Header.Values("WWW-Authenticate")) != 2 {
		t.Error("a reload without credentials is not challenged anew")
	}
	auth.Code(t, s, b.GetWith(challenge.Request.URL.String(), idptest.Basic("alice", krbtest.AlicePassword)))
}

func TestMalformedBasic(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	b64 := base64.StdEncoding.EncodeToString
	for name, header := range map[string]string{
		"no colon":          "Basic " + b64([]byte("alice")),
		"not base64":        "Basic alice:secret",
		"not UTF-8":         "Basic " + b64([]byte("al\xffice:secret")),
		"10,000 characters": idptest.Basic("alice", strings.Repeat("x", 10_000)),
		"NUL":               idptest.Basic("al\x00ice", "secret"),
		"empty":             "Basic",
	} {
		t.Run(name, func(t *testing.T) {
			p := s.Program(t).GetWith("/login/negotiate", header)
			if p.StatusCode != 401 || p.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("%d %q, want a bare 401", p.StatusCode, p.Header.Get("WWW-Authenticate"))
			}
		})
	}
	if n := len(s.Log.Lines("reason=MALFORMED_CREDENTIAL")); n != 6 {
		t.Errorf("%d log lines name the reason, want 6", n)
	}
}

func TestFormLogin(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{}, func(t *testing.T, s *idptest.Server) {
		b := s.Browser(t)
		auth := idptest.Wiki()
		p := b.Get(auth.URL())
		if p.StatusCode != 200 || !strings.Contains(p.Body, "Wiki") {
			t.Fatalf("%d, want the form, and who asks:\n%s", p.StatusCode, p.Body)
		}
		wrong := b.LogIn(p, "bob", "wrong password")
		unknown := b.LogIn(b.Get(auth.URL()), "nobody", "wrong password")
		for _, q := range []*idptest.Page{wrong, unknown} {
			if q.StatusCode != 200 || !strings.Contains(q.Body, "Name or password is wrong") {
				t.Errorf("%d, want the form again with one sentence for unknown and wrong", q.StatusCode)
			}
		}
		ref := regexp.MustCompile(`Reference: [^<]*, (\w+)<`).FindStringSubmatch(wrong.Body)
		if ref == nil || len(s.Log.Lines(ref[1], "reason=BAD_PASSWORD")) != 1 {
			t.Errorf("the page's reference %q does not lead to the line that names the reason", ref)
		}
		auth.Code(t, s, b.LogIn(wrong, "bob", idptest.BobPassword))
		entries, err := s.Store().Entries(context.Background(), store.Filter{Event: "login_failed", Limit: 10})
		if err != nil || len(entries) != 2 {
			t.Errorf("audit has %d failed logins (%v), want 2", len(entries), err)
		}
	})
}

func TestSessionCookieIsNewAtEveryLogin(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	b := s.Browser(t)
	secrets := map[string]bool{}
	var sid string
	for range 2 {
		auth := idptest.Wiki()
		auth.Query.Set("prompt", "login")
		auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword))
		for _, c := range b.Cookies() {
			if c.Name == "idp_session" {
				secrets[c.Value] = true
			}
		}
		all, err := s.Store().SessionsOf(context.Background(), s.User("bob").ID)
		if err != nil || len(all) != 1 {
			t.Fatalf("sessions %v, %v: want one", all, err)
		}
		if sid != "" && sid != all[0].ID {
			t.Error("sid changed although the user did not")
		}
		sid = all[0].ID
	}
	if len(secrets) != 2 {
		t.Errorf("%d cookie secrets after two logins, want 2", len(secrets))
	}
}

func TestLoginRequestBelongsToItsBrowser(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	attacker, victim := s.Browser(t), s.Browser(t)
	p := attacker.Get(idptest.Wiki().URL())
	link := p.Request.URL.String()
	if q := victim.Get(link); q.StatusCode != 400 || !strings.Contains(q.Body, "expired") {
		t.Errorf("opened in another browser: %d, want a page that says it is over", q.StatusCode)
	}
	action, form := p.Form(t, "password")
	form.Set("username", "bob")
	form.Set("password", idptest.BobPassword)
	if q := victim.Post(action, form); q.Location != nil || q.StatusCode < 400 {
		t.Errorf("the attacker's form sent by the victim: %d %v", q.StatusCode, q.Location)
	}
	// The victim logs in by itself; the attacker's resume must not profit.
	resume := strings.Replace(link, "/login?", "/authorize/resume?", 1)
	victim.LogIn(victim.Get(idptest.Wiki().URL()), "bob", idptest.BobPassword)
	for _, b := range []*idptest.Browser{attacker, victim} {
		if q := b.Get(resume); q.Location != nil {
			t.Errorf("resume of a login that never ended gave %s", q.Location)
		}
	}
}

func TestTwoTabsWithTwoUsers(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: ""})
	addUser(t, s, "carol")
	b := s.Browser(t)
	one, two := idptest.Wiki(), idptest.Wiki()
	tab1, tab2 := b.Get(one.URL()), b.Get(two.URL())
	// bob logs in in the first tab but its resume is held back …
	action, form := tab1.Form(t, "password")
	form.Set("username", "bob")
	form.Set("password", idptest.BobPassword)
	held := b.Once("POST", action, form, nil).Header.Get("Location")
	// … while carol logs in in the second.
	two.Code(t, s, b.LogIn(tab2, "carol", idptest.BobPassword))
	if p := b.Get(held); p.Location != nil {
		t.Errorf("bob's login request got a code in carol's session: %s", p.Location)
	}
	if all, _ := s.Store().SessionsOf(context.Background(), s.User("bob").ID); len(all) != 0 {
		t.Error("bob's session goes on although carol logged in in the same browser")
	}
}

func TestSignOutStaysSignedOut(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
	b := s.Program(t)
	b.GetWith("/login/negotiate", idptest.Negotiate(t, ticket))
	action, form := b.Get("/account").Form(t, "form_token")
	if p := b.Post(action, form); p.StatusCode != 200 || !strings.Contains(strings.ToLower(p.Body), "signed out") {
		t.Fatalf("sign-out: %d\n%s", p.StatusCode, p.Body)
	}
	auth := idptest.Wiki()
	p := b.Get(auth.URL())
	if p.StatusCode != 200 || p.Request.URL.Path != "/login" {
		t.Fatalf("after signing out: %d at %s, want the form", p.StatusCode, p.Request.URL.Path)
	}
	negotiate := strings.Replace(p.Request.URL.String(), "/login?", "/login/negotiate?", 1)
	remembered := idptest.Basic("alice", krbtest.AlicePassword)
	first := b.GetWith(negotiate, remembered)
	if h := first.Header.Values("WWW-Authenticate"); first.StatusCode != 401 || len(h) != 2 || strings.Contains(h[1], `realm="Example Ltd",`) {
		t.Errorf("remembered Basic after sign-out: %d %q, want one more challenge under another realm", first.StatusCode, h)
	}
	auth.Code(t, s, b.GetWith(negotiate, remembered))
	again := idptest.Wiki()
	if p := b.Get(again.URL()); p.Location == nil {
		t.Error("the login ended the signed-out state, but the next site asks again")
	}
}

func TestReauthenticationIsNeverSilent(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
	b := s.Program(t)
	b.GetWith("/login/negotiate", idptest.Negotiate(t, ticket))
	for _, prompt := range []string{"login", "select_account"} {
		auth := idptest.Wiki()
		auth.Query.Set("prompt", prompt)
		p := b.Get(auth.URL())
		if p.StatusCode != 200 || p.Request.URL.Path != "/login" {
			t.Fatalf("prompt=%s: %d at %s, want the form", prompt, p.StatusCode, p.Request.URL.Path)
		}
		negotiate := strings.Replace(p.Request.URL.String(), "/login?", "/login/negotiate?", 1)
		if q := b.GetWith(negotiate, idptest.Negotiate(t, ticket)); q.Location != nil || q.Request.URL.Path != "/login" {
			t.Errorf("prompt=%s was satisfied by a silent ticket: %v", prompt, q.Location)
		}
		auth.Code(t, s, b.LogIn(p, "alice", krbtest.AlicePassword))
	}
}

// However often and under whichever name somebody guesses, the KDC's own lock-out
// is not reached: alice can go on at her desk.
func TestTheLockOutOfAKDCIsNeverReachedThroughUs(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	// MIT renames a principal and keeps its salt, so that the two names differ.
	if err := realm.Kadmin("addpol -maxfailure 4 -failurecountinterval 1h -lockoutduration 1h strict\nrenprinc -force alice alice2\nmodprinc -policy strict alice2\n"); err != nil {
		t.Fatal(err)
	}
	for i, spelling := range []string{"alice2", "ALICE2", "alice2@EXAMPLE.TEST", "Alice2@example.test", "alice2", "aLICE2"} {
		s.Program(t).GetWith("/login/negotiate", idptest.Basic(spelling, fmt.Sprint("wrong", i)))
		b := s.Browser(t)
		b.LogIn(b.Get("/login"), spelling, fmt.Sprint("also wrong", i))
	}
	if n := len(s.Log.Lines("reason=BAD_PASSWORD")); n != 3 {
		t.Errorf("the KDC was asked %d times, want the 3 of max_failures", n)
	}
	if _, err := realm.Kinit("alice2", krbtest.AlicePassword); err != nil {
		t.Errorf("she is locked out: %v", err)
	}
}

// A renamed principal keeps its salt, and its name may be given to another: what
// the one gets right says nothing of guesses at the other.
func TestGuessesAtAPrincipalOfTheSameSalt(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	if err := realm.Kadmin("renprinc -force alice victim\naddprinc -pw mallorys alice\n"); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		s.Program(t).GetWith("/login/negotiate", idptest.Basic("victim", fmt.Sprint("wrong", i)))
		if p := s.Program(t).GetWith("/login/negotiate", idptest.Basic("alice", "mallorys")); i < 2 && p.Request.URL.Path != "/account" {
			t.Errorf("alice is led to %s", p.Request.URL.Path)
		}
	}
	if n := len(s.Log.Lines("reason=BAD_PASSWORD")); n > 3 {
		t.Errorf("the KDC was asked %d times, want no more than the 3 of max_failures", n)
	}
}

// To a stranger an account that is locked or disabled is like any other.
func TestRefusedAccountsCountLikeWrongPasswords(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	if err := realm.Kadmin("addprinc -pw x gone\nmodprinc -allow_tix gone\naddprinc -pw x old\nmodprinc -expire 2020-01-01 old\n"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "nobody", "gone", "old"} {
		for i := range 4 {
			p := s.Program(t).GetWith("/login/negotiate", idptest.Basic(name, fmt.Sprint("wrong", i)))
			want := "Name or password is wrong"
			if i == 3 {
				want = "Too many wrong passwords"
			}
			if !strings.Contains(p.Body, want) {
				t.Errorf("%s, guess %d: not %q", name, i+1, want)
			}
		}
	}
}

// Whose account is unlocked gets in with the same password that was refused.
func TestTheSamePasswordIsAskedAgainWhereTheAccountWasRefused(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	if err := realm.Kadmin("modprinc -allow_tix alice\n"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		s.Program(t).GetWith("/login/negotiate", idptest.Basic("alice", krbtest.AlicePassword))
	}
	if n := len(s.Log.Lines("reason=ACCOUNT_DISABLED")); n != 5 {
		t.Errorf("%d log lines say ACCOUNT_DISABLED, want 5", n)
	}
	if err := realm.Kadmin("modprinc +allow_tix alice\n"); err != nil {
		t.Fatal(err)
	}
	if p := s.Program(t).GetWith("/login/negotiate", idptest.Basic("alice", krbtest.AlicePassword)); p.Request.URL.Path != "/account" {
		t.Errorf("led to %s", p.Request.URL.Path)
	}
}

// Without a key of ours no password can be checked, and nobody is to blame for it.
func TestAPasswordThatNobodyCanCheckIsNotWrong(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	if err := os.Remove(realm.Keytab); err != nil {
		t.Fatal(err)
	}
	broken := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm)})
	b := broken.Browser(t)
	if p := b.LogIn(b.Get("/login"), "alice", krbtest.AlicePassword); !strings.Contains(p.Body, "Passwords cannot be checked just now") {
		t.Error(p.Body)
	}
	if p := broken.Program(t).Once("GET", "/login/negotiate", nil, nil); p.StatusCode != http.StatusSeeOther || len(broken.Log.Lines("route=\"GET /login/negotiate\"", "reason=NO_KEYTAB")) != 1 {
		t.Errorf("%d\n%s", p.StatusCode, broken.Log)
	}
}

func TestGuessesAreCountedBeforeTheKDCIsAsked(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	for i, spelling := range []string{"alice", "ALICE", "alice@EXAMPLE.TEST"} {
		p := s.Program(t).GetWith("/login/negotiate", idptest.Basic(spelling, "wrong"+string(rune('a'+i))))
		if !strings.Contains(p.Body, "Name or password is wrong") {
			t.Fatalf("guess %d: not refused as wrong", i+1)
		}
	}
	p := s.Program(t).GetWith("/login/negotiate", idptest.Basic("Alice@example.test", krbtest.AlicePassword))
	if p.StatusCode != 401 || !strings.Contains(p.Body, "Too many wrong passwords") {
		t.Errorf("the fourth guess, in a fourth spelling: %d, want to be refused unasked", p.StatusCode)
	}
}

func TestTheSameWrongPasswordCountsOnce(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	for range 5 {
		s.Program(t).GetWith("/login/negotiate", idptest.Basic("alice", "last year's"))
	}
	p := s.Program(t).GetWith("/login/negotiate", idptest.Basic("alice", krbtest.AlicePassword))
	if p.Request.URL.Path != "/account" {
		t.Errorf("the right password after one wrong one, five times: %d at %s", p.StatusCode, p.Request.URL.Path)
	}
}

func TestForwardedForFromAStrangerIsOutside(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	for _, h := range []string{"X-Forwarded-For", "Forwarded", "X-Forwarded-Host"} {
		p := s.Browser(t).Once("GET", idptest.Wiki().URL(), nil, http.Header{h: {"10.0.0.1"}})
		if !strings.HasPrefix(p.Header.Get("Location"), s.Issuer+"/login?") {
			t.Errorf("%s from an untrusted peer: to %q, want the form, as from outside", h, p.Header.Get("Location"))
		}
	}
}

func TestPasswordsFromOutsideDoNotReachTheKDC(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	yaml := strings.Replace(idptest.KerberosYAML(realm), "  basic_realm", "  offer_to: [192.0.2.0/24]\n  basic_realm", 1)
	s := idptest.Start(t, idptest.Options{YAML: yaml})
	b := s.Browser(t)
	p := b.LogIn(b.Get(idptest.Wiki().URL()), "alice", krbtest.AlicePassword)
	if p.Location != nil || !strings.Contains(p.Body, "Name or password is wrong") {
		t.Errorf("an outsider's password reached the KDC: %v", p.Location)
	}
	if q := s.Program(t).Get("/login/negotiate"); q.StatusCode == 401 {
		t.Error("an outsider was challenged")
	}
	for i := range 4 {
		p = b.LogIn(b.Get(idptest.Wiki().URL()), "nobody", fmt.Sprint("guess", i))
	}
	if !strings.Contains(p.Body, "Too many wrong passwords") {
		t.Error("from outside, guesses at names of the company are not counted like those of local users")
	}
}

func TestNameTaken(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	addUser(t, s, "alice") // a local user of that name was there first
	p := s.Program(t).GetWith("/login/negotiate", idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword)))
	if p.StatusCode != 401 || len(s.Log.Lines("reason=NAME_TAKEN")) != 1 {
		t.Errorf("%d, want the company's alice refused with NAME_TAKEN", p.StatusCode)
	}
}

func TestDisabledUserIsOutAtOnce(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{}, func(t *testing.T, s *idptest.Server) {
		b := s.Browser(t)
		auth := idptest.Wiki()
		auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword))
		if err := s.Store().SetDisabled(context.Background(), s.User("bob").ID, true, store.Entry{}); err != nil {
			t.Fatal(err)
		}
		if p := b.Get(idptest.Wiki().URL()); p.Location != nil {
			t.Errorf("a disabled user's session still gives codes: %s", p.Location)
		}
		if p := b.LogIn(b.Get(idptest.Wiki().URL()), "bob", idptest.BobPassword); p.Location != nil || !strings.Contains(p.Body, "Name or password is wrong") {
			t.Error("a disabled user logs in")
		}
	})
}

func TestFormWithoutItsTokenIsRefused(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	b := s.Browser(t)
	action, form := b.Get(idptest.Wiki().URL()).Form(t, "password")
	form.Set("username", "bob")
	form.Set("password", idptest.BobPassword)
	form.Set("form_token", "AAAA")
	if p := b.Post(action, form); p.StatusCode != 403 {
		t.Errorf("%d, want 403", p.StatusCode)
	}
	if p := b.Once("POST", action, form, http.Header{"Sec-Fetch-Site": {"cross-site"}}); p.StatusCode != 403 {
		t.Errorf("cross-site: %d, want 403", p.StatusCode)
	}
}

func TestACookieThatComesTwiceIsAnError(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	for _, name := range []string{"idp_session", "idp_browser"} {
		p := s.Browser(t).Once("GET", "/account", nil, http.Header{"Cookie": {name + "=a; " + name + "=b"}})
		if p.StatusCode != 400 {
			t.Errorf("%s twice: %d, want 400", name, p.StatusCode)
		}
	}
}

func TestServerWithoutUsableKeytabOffersTheOtherMethods(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	yaml := strings.Replace(idptest.KerberosYAML(realm), realm.Keytab, "missing.keytab", 1)
	s := idptest.Start(t, idptest.Options{YAML: yaml})
	if len(s.Log.Lines("no login by ticket")) == 0 {
		t.Error("the log does not say that the keytab is missing")
	}
	b := s.Browser(t)
	auth := idptest.Wiki()
	p := b.Get(auth.URL())
	if p.StatusCode != 200 || p.Request.URL.Path != "/login" {
		t.Fatalf("%d at %s, want the form", p.StatusCode, p.Request.URL.Path)
	}
	auth.Code(t, s, b.LogIn(p, "bob", idptest.BobPassword))
}

func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	b := s.Program(t)
	header := idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))
	b.GetWith("/login/negotiate", header)
	auth := idptest.Wiki()
	code := auth.Code(t, s, b.Get(auth.URL()))
	s.Program(t).GetWith("/login/negotiate", idptest.Basic("alice", "a wrong guess"))
	secrets := []string{strings.TrimPrefix(header, "Negotiate ")[:200], code, "a wrong guess", krbtest.AlicePassword, idptest.BobPassword}
	for _, c := range b.Cookies() {
		secrets = append(secrets, c.Value)
	}
	for _, secret := range secrets {
		if strings.Contains(s.Log.String(), secret) || strings.Contains(s.Log.String(), url.QueryEscape(secret)) {
			t.Errorf("the log holds a secret: %.12s…", secret)
		}
	}
}

func TestNoCompanyTicketOnThisDevice(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	b := s.Program(t)
	p := b.Get(idptest.Wiki().URL())
	if p.StatusCode != 401 {
		t.Fatalf("%d, want the challenge", p.StatusCode)
	}
	action, form := p.Form(t, "no_ticket")
	form.Set("no_ticket", "1")
	if q := b.Post(action, form); q.StatusCode != 200 || q.Request.URL.Path != "/login" {
		t.Fatalf("%d at %s, want the form", q.StatusCode, q.Request.URL.Path)
	}
	if q := b.Get(idptest.Wiki().URL()); q.StatusCode != 200 {
		t.Errorf("%d: a ticket is asked for although none is wanted here", q.StatusCode)
	}
	// Whoever asks for the ticket again by hand gets it back.
	b.GetWith("/login/negotiate", idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword)))
	action, form = b.Get("/account").Form(t, "form_token")
	b.Post(action, form) // signed out …
	b.LogIn(b.Get("/login"), "bob", idptest.BobPassword)
	all, err := s.Store().SessionsOf(context.Background(), s.User("bob").ID)
	if err != nil || len(all) != 1 {
		t.Fatalf("bob's sessions: %v, %v", all, err)
	}
	if err := s.Store().EndSession(context.Background(), all[0].ID, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	if q := b.Get(idptest.Wiki().URL()); q.StatusCode != 401 {
		t.Errorf("%d: the ticket that was asked for by hand is not asked for again", q.StatusCode)
	}
}

func TestTicketOfADisabledUserIsToldSo(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
	s.Program(t).GetWith("/login/negotiate", idptest.Negotiate(t, ticket))
	if err := s.Store().SetDisabled(context.Background(), s.User("alice").ID, true, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	p := s.Program(t).GetWith("/login/negotiate", idptest.Negotiate(t, ticket))
	if p.StatusCode != 401 || !strings.Contains(p.Body, "disabled your account") {
		t.Errorf("%d, want a page that says so", p.StatusCode)
	}
}

func TestOddUserAgentsLogIn(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	for _, agent := range []string{"caf\xe9", strings.Repeat("x", 255) + "é", ""} {
		b := s.Browser(t)
		b.Header.Set("User-Agent", agent)
		auth := idptest.Wiki()
		auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword))
	}
}
