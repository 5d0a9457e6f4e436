package server_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// unchecked is what people are told of who registered itself.
const unchecked = "This site registered itself; nobody here has checked it."

// metadata is a relying party as it registers itself, and what it is answered.
type metadata struct {
	ID           string   `json:"client_id,omitempty"`
	Secret       string   `json:"client_secret,omitempty"`
	Name         string   `json:"client_name,omitempty"`
	URI          string   `json:"client_uri,omitempty"`
	Privacy      string   `json:"policy_uri,omitempty"`
	Redirects    []string `json:"redirect_uris"`
	PostLogout   []string `json:"post_logout_redirect_uris,omitempty"`
	Frontchannel string   `json:"frontchannel_logout_uri,omitempty"`
	Session      bool     `json:"frontchannel_logout_session_required,omitempty"`
	Grants       []string `json:"grant_types,omitempty"`
	Method       string   `json:"token_endpoint_auth_method,omitempty"`
	Error        string   `json:"error,omitempty"`
}

func registers(t *testing.T, s *idptest.Server, m metadata) (got metadata) {
	t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	_, text := send(t, http.MethodPost, s.Issuer+"/register", "application/json", "Bearer "+idptest.WikiSecret, string(body))
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return got
}

const openToStrangers = "registration: {initial_access_token_file: wiki.secret}\n"

// says fails unless a page has these words, and none behind "-".
func says(t *testing.T, page string, p *idptest.Page, words ...string) {
	t.Helper()
	for _, w := range words {
		w, not := strings.CutPrefix(w, "-")
		if strings.Contains(p.Body, w) == not {
			t.Errorf("the %s page has %q: %v, want %v\n%s", page, w, not, !not, p.Body)
		}
	}
}

// TestHoleStrangerBorrowsAHost: who registers itself is never shown at a host that no
// redirect proves, nor with links to it; people are told that nobody has checked it.
func TestHoleStrangerBorrowsAHost(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: openToStrangers})
	bank := metadata{Name: "Bank of Example", URI: "https://bank.example/", Privacy: "https://bank.example/privacy", Redirects: []string{"https://bank.example/cb"},
		Grants: []string{"urn:ietf:params:oauth:grant-type:device_code", "authorization_code"}, Method: "none"}
	for uri, want := range map[string]string{
		s.Issuer + "/account": "invalid_redirect_uri", strings.Replace(s.Issuer, "http:", "https:", 1) + "/cb": "invalid_redirect_uri",
		"https://ex%D0%B0mple.com/cb": "invalid_redirect_uri", "https://wiki.localhost/cb": "", "https://other.example/cb": "invalid_redirect_uri",
	} {
		m := bank
		if m.Redirects = []string{uri}; strings.Contains(uri, "other") {
			m.Redirects = append(m.Redirects, bank.Redirects...)
		}
		if got := registers(t, s, m); got.Error != want {
			t.Errorf("%s: %+v", m.Redirects, got)
		}
	}

	// On a device, where nothing redirects.
	got := registers(t, s, bank)
	var d deviceAnswer
	p := s.Program(t).Once(http.MethodPost, "/device_authorization", url.Values{"client_id": {got.ID}, "scope": {"openid"}}, nil)
	if err := json.Unmarshal([]byte(p.Body), &d); err != nil || d.Page == "" {
		t.Fatalf("%s %v", p.Body, err)
	}
	b := s.Browser(t)
	question := asked(t, b, b.LogIn(b.Get(d.Page), "bob", idptest.BobPassword), d)
	says(t, "device", question, "Bank of Example", unchecked, "-bank.example")
	says(t, "done", say(t, b, question, "allow"), "You can go back", "-bank.example")
	says(t, "account", b.Get("/account/sites"), "Bank of Example", unchecked, "-bank.example")

	// With an app's redirect URI beside, which proves the app's.
	bank.Redirects, bank.Grants = append(bank.Redirects, "http://127.0.0.1/cb"), nil
	auth := idptest.NewAuth(registers(t, s, bank).ID, "http://127.0.0.1:9/cb")
	says(t, "consent", b.Get(auth.URL()), "127.0.0.1:9", unchecked, "-bank.example")
	auth.Query.Set("redirect_uri", bank.Redirects[0])
	says(t, "consent", b.Get(auth.URL()), `<span class="host">bank.example</span>`, `href="https://bank.example/privacy"`, unchecked)
	says(t, "login", s.Browser(t).Get(auth.URL()), "to continue to", "Bank of Example", `<span class="host">bank.example</span>`, unchecked)
}

// TestHoleTheOtherRedirectURIIsShown: people see where the answer goes, and not the
// first of the addresses that it might go to.
func TestHoleTheOtherRedirectURIIsShown(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: `  - {client_id: two, client_name: Two, trusted: false, client_secret_file: wiki.secret, redirect_uris: ["https://first.example/cb", "https://second.example/cb"]}
  - {client_id: others, client_name: Others, allow_groups: [none], client_secret_file: wiki.secret, redirect_uris: ["https://first.example/cb", "https://second.example/cb"]}
`})
	b, auth := s.Browser(t), idptest.NewAuth("two", "https://second.example/cb")
	p := b.Get(auth.URL())
	says(t, "login", p, `<span class="host">second.example</span>`, "-first.example", "-"+unchecked)
	p = b.LogIn(p, "bob", idptest.BobPassword)
	says(t, "consent", p, `<span class="host">second.example</span>`, "-first.example", "-"+unchecked)
	say(t, b, p, "allow")
	says(t, "account", b.Get("/account/sites"), "Two", "-first.example", "-second.example")
	says(t, "denied", b.Get(idptest.NewAuth("others", "https://second.example/cb").URL()), "is for other groups", `<span class="host">second.example</span>`)
}

// TestHoleStrangersFrame: who registers itself makes no page of ours ask a neighbour
// of ours, by a frame that comes with the visitor's cookies; an administrator may
// still write one down.
func TestHoleStrangersFrame(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: openToStrangers})
	m := metadata{Name: "App", Redirects: []string{"https://intranet.example/cb"}, Frontchannel: "https://intranet.example/admin/delete?id=1", Session: true, PostLogout: []string{"https://intranet.example/bye"}}
	got := registers(t, s, m)
	if got.ID == "" || got.Frontchannel != "" || got.Session || len(got.PostLogout) != 1 {
		t.Fatalf("%+v", got)
	}
	b, auth := s.Browser(t), idptest.NewAuth(got.ID, m.Redirects[0])
	auth.Query.Set("scope", "openid")
	auth.Code(t, s, say(t, b, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword), "allow"))
	action, form := b.Get("/end_session").Form(t, "form_token")
	if p := b.Post(action, form); strings.Contains(p.Body, "<iframe") || strings.Contains(strings.Join(p.Walked, " "), "done") || strings.Contains(p.Header.Get("Content-Security-Policy"), "intranet") {
		t.Errorf("walked %s: %v\n%s", p.Walked, p.Header, p.Body)
	}
}
