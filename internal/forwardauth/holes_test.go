package forwardauth_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
)

// Whoever runs a site, or listens on another port of its host, gets tickets that were
// made for it: they are good there alone, and where tickets are taken at all.
func TestHoleTicketOfASiteElsewhere(t *testing.T) {
	realm := krbtest.Start(t, krbtest.Options{Services: []string{"HTTP/idp.localhost", "HTTP/reports.localhost"}})
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm) + strings.Replace(sites, "groups: [partners]", "groups: []", 1)})
	reports, open := protect(t, s, "reports.localhost"), protect(t, s, "open.localhost")
	made := func() string {
		t.Helper()
		ticket, err := realm.Ticket("alice", krbtest.AlicePassword, "HTTP/reports.localhost")
		if err != nil {
			t.Fatal(err)
		}
		return idptest.Negotiate(t, ticket)
	}
	if got := s.Program(t).GetWith("/login/negotiate", made()); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("at the issuer: %d, walked %s", got.StatusCode, got.Walked)
	}
	if len(s.Log.Lines("reason=WRONG_SPN", "reports.localhost")) == 0 {
		t.Error("the log does not say why")
	}
	open.put(t, asNginx(open, "/", "Authorization", made())).wants(t, "another site", http.StatusUnauthorized, "CREDENTIAL")
	if a := reports.put(t, asNginx(reports, "/", "Authorization", made())); a.StatusCode != http.StatusOK || a.Header.Get("Remote-User") != "alice" {
		t.Errorf("at its own: %d %s", a.StatusCode, a.Header.Get("Idp-Reason"))
	}
	reports.put(t, asNginx(reports, "/", "Authorization", made(), "X-Forwarded-For", "203.0.113.5")).wants(t, "from outside", http.StatusUnauthorized, "CREDENTIAL")
}

// A cookie that was stolen does not rise when its owner shows more, nor does it live on
// when they log in again.
func TestHoleStolenSiteCookieRisesWithItsOwner(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	b := bobAt(t, s, p)
	stolen := siteCookie(t, b, p)
	again := b.Get("/authorize?" + url.Values{"client_id": {"reports.localhost"}, "redirect_uri": {p.URL + "/.idp/callback"}, "response_type": {"code"}, "scope": {"openid"}, "prompt": {"login"},
		"code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"}, "state": {"1/"}}.Encode())
	b.LogIn(again, "bob", idptest.BobPassword)
	p.put(t, asNginx(p, "/", "Cookie", stolen)).wants(t, "after another login", http.StatusUnauthorized, "LOGIN_REQUIRED")
	if got := b.Get(p.URL + "/x"); got.StatusCode != http.StatusOK || got.Header.Get("Remote-User") != "bob" {
		t.Errorf("its owner: %d, walked %s", got.StatusCode, got.Walked)
	}
}

