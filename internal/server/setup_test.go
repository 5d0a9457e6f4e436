package server_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/browserpolicy"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

const setupTest = "/setup/test"

// heading is what the set-up page says in its title; it fails when it is another page.
func heading(t *testing.T, p *idptest.Page) string {
	t.Helper()
	_, rest, found := strings.Cut(p.Body, "<h1>")
	text, _, _ := strings.Cut(rest, "</h1>")
	if !found {
		t.Fatalf("%d, and no page:\n%s", p.StatusCode, p.Body)
	}
	return text
}

// begun opens the test in a browser and returns the address that it is sent to,
// which is then challenged.
func begun(t *testing.T, s *idptest.Server, b *idptest.Browser) string {
	t.Helper()
	p := b.Once("GET", setupTest, nil, nil)
	loc := p.Header.Get("Location")
	if p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(loc, s.Issuer+setupTest+"?login=") {
		t.Fatalf("%d to %q, want the test with a login request", p.StatusCode, loc)
	}
	return loc
}

// nobody fails the test when the browser has a session.
func nobody(t *testing.T, b *idptest.Browser) {
	t.Helper()
	for _, c := range b.Cookies() {
		if strings.Contains(c.Name, "session") {
			t.Errorf("the test of a browser made a session: cookie %s", c.Name)
		}
	}
	if p := b.Once("GET", "/account", nil, nil); p.StatusCode != http.StatusSeeOther {
		t.Errorf("/account: %d, want a login first", p.StatusCode)
	}
}

func TestSetupTestChallengesWithNegotiateAlone(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	b := s.Browser(t)
	if p := b.Get("/setup"); p.StatusCode != 200 || !strings.Contains(p.Body, `href="`+s.Issuer+setupTest+`"`) {
		t.Fatalf("/setup: %d\n%s", p.StatusCode, p.Body)
	}
	p := b.Get(begun(t, s, b))
	if got := p.Header.Values("WWW-Authenticate"); p.StatusCode != 401 || !slices.Equal(got, []string{"Negotiate"}) {
		t.Errorf("%d %q, want 401 and Negotiate alone: nobody is prompted", p.StatusCode, got)
	}
	if got := heading(t, p); got != "No. This browser did not send a ticket" {
		t.Errorf("the 401's body says %q", got)
	}
	nobody(t, b)
}

func TestSetupTestSaysYesAndLogsNobodyIn(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
	b := s.Browser(t)
	used := idptest.Negotiate(t, ticket)
	target := begun(t, s, b)
	p := b.GetWith(target, used)
	if p.StatusCode != 200 || !strings.HasPrefix(p.Header.Get("WWW-Authenticate"), "Negotiate ") {
		t.Errorf("%d %q, want 200 with the server's own token", p.StatusCode, p.Header.Get("WWW-Authenticate"))
	}
	if !strings.HasPrefix(heading(t, p), "Yes.") || !strings.Contains(p.Body, "alice@"+realm.Name) || !strings.Contains(p.Body, "Kerberos, by SPNEGO") {
		t.Errorf("the page does not say who and how:\n%s", p.Body)
	}
	nobody(t, b)
	if lines := s.Log.Lines("login=setup-test", "user=alice", "status=200"); len(lines) != 1 {
		t.Errorf("%d log lines of the test, want one", len(lines))
	}

	raw, err := ticket.Raw()
	if err != nil {
		t.Fatal(err)
	}
	p = b.GetWith(target, "negotiate "+base64.StdEncoding.EncodeToString(raw))
	if !strings.Contains(p.Body, "without SPNEGO") {
		t.Errorf("a ticket without SPNEGO:\n%s", p.Body)
	}
	for _, target := range []string{setupTest, "/login/negotiate"} { // tested once is used once
		p = s.Program(t).Once("GET", target, nil, http.Header{"Authorization": {used}})
		if p.StatusCode != 401 || len(s.Log.Lines("reason=REPLAY")) == 0 {
			t.Errorf("%s: %d for a token that was tested before, want the replay refused", target, p.StatusCode)
		}
	}
}

