package account_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// The browsers of these tests.
const (
	firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0"
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1"
)

// people are carol and dave beside bob.
const people = `  - {name: carol, password_file: bob.txt, email: carol@example.com, groups: [finance]}
  - {name: dave, password_file: bob.txt}
`

// telly is a trusted relying party on a device: nobody is asked for consent.
const telly = `  - client_id: telly
    client_name: Tellyvision
    token_endpoint_auth_method: none
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token]
    scope: openid profile offline_access
`

// desk is a trusted relying party that may come while its person is away.
const desk = `  - client_id: desk
    client_name: Desk
    client_secret_file: wiki.secret
    redirect_uris: [http://desk.localhost/callback]
    grant_types: [authorization_code, refresh_token]
    scope: openid profile offline_access
`

// loggedIn is a browser of somebody.
func loggedIn(t *testing.T, s *idptest.Server, name, agent string) *idptest.Browser {
	t.Helper()
	b := s.Browser(t)
	b.Header.Set("User-Agent", agent)
	if p := b.LogIn(b.Get("/login"), name, idptest.BobPassword); p.StatusCode != http.StatusOK || p.Request.URL.Path != "/account" {
		t.Fatalf("%s: %d at %s", name, p.StatusCode, p.Request.URL)
	}
	return b
}

// shows checks the words of a page; those that begin with - must not be there.
func shows(t *testing.T, p *idptest.Page, words ...string) {
	t.Helper()
	for _, w := range words {
		w, not := strings.CutPrefix(w, "-")
		if strings.Contains(p.Body, w) == not {
			t.Errorf("%s has %q: %v, want %v\n%s", p.Request.URL.Path, w, not, !not, p.Body)
		}
	}
}

// isOut reports whether a browser has to log in.
func isOut(b *idptest.Browser) bool {
	return b.Once(http.MethodGet, "/account", nil, nil).StatusCode == http.StatusSeeOther
}

// tokens is what the token endpoint answers.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
	Active  bool   `json:"active"`
}

// ask posts to an endpoint for programs, as the relying party desk unless the form
// says which.
func ask(t *testing.T, b *idptest.Browser, path string, form url.Values) (a tokens) {
	t.Helper()
	header := http.Header{}
	if form.Get("client_id") == "" {
		header.Set("Authorization", idptest.Basic("desk", idptest.WikiSecret))
	}
	p := b.Once(http.MethodPost, path, form, header)
	if err := json.Unmarshal([]byte(p.Body), &a); err != nil {
		t.Fatalf("%s: %d %s", path, p.StatusCode, p.Body)
	}
	return a
}

// atDesk logs a browser in there.
func atDesk(t *testing.T, s *idptest.Server, b *idptest.Browser, scope string) tokens {
	t.Helper()
	auth := idptest.NewAuth("desk", "http://desk.localhost/callback")
	auth.Query.Set("scope", scope)
	a := ask(t, s.Program(t), "/token", url.Values{"grant_type": {"authorization_code"}, "code": {auth.Code(t, s, b.Get(auth.URL()))},
		"redirect_uri": {"http://desk.localhost/callback"}, "code_verifier": {auth.Verifier}})
	if a.Access == "" || a.Refresh == "" {
		t.Fatalf("%+v", a)
	}
	return a
}

func refreshed(t *testing.T, s *idptest.Server, token string) tokens {
	t.Helper()
	return ask(t, s.Program(t), "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// onADevice logs somebody in on a device, by the browser they have.
func onADevice(t *testing.T, s *idptest.Server, b *idptest.Browser, scope string) tokens {
	t.Helper()
	var d struct {
		Code string `json:"device_code"`
		User string `json:"user_code"`
	}
	p := s.Program(t).Once(http.MethodPost, "/device_authorization", url.Values{"client_id": {"telly"}, "scope": {scope}}, nil)
	if err := json.Unmarshal([]byte(p.Body), &d); err != nil || d.Code == "" {
		t.Fatalf("%d %s", p.StatusCode, p.Body)
	}
	_, form := b.Get("/device").Form(t, "user_code")
	form.Set("user_code", d.User)
	action, form := b.Get("/device?"+form.Encode()).Form(t, "answer")
	form.Set("answer", "allow")
	b.Post(action, form)
	a := ask(t, s.Program(t), "/token", url.Values{"client_id": {"telly"}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d.Code}})
	if a.Access == "" {
		t.Fatalf("%+v", a)
	}
	return a
}

// The overview says who is logged in and how, and leads to what is worth a look.
func TestTheOverviewLeadsToWhatIsWorthALook(t *testing.T) {
	s := idptest.Start(t, idptest.Options{Users: people})
	dave := loggedIn(t, s, "dave", firefox)
	shows(t, dave.Get("/account"), "with your name and password", "Nothing at the moment", "-tried to log in")
	loggedIn(t, s, "dave", iphone)
	stranger := s.Browser(t)
	stranger.LogIn(stranger.Get("/login"), "dave", "a guess")
	shows(t, dave.Get("/account"), "Somebody tried to log in with your name", "logged in at one other place", `href="/account/history"`, `href="/account/sessions"`, "-Nothing at the moment")
}

// Each page is for whoever is logged in; others log in and come back to it.
func TestEveryPageAsksForALogin(t *testing.T) {
	s := idptest.Start(t, idptest.Options{})
	for _, page := range []string{"/", "/account", "/account/profile", "/account/security", "/account/sessions", "/account/sites", "/account/history?before=0123456789ab"} {
		b := s.Browser(t)
		login := b.Get(page)
		if login.Request.URL.Path != "/login" {
			t.Errorf("%s: walked %s without a login", page, login.Walked)
			continue
		}
		if p := b.LogIn(login, "bob", idptest.BobPassword); p.Request.URL.RequestURI() != page || p.StatusCode != http.StatusOK {
			t.Errorf("%s: came back to %s (%d)", page, p.Request.URL, p.StatusCode)
		}
		if p := b.Once(http.MethodHead, page, nil, nil); p.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("HEAD %s: %d", page, p.StatusCode)
		}
	}
}