// A site takes whom it is told of for somebody whom it lets in: on its open pages, too.
func TestHoleOpenPageTellsWhoIsNotLetIn(t *testing.T) {
	now := time.Now()
	s := idptest.Start(t, idptest.Options{YAML: sites, Now: func() time.Time { return now }})
	p := protect(t, s, "reports.localhost")
	cookie := siteCookie(t, bobAt(t, s, p), p)
	if a := p.put(t, asNginx(p, "/public/", "Cookie", cookie)); a.StatusCode != http.StatusOK || a.Header.Get("Remote-User") != "bob" {
		t.Errorf("bob: %d %q", a.StatusCode, a.Header.Get("Remote-User"))
	}
	bob := *s.User("bob")
	bob.Groups = nil
	if err := s.Store().UpdateUser(t.Context(), bob, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	if a := p.put(t, asNginx(p, "/public/", "Cookie", cookie)); a.StatusCode != http.StatusOK || a.Header.Get("Remote-User") != "" || a.Header.Get("Remote-Assertion") != "" {
		t.Errorf("bob, who is no partner any more: %d %q", a.StatusCode, a.Header.Get("Remote-User"))
	}
}

// Browsers that send no Fetch metadata have tickets, too, and whatever page they show
// could use them.
func TestHoleTicketOfAnOldBrowser(t *testing.T) {
	realm := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm) + sites})
	p := protect(t, s, "open.localhost")
	for name, c := range map[string]struct {
		header []string
		asked  bool
	}{
		"IE mode":       {[]string{"User-Agent", "Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko"}, false},
		"from a page":   {[]string{"Referer", "https://evil.example/"}, false},
		"PowerShell":    {[]string{"User-Agent", "Mozilla/5.0 (Windows NT 10.0; en-US) PowerShell/7.4.0"}, true},
		"curl":          {[]string{"User-Agent", "curl/7.88"}, true},
		"requests 2.31": {[]string{"User-Agent", "python-requests/2.31"}, true},
	} {
		h := asNginx(p, "/transfer", c.header...)
		h.Set("X-Original-Method", "POST")
		if a := p.put(t, h); (a.Header.Get("WWW-Authenticate") != "") != c.asked {
			t.Errorf("%s is asked: %q", name, a.Header["Www-Authenticate"])
		}
		h.Set("Authorization", idptest.Basic("bob", idptest.BobPassword))
		if a := p.put(t, h); (a.StatusCode == http.StatusOK) != c.asked {
			t.Errorf("%s with a password: %d", name, a.StatusCode)
		}
	}
}