// Windows offers NEGOEX first: its ticket comes with the second token.
func TestSetupTestGoesOnAfterAnotherMechanism(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
	var key types.EncryptionKey
	apReq, err := ticket.APReq(func(a *types.Authenticator) { key = a.SubKey })
	if err != nil {
		t.Fatal(err)
	}
	mic, err := gssapi.NewInitiatorMICToken(der(0x30, negoex, krb5), key)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := mic.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	b := s.Browser(t)
	target := begun(t, s, b)
	send := func(token []byte) *idptest.Page {
		return b.GetWith(target, "Negotiate "+base64.StdEncoding.EncodeToString(token))
	}
	first := krbtest.SPNEGO([]byte("NEGOEXTS"), string(negoex), string(krb5))
	if p := send(first); p.StatusCode != 401 || !strings.HasPrefix(p.Header.Get("WWW-Authenticate"), "Negotiate ") {
		t.Fatalf("%d %q, want the token that asks for Kerberos", p.StatusCode, p.Header.Get("WWW-Authenticate"))
	}
	second := der(0xa1, der(0x30, der(0xa2, der(0x04, krbtest.Frame(apReq))), der(0xa3, der(0x04, proof))))
	if p := send(second); p.StatusCode != 200 || !strings.HasPrefix(heading(t, p), "Yes.") {
		t.Errorf("%d %q", p.StatusCode, heading(t, p))
	}
	if p := send(second); p.StatusCode != 401 { // begun and over
		t.Errorf("the second token once more: %d", p.StatusCode)
	}
	nobody(t, b)
	if p := s.Program(t).GetWith(setupTest, "Negotiate "+base64.StdEncoding.EncodeToString(first)); p.StatusCode != 401 || !strings.Contains(p.Body, "KERBEROS_NOT_FIRST") {
		t.Errorf("a program without a login request: %d\n%s", p.StatusCode, p.Body)
	}
}

// Mechanisms, as DER: NEGOEX and Kerberos.
var (
	negoex = []byte("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e")
	krb5   = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")
)

func der(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(append([]byte{tag}, asn1tools.MarshalLengthBytes(len(body))...), body...)
}

func TestSetupTestSaysWhyATicketIsRefused(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	b64 := base64.StdEncoding.EncodeToString
	for name, c := range map[string]struct{ header, reason, text string }{
		"ntlm":     {"Negotiate " + b64([]byte("NTLMSSP\x00\x01\x00\x00\x00\x07\x82\x08\xa2")), "NTLM_TOKEN", "HTTP/idp.localhost"},
		"random":   {"Negotiate " + b64([]byte("certainly no ticket")), "MALFORMED_TOKEN", "no Kerberos ticket"},
		"password": {idptest.Basic("bob", idptest.BobPassword), "MALFORMED_TOKEN", "no Kerberos ticket"},
		"64 KB":    {"Negotiate " + b64(make([]byte, 64<<10)), "TOKEN_TOO_BIG", "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			b := s.Browser(t)
			p := b.GetWith(begun(t, s, b), c.header)
			if p.StatusCode != 401 || p.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("%d %q, want a bare 401", p.StatusCode, p.Header.Get("WWW-Authenticate"))
			}
			if !strings.HasPrefix(heading(t, p), "No. ") || !strings.Contains(p.Body, c.reason) || !strings.Contains(p.Body, c.text) || !strings.Contains(p.Body, "Reference: ") {
				t.Errorf("the page does not say %s, %q and a reference:\n%s", c.reason, c.text, p.Body)
			}
			if len(s.Log.Lines("login=setup-test", "reason="+c.reason)) == 0 {
				t.Errorf("no log line names %s", c.reason)
			}
			nobody(t, b)
		})
	}
	if n := len(s.Log.Lines(idptest.BobPassword)); n > 0 {
		t.Errorf("bob's password is in %d log lines", n)
	}
}

