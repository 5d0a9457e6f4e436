package oidc

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"idp/internal/oidc/pushed"
	"idp/internal/oidc/rptest"
	"idp/internal/web"
)

// line answers a request, and returns the line that the log has of it.
func (w *world) line(r *http.Request) (*answer, string) {
	w.t.Helper()
	var log bytes.Buffer
	rec := httptest.NewRecorder()
	r.RemoteAddr = "127.0.0.1:1234"
	web.Chain(w.routes(), web.ChainConfig{Log: slog.New(slog.NewJSONHandler(&log, nil)), Pages: w.Pages}).ServeHTTP(rec, r)
	var fields map[string]any
	must(w.t, json.Unmarshal(log.Bytes(), &fields))
	text := ""
	for _, name := range []string{"reason", "detail", "err"} {
		if s, ok := fields[name].(string); ok {
			text += name + "=" + s + " "
		}
	}
	return &answer{rec, w.t}, text
}

// TestTheLogNamesWhatWasRefused: the log has the value and the true cause, and whoever
// asked learns neither.
func TestTheLogNamesWhatWasRefused(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	get := func(target string) *http.Request { return httptest.NewRequest(http.MethodGet, target, nil) }
	with := func(form url.Values, pairs ...string) url.Values { return changed(form, pairs) }
	spent := b.code("wiki")
	w.api("wiki", "/token", codeForm(spent))
	push := func() string { return w.api("pushes", "/par", authParams("pushes")).str("request_uri") }
	answered := push()
	b.get("/authorize?" + url.Values{"client_id": {"pushes"}, "request_uri": {answered}}.Encode()).back()
	access := b.tokens("wiki").json()
	refresh, _ := access["refresh_token"].(string)
	bearer, _ := access["access_token"].(string)
	old := b.tokens("wiki").str("refresh_token")
	w.api("wiki", "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old}})
	colon := postForm("/introspect", url.Values{"token": {bearer}})
	colon.SetBasicAuth(testLedger, "secret") // as curl -u does
	assertion := rptest.NewKey(t, "ES256").Assertion(t, "https://ci.example", testIssuer, w.Now(), map[string]any{"sub": "repo:org/app\n"})
	bearerForm := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	for name, c := range map[string]struct {
		r    *http.Request
		want string
	}{
		"unknown client at the page":  {get(authorizeURL("wikki")), `err=client_id "wikki": not found`},
		"a line break in it":          {get(authorizeURL("a\nb")), `client_id "a?b"`},
		"a very long one":             {get(authorizeURL(strings.Repeat("x", 5000))), `client_id "` + strings.Repeat("x", 200) + `…"`},
		"unknown redirect_uri":        {get(authorizeURL("wiki", "redirect_uri", "https://wiki.example.com/Callback")), `err=redirect_uri "https://wiki.example.com/Callback"`},
		"unknown redirect_uri, PAR":   {postAs("pushes", "/par", authParams("pushes", "redirect_uri", "https://x.example/")), `"https://x.example/"`},
		"unknown client at the token": {postAs("wikki", "/token", codeForm("x")), `client "wikki" is unknown`},
		"a URL cut at its colon":      {colon, `client "https" is unknown`},
		"an assertion of nobody":      {postForm("/token", bearerForm), `client "https://ci.example" is unknown`},
		"one that is not trusted":     {postForm("/token", with(url.Values{"grant_type": bearerForm["grant_type"], "assertion": {assertion}}, "client_id", "machine")), `iss "https://ci.example", sub "repo:org/app?"`},
		"an unknown code":             {postAs("wiki", "/token", codeForm("x")), "it is unknown"},
		"a used code":                 {postAs("wiki", "/token", codeForm(spent)), "used a second time"},
		"another client's code":       {postAs("other", "/token", codeForm(b.code("wiki"))), "it is another client's"},
		"no verifier":                 {postAs("wiki", "/token", with(codeForm(b.code("wiki")), "code_verifier", "")), "the code_verifier is missing"},
		"another verifier":            {postAs("wiki", "/token", with(codeForm(b.code("wiki")), "code_verifier", strings.Repeat("x", 43))), "the code_verifier is not the one"},
		"another redirect_uri":        {postAs("wiki", "/token", with(codeForm(b.code("wiki")), "redirect_uri", "https://x.example/")), "given to another redirect_uri"},
		"an unknown pushed request":   {get("/authorize?" + url.Values{"client_id": {"pushes"}, "request_uri": {pushed.RequestURI + "x"}}.Encode()), `reason=PUSHED_REQUEST err=client_id "pushes": unknown`},
		"another client's":            {get("/authorize?" + url.Values{"client_id": {"wiki"}, "request_uri": {push()}}.Encode()), `reason=PUSHED_REQUEST err=client_id "wiki": it is that of client_id "pushes"`},
		"an answered one":             {get("/authorize?" + url.Values{"client_id": {"pushes"}, "request_uri": {answered}}.Encode()), "reason=PUSHED_REQUEST err=it has given its code"},
		"introspection: no token":     {postAs("wiki", "/introspect", url.Values{"token": {"x"}}), "inactive: not a token of ours"},
		"introspection: no JWT":       {postAs("wiki", "/introspect", url.Values{"token": {"a.b.c"}}), "inactive: "},
		"introspection: of another":   {postAs("other", "/introspect", url.Values{"token": {bearer}}), `inactive: it was given to client_id "wiki" for "` + testIssuer + `"`},
		"introspection: theirs":       {postAs("other", "/introspect", url.Values{"token": {refresh}}), `inactive: it is a refresh token of client_id "wiki"`},
		"introspection: replaced":     {postAs("wiki", "/introspect", url.Values{"token": {old}}), "inactive: it is a refresh token that another one has replaced"},
	} {
		a, line := w.line(c.r)
		if !strings.Contains(line, c.want) {
			t.Errorf("%s: the log says %q, want %q in it", name, line, c.want)
		}
		for _, told := range []string{"wikki", "Callback", "x.example", "it is", "code_verifier is", "given its code", "inactive", "pushes", "ci.example", "repo:"} {
			if strings.Contains(a.Body.String(), told) {
				t.Errorf("%s: the answer says %q: %s", name, told, a.Body)
			}
		}
	}
}

// TestTheLogSaysWhyATokenIsNoLongerActive: revoked and expired are two things.
func TestTheLogSaysWhyATokenIsNoLongerActive(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	late := codeForm(b.code("wiki"))
	access := b.tokens("wiki").json()
	bearer, _ := access["access_token"].(string)
	refresh, _ := access["refresh_token"].(string)
	gone := b.tokens("wiki").str("refresh_token")
	w.api("wiki", "/revoke", url.Values{"token": {gone}})
	check := func(token, want string) {
		t.Helper()
		if a, line := w.line(postAs("wiki", "/introspect", url.Values{"token": {token}})); a.Body.String() != `{"active":false}` || !strings.Contains(line, "inactive: "+want) {
			t.Errorf("%s, log %q, want %q", a.Body, line, want)
		}
	}
	check(gone, "it is a revoked refresh token")
	w.api("wiki", "/revoke", url.Values{"token": {bearer}})
	check(bearer, "it is revoked")
	w.pass(time.Hour)
	check(bearer, "not a valid access token: expired")
	if _, line := w.line(postAs("wiki", "/token", late)); !strings.Contains(line, "it has expired") {
		t.Error(line)
	}
	w.pass(12 * time.Hour)
	check(refresh, "it is an expired refresh token")
}