// What cannot be read as a credential is nobody's login that failed.
func TestHoleNonsenseFillsTheAuditLog(t *testing.T) {
	realm := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm) + sites})
	p := protect(t, s, "open.localhost")
	before, err := s.Store().Entries(t.Context(), store.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, nonsense := range []string{"Negotiate", "Negotiate !", "Negotiate YWJj", "Basic !", "Basic YWJj"} {
		s.Program(t).GetWith("/login/negotiate", nonsense)
		p.put(t, asNginx(p, "/", "Authorization", nonsense)).wants(t, nonsense, http.StatusUnauthorized, "CREDENTIAL")
	}
	after, err := s.Store().Entries(t.Context(), store.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(after) != len(before) {
		t.Errorf("%d rows more", len(after)-len(before))
	}
}

// Who has found out a password, and has no second factor, does not learn in silence that
// it is right.
func TestHoleRightPasswordLeavesNoTrace(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	bob := idptest.Basic("bob", idptest.BobPassword)
	failed := func() []store.Entry {
		t.Helper()
		rows, err := s.Store().Entries(t.Context(), store.Filter{Event: audit.LoginFailed})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	for range 3 { // a script
		p.put(t, asNginx(p, "/safe/", "Authorization", bob)).wants(t, "without a second factor", http.StatusForbidden, "FACTOR_REQUIRED")
	}
	if rows := failed(); len(rows) != 1 || rows[0].Reason != "FACTOR_NEEDED" || rows[0].Name != "bob" || rows[0].ClientID != "reports.localhost" {
		t.Errorf("%+v", rows)
	}
	p.put(t, asNginx(p, "/", "Authorization", bob)).wants(t, "where one is enough", http.StatusOK, "")
	p.put(t, asNginx(p, "/safe/", "Authorization", bob)).wants(t, "without a second factor, again", http.StatusForbidden, "FACTOR_REQUIRED")
	if rows := failed(); len(rows) != 1 { // the login of a moment ago is in the audit log
		t.Errorf("%+v", rows)
	}
}

// Tokens that no key of ours opens are made by anybody, without end.
func TestHoleTicketsOfNobodyFillTheAuditLog(t *testing.T) {
	realm := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(realm) + sites})
	p := protect(t, s, "open.localhost")
	ntlm := "Negotiate " + base64.StdEncoding.EncodeToString([]byte("NTLMSSP\x00\x01\x00\x00\x00aaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
	for range 3 {
		p.put(t, asNginx(p, "/", "Authorization", ntlm)).wants(t, "NTLM", http.StatusUnauthorized, "CREDENTIAL")
		p.put(t, asNginx(p, "/", "Authorization", ntlm, "X-Forwarded-For", "10.1.2.3")).wants(t, "NTLM", http.StatusUnauthorized, "CREDENTIAL")
		s.Program(t).GetWith("/login/negotiate", ntlm)
	}
	rows, err := s.Store().Entries(t.Context(), store.Filter{Event: audit.LoginFailed})
	if err != nil || len(rows) != 2 || rows[0].Reason != "NTLM_TOKEN" || len(s.Log.Lines("reason=NTLM_TOKEN")) != 9 {
		t.Errorf("%d rows, want one for each address; %d lines of the log, want 9: %+v %v", len(rows), len(s.Log.Lines("reason=NTLM_TOKEN")), rows, err)
	}
}

// A code that was used is found in logs: it ends nobody's login.
func TestHoleUsedCodeEndsALogin(t *testing.T) {
	idptest.Each(t, idptest.Options{YAML: sites}, func(t *testing.T, s *idptest.Server) {
		p := protect(t, s, "reports.localhost")
		b := browser(t, s, p)
		callback := begun(t, s, p, b)
		b.Get(callback.String())
		cookie := siteCookie(t, b, p)
		s.Browser(t).Once(http.MethodGet, callback.String(), nil, http.Header{"Cookie": {"idp_start=" + strings.Repeat("x", 43)}})
		if a := p.put(t, asNginx(p, "/", "Cookie", cookie)); a.StatusCode != http.StatusOK {
			t.Errorf("%d %s", a.StatusCode, a.Header.Get("Idp-Reason"))
		}
	})
}

// What stands in a query may be secret.
func TestHoleQueriesInTheLog(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	p.put(t, asNginx(p, "/x?token=SECRET1", "X-Forwarded-Uri", "/y?token=SECRET2"))
	p.put(t, asTraefik(p, "x?token=SECRET3"))
	p.put(t, http.Header{"X-Original-Url": {"x?token=SECRET4"}, "X-Original-Method": {"GET"}})
	p.put(t, asNginx(p, "/.idp/x?token=SECRET5"))
	p.put(t, asNginx(p, "/%00?token=SECRET6"))
	if lines := s.Log.Lines("SECRET"); len(lines) > 0 {
		t.Errorf("%q", lines)
	}
	if n := len(s.Log.Lines("route=/forward-auth", "status=403")); n != 5 {
		t.Errorf("%d refusals, want 5", n)
	}
}

// A host has one spelling, and what is none does not come back in an address.
func TestHoleOddHosts(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: "trusted_proxies: [127.0.0.2/32]\nforward_auth: [{host: \"[::1]\"}, {host: open.localhost}]\n"})
	p := protect(t, s, "open.localhost")
	for _, host := range []string{"[open.localhost]", "]open.localhost[", "[open.localhost", "open.localhost]:80", "open.localhost:1:2", "[0:0::1]", "::1", "[::1%25lo]"} {
		p.put(t, http.Header{"X-Original-Url": {"http://" + host + "/"}, "X-Original-Method": {"GET"}}).wants(t, host, http.StatusForbidden, "UNKNOWN_SITE")
	}
	for _, host := range []string{"[::1]", "[::1]:8443", "open.localhost:8443", "OPEN.localhost"} {
		p.put(t, http.Header{"X-Original-Url": {"http://" + host + "/"}, "X-Original-Method": {"GET"}}).wants(t, host, http.StatusUnauthorized, "LOGIN_REQUIRED")
	}
}

// A rule about /Docs/ says nothing of /docs/, which is another path to most programs.
func TestHoleRuleInCapitals(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: "trusted_proxies: [127.0.0.2/32]\nforward_auth: [{host: open.localhost, rules: [{path: /Docs/, allow: anyone}]}]\n"})
	p := protect(t, s, "open.localhost")
	var statuses []int
	for _, path := range []string{"/Docs/x", "/docs/x", "/DOCS/x"} {
		statuses = append(statuses, p.put(t, asNginx(p, path)).StatusCode)
	}
	if !slices.Equal(statuses, []int{200, 401, 401}) {
		t.Errorf("%v, want 200 for the first alone", statuses)
	}
}