func TestSetupTestAsksNobodyOutside(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "  offer_to: [192.0.2.0/24]\n")
	b := s.Browser(t)
	p := b.Once("GET", setupTest, nil, nil)
	if p.StatusCode != 200 || p.Header.Get("WWW-Authenticate") != "" || !strings.Contains(heading(t, p), "outside") ||
		!strings.Contains(p.Body, "127.0.0.1") || !strings.Contains(p.Body, "kerberos.offer_to") {
		t.Errorf("%d %q\n%s", p.StatusCode, p.Header.Get("WWW-Authenticate"), p.Body)
	}
	token := idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))
	if p = b.GetWith(setupTest, token); strings.Contains(p.Body, "alice") {
		t.Error("a ticket from outside was looked at")
	}
	p = b.Once("GET", setupTest, nil, http.Header{"X-Forwarded-For": {"192.0.2.1"}})
	if !strings.Contains(p.Body, "trusted_proxies") || strings.Contains(p.Body, "127.0.0.1") {
		t.Errorf("behind an unknown proxy, whose address is nobody's business:\n%s", p.Body)
	}
}

func TestSetupTestOnAServerThatCannotCheckTickets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ yaml, text string }{
		"no keytab": {"kerberos:\n  realms: [{name: EXAMPLE.TEST}]\n", "no key to open tickets"},
		"no realm":  {"kerberos:\n  keytabs: []\n", "trusts no Kerberos realm"},
	} {
		t.Run(name, func(t *testing.T) {
			s := idptest.Start(t, idptest.Options{YAML: c.yaml})
			p := s.Browser(t).Once("GET", setupTest, nil, nil)
			if p.StatusCode != 200 || p.Header.Get("WWW-Authenticate") != "" || !strings.Contains(p.Body, c.text) || !strings.Contains(p.Body, "idp doctor") ||
				len(s.Log.Lines("login=setup-test", "no ticket asked for")) != 1 {
				t.Errorf("%d %q, want no challenge, and %q\n%s", p.StatusCode, p.Header.Get("WWW-Authenticate"), c.text, p.Body)
			}
		})
	}
}

// Where nobody logs in by ticket, no page speaks of any.
func TestWithoutKerberosNoPageSpeaksOfTickets(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	b := s.Browser(t)
	for path, want := range map[string]string{"/setup": "nothing to set up", setupTest: "nothing to set up", "/end_session": "You are signed out", "/login": "password"} {
		if p := b.Get(path); p.StatusCode != 200 || !strings.Contains(p.Body, want) || strings.Contains(strings.ToLower(p.Body), "ticket") {
			t.Errorf("%s: %d, want %q and no tickets\n%s", path, p.StatusCode, want, p.Body)
		}
	}
	if len(s.Log.Lines("login=setup-test", "no kerberos section")) != 1 {
		t.Error("the log does not say why nothing is tested")
	}
}

func TestSetupTestIsForNavigationsOnly(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	token := idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))
	for name, h := range map[string]http.Header{
		"fetch": {"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}},
		"frame": {"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}},
	} {
		for _, authorization := range []string{"", token} {
			if authorization != "" {
				h.Set("Authorization", authorization)
			}
			p := s.Browser(t).Once("GET", setupTest, nil, h)
			if p.StatusCode != 403 || p.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: %d %q, want 403 without a challenge", name, p.StatusCode, p.Header.Get("WWW-Authenticate"))
			}
		}
	}
	p := s.Browser(t).Once("HEAD", setupTest, nil, http.Header{"Authorization": {token}})
	if p.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d, want 405", p.StatusCode)
	}
	if p := s.Browser(t).Once("POST", setupTest, url.Values{}, nil); p.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d, want 405", p.StatusCode)
	}
}

func TestSetupTestRemembersThatTicketsAreNotWanted(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	b := s.Browser(t)
	ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
	action, form := b.Get("/login").Form(t, "no_ticket")
	form.Set("no_ticket", "1")
	b.Post(action, form)
	p := b.GetWith(begun(t, s, b), idptest.Negotiate(t, ticket))
	if !strings.HasPrefix(heading(t, p), "Almost.") || !strings.Contains(p.Body, "Do not use my company ticket") {
		t.Errorf("a browser that was told to use no ticket:\n%s", p.Body)
	}
}

