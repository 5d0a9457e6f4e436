package server_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

// standards are the headings of docs/standards.md.
var standards = []string{
	"OpenID Connect Core 1.0", "OpenID Connect Discovery 1.0", "OpenID Connect RP-Initiated Logout 1.0", "OpenID Connect Back-Channel Logout 1.0",
	"OpenID Connect Front-Channel Logout 1.0", "OAuth 2.0 Form Post Response Mode", "RFC 6749", "RFC 6750", "RFC 7009", "RFC 7523", "RFC 7591", "RFC 7636",
	"RFC 7662", "RFC 8252", "RFC 8414", "RFC 8628", "RFC 8693", "RFC 8707", "RFC 9068", "RFC 9126", "RFC 9207", "RFC 9449", "RFC 9700", "FAPI 2.0 Security Profile",
}

var (
	testName = regexp.MustCompile("`([a-z]+\\.(?:Test|Fuzz)\\w+)`")
	decision = regexp.MustCompile(`decisions/(\d{4})`)
	shownBy  = regexp.MustCompile("^(`[a-z]+\\.(Test|Fuzz)\\w+`|(differs|not ours): .)")
)

// TestStandardsAreShown: docs/standards.md has every standard, each of its rows
// says by what it is shown, and the tests and decisions that it names are there.
func TestStandardsAreShown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/standards.md")
	if err != nil {
		t.Fatal(err)
	}
	there, rows, heading := testNames(t), map[string]int{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			heading, _, _ = strings.Cut(title, ": ")
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| section |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 3 || !shownBy.MatchString(strings.TrimSpace(cells[2])) {
			t.Errorf("%s: want section, requirement, and a test or a reason: %s", heading, line)
			continue
		}
		rows[heading]++
		for _, m := range testName.FindAllStringSubmatch(cells[2], -1) {
			if !there[m[1]] {
				t.Errorf("%s: %s is no test", heading, m[1])
			}
		}
		for _, m := range decision.FindAllStringSubmatch(cells[2], -1) {
			if found, _ := filepath.Glob("../../docs/decisions/" + m[1] + "-*.md"); len(found) != 1 {
				t.Errorf("%s: decision %s is not there", heading, m[1])
			}
		}
	}
	for _, name := range standards {
		if rows[name] == 0 {
			t.Errorf("%s has no row", name)
		}
	}
}

// RFC 8414 §3 and OpenID Connect Discovery §4 name two paths; what they say must
// be the same (RFC 9068 §4).
func TestBothDiscoveryDocumentsAreTheSame(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	b := s.Browser(t)
	var first string
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		p := b.Once(http.MethodGet, path, nil, nil)
		if p.StatusCode != http.StatusOK || p.Header.Get("Content-Type") != "application/json" || (first != "" && p.Body != first) {
			t.Errorf("%s: %d %s", path, p.StatusCode, p.Body)
		}
		first = p.Body
	}
}

// OIDC Core §2: amr holds values of RFC 8176.
func TestAMRNamesTheMethod(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	rp := newRelyingParty(t, s, "wiki", idptest.WikiSecret, "http://wiki.localhost/callback")
	ticket := http.Header{"Authorization": {idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))}}
	for want, logIn := range map[string]func(b *idptest.Browser, auth *idptest.Auth) *idptest.Page{
		"pwd": func(b *idptest.Browser, auth *idptest.Auth) *idptest.Page {
			auth.Query.Set("prompt", "login")
			return b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
		},
		"wia": func(b *idptest.Browser, auth *idptest.Auth) *idptest.Page {
			challenge := b.Once(http.MethodGet, auth.URL(), nil, nil).Header.Get("Location")
			return b.Get(b.Once(http.MethodGet, challenge, nil, ticket).Header.Get("Location"))
		},
	} {
		auth := idptest.Wiki()
		code := auth.Code(t, s, logIn(s.Browser(t), auth))
		token, err := rp.oauth.Exchange(rp.ctx, code, oauth2.VerifierOption(auth.Verifier))
		if err != nil {
			t.Fatal(err)
		}
		if amr, _ := rp.claims(t, token, auth.Query.Get("nonce"))["amr"].([]any); len(amr) != 1 || amr[0] != want {
			t.Errorf("amr %v, want [%s]", amr, want)
		}
	}
}