func TestSetupCausesFitTheBrowser(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	const chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
	host := strings.TrimPrefix(s.Issuer, "http://")
	for name, c := range map[string]struct {
		header http.Header
		want   []string // in this order
		not    string
	}{
		"Edge on Windows": {http.Header{"User-Agent": {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + chrome + " Edg/156.0.0.0"}},
			[]string{"edge://policy", "intranet zone", "klist", "klist get HTTP/idp.localhost"}, "another one"},
		"Chrome on Linux": {http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) " + chrome}},
			[]string{"first time", "kinit NAME", "chrome://policy", "idp.localhost", "private window", "kvno HTTP/idp.localhost", "snap"}, "intranet zone"},
		"Firefox": {http.Header{"User-Agent": {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:153.0) Gecko/20100101 Firefox/153.0"}},
			[]string{"SSO extension", "network.negotiate-auth.trusted-uris", s.Issuer}, "snap"},
		"Safari": {http.Header{"User-Agent": {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/19.0 Safari/605.1.15"}},
			[]string{"SSO extension", "private window"}, "may not send tickets"},
		"a phone": {http.Header{"User-Agent": {"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/604.1"}},
			[]string{"Phones and tablets"}, "klist"},
		"something": {http.Header{"User-Agent": {`<script>alert(1)</script>`}}, []string{"may not send tickets", "no ticket"}, "alert("},
		"another name": {http.Header{"Host": {"localhost:" + host[strings.LastIndex(host, ":")+1:]}},
			[]string{"another one", s.Issuer + "/setup"}, "evil"},
	} {
		t.Run(name, func(t *testing.T) {
			b := s.Browser(t)
			target := setupTest
			if h := c.header.Get("Host"); h != "" { // reached by another name
				target = "http://" + h + setupTest
			}
			target += "?login=over" // of another browser, or too old: the test goes on without
			p := b.Once("GET", target, nil, c.header)
			if p.StatusCode != 401 {
				t.Fatal(p.StatusCode)
			}
			body, _, _ := strings.Cut(p.Body, "<details")
			_, rest, _ := strings.Cut(body, "and none came.")
			for _, w := range c.want {
				_, after, found := strings.Cut(rest, w)
				if !found {
					t.Errorf("%q is missing, or not in its place:\n%s", w, body)
				}
				rest = after
			}
			if strings.Contains(body, c.not) {
				t.Errorf("%q is on the page:\n%s", c.not, body)
			}
		})
	}
}

func TestSetupFilesAreThoseOfTheCommand(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: "kerberos:\n  realms: [{name: EXAMPLE.TEST}]\n"})
	issuer, err := url.Parse(s.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	files, err := browserpolicy.Files(issuer)
	if err != nil {
		t.Fatal(err)
	}
	page := s.Browser(t).Get("/setup").Body
	for _, f := range files {
		p := s.Browser(t).Get("/setup/files/" + f.Name)
		if p.StatusCode != 200 || p.Body != string(f.Content) || p.Header.Get("Content-Type") != f.Type {
			t.Errorf("%s: %d %q\n%s", f.Name, p.StatusCode, p.Header.Get("Content-Type"), p.Body)
		}
		if _, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition")); err != nil || params["filename"] != f.Name {
			t.Errorf("%s: Content-Disposition %q", f.Name, p.Header.Get("Content-Disposition"))
		}
		if !strings.Contains(page, fmt.Sprintf(`href="/setup/files/%s"`, f.Name)) {
			t.Errorf("the page does not link to %s", f.Name)
		}
	}
	for _, name := range []string{"idp.yaml", "..%2fidp.yaml", ""} {
		if p := s.Browser(t).Get("/setup/files/" + name); p.StatusCode != 404 {
			t.Errorf("%q: %d, want 404", name, p.StatusCode)
		}
	}
}
