package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"idp/internal/config"
	"idp/internal/idptest"
	"idp/internal/server"
	"idp/internal/store"
)

// send sends one request of a program, with no cookies.
func send(t *testing.T, method, target, contentType, authorization, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, target, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := idptest.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, idptest.ReadAll(t, resp)
}

func discovered(t *testing.T, s *idptest.Server) map[string]any {
	t.Helper()
	_, body := send(t, http.MethodGet, s.Issuer+"/.well-known/openid-configuration", "", "", "")
	all := map[string]any{}
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNobodyRegistersUnlessTheConfigurationSaysSo(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	if endpoint, there := discovered(t, s)["registration_endpoint"]; there {
		t.Errorf("discovery has %v", endpoint)
	}
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		if resp, body := send(t, method, s.Issuer+"/register", "application/json", "Bearer x", "{}"); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", method, resp.StatusCode, body)
		}
	}
}

// As a library does: discovery, registration, and the new relying party exists on
// both nodes, asks for consent, and is none once it was removed. The token is read
// again at a reload.
func TestRegistrationThroughTheFrontDoor(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{YAML: "registration: {initial_access_token_file: wiki.secret}\n"}, func(t *testing.T, s *idptest.Server) {
		endpoint, _ := discovered(t, s)["registration_endpoint"].(string)
		const body = `{"redirect_uris":["https://app.example/cb"],"client_name":"App","grant_types":["authorization_code","refresh_token"]}`
		resp, text := send(t, http.MethodPost, endpoint, "application/json", "Bearer "+idptest.WikiSecret, body)
		var got struct {
			ID     string `json:"client_id"`
			Secret string `json:"client_secret"`
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || resp.StatusCode != http.StatusCreated || got.ID == "" || got.Secret == "" {
			t.Fatalf("register: %d %s", resp.StatusCode, text)
		}
		if len(s.Log.Lines("POST /register", "error")) > 0 || strings.Contains(s.Log.String(), got.Secret) || strings.Contains(s.Log.String(), idptest.WikiSecret) {
			t.Errorf("the log has a secret, or an error:\n%s", s.Log)
		}
		form := url.Values{"grant_type": {"authorization_code"}, "code": {"none"}, "redirect_uri": {"https://app.example/cb"}}.Encode()
		const formType = "application/x-www-form-urlencoded"
		if resp, text := send(t, http.MethodPost, s.Issuer+"/token", formType, idptest.Basic(got.ID, got.Secret), form); resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "invalid_grant") {
			t.Errorf("its secret: %d %s", resp.StatusCode, text)
		}
		auth := idptest.NewAuth(got.ID, "https://app.example/cb")
		auth.Query.Set("prompt", "none")
		b := s.Browser(t)
		wiki := idptest.Wiki()
		wiki.Code(t, s, b.LogIn(b.Get(wiki.URL()), "bob", idptest.BobPassword))
		if p := b.Get(auth.URL()); p.StatusCode != http.StatusBadRequest || p.Location != nil {
			t.Errorf("nobody is asked: %d %v", p.StatusCode, p.Location)
		}

		if err := os.WriteFile(filepath.Join(s.Dir, "wiki.secret"), []byte("another-token-of-some-length\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Reload(t.Context(), s.Config()); err != nil {
			t.Fatal(err)
		}
		if resp, _ := send(t, http.MethodPost, endpoint, "application/json", "Bearer "+idptest.WikiSecret, body); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("the old token after a reload: %d", resp.StatusCode)
		}
	})
}

// http redirect URIs of other machines are said, and stop nothing.
func TestRedirectURIsWithoutTLSAreSaid(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	c := *s.Config()
	for uri, want := range map[string]int{"https://a.example/": 0, "http://127.0.0.1/cb": 0, "http://a.localhost/cb": 0, "http://wiki.corp.example:8080/cb": 1} {
		c.Clients = []store.Client{{ClientID: "a", RedirectURIs: []string{"https://a.example/cb", uri}}}
		if warnings := server.Warnings(&c); len(warnings) != want || (want > 0 && !strings.Contains(warnings.Error(), uri)) {
			t.Errorf("%s: %v", uri, warnings)
		}
	}
}

// A weak initial access token refuses to start; a weak client secret, which older
// files may have, is said.
func TestSecretsThatCanBeGuessed(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, yaml, secret string) *config.Config {
		t.Helper()
		dir := t.TempDir()
		for name, text := range map[string]string{"idp.yaml": yaml, "x.secret": secret + "\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, err := config.Load(filepath.Join(dir, "idp.yaml"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const registration, client = "registration:\n  initial_access_token_file: x.secret\n",
		"clients:\n  - {client_id: a, redirect_uris: [\"https://a.example/\"], client_secret_file: x.secret}\n  - {client_id: b, redirect_uris: [\"https://b.example/\"], client_secret_file: x.secret}\n"
	for secret, want := range map[string]int{"fifteen chars..": 1, "sixteen.chars...": 0, "sixteen chars...": 1, "sixteen.chars..\u00e9": 1} {
		if problems := server.Check(write(t, registration, secret)); len(problems) != want || (want > 0 && (problems[0].Line != 2 || !strings.Contains(problems[0].Error(), "openssl rand"))) {
			t.Errorf("token %q: %v", secret, problems)
		}
	}
	weak, good := write(t, client, "fifteen chars.."), write(t, client, "sixteen chars...")
	if problems, warnings := server.Check(weak), server.Warnings(weak); len(problems) != 0 || len(warnings) != 2 || warnings[0].Line != 2 || strings.Contains(warnings.Error(), "fifteen") {
		t.Errorf("weak: %v, warned of: %v", problems, warnings)
	}
	if warnings := server.Warnings(good); len(warnings) != 0 {
		t.Errorf("good: %v", warnings)
	}
	if warnings := server.Doctor(weak, nil, "").Warnings; len(warnings) != 2 {
		t.Errorf("doctor is told %v", warnings)
	}
}

var routePattern = regexp.MustCompile(`(?m)^\s+(?:page|api|submit)\("(?:(GET|POST) )?(/[^"{]*)[^"]*"`)

// RFC 9110 §11.6.1: every 401 says how to authenticate, at every path there is. One
// differs on purpose: /login/negotiate answers a ticket or password that was refused
// by a bare 401, for browsers keep asking with a wrong password otherwise.
func TestEvery401SaysHow(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: "registration: {initial_access_token_file: wiki.secret}\n"})
	code, err := os.ReadFile("routes.go")
	if err != nil {
		t.Fatal(err)
	}
	routes := routePattern.FindAllStringSubmatch(string(code), -1)
	if len(routes) < 20 {
		t.Fatalf("%d routes found: this test would pass with anything", len(routes))
	}
	refused := map[string]bool{}
	for _, route := range routes {
		path := route[2]
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			for _, authorization := range []string{"", "Basic d2lraTp3cm9uZw==", "Basic %", "Basic d2lraQ==", "Bearer x", "Bearer", "DPoP x", "Negotiate YII=", "Digest x"} {
				for _, body := range [][2]string{
					{"", ""}, {"application/json", "{}"}, {"application/x-www-form-urlencoded", "client_id=nobody&client_secret=x&token=x&grant_type=authorization_code"},
					{"application/x-www-form-urlencoded", "client_assertion=x&client_assertion_type=y"}, {"application/x-www-form-urlencoded", "access_token=x"},
				} {
					resp, text := send(t, method, s.Issuer+path, body[0], authorization, body[1])
					if resp.StatusCode != http.StatusUnauthorized {
						continue
					}
					refused[path] = true
					if len(resp.Header.Values("WWW-Authenticate")) == 0 && path != "/login/negotiate" {
						t.Errorf("%s %s with %q and %q: a 401 without a challenge: %s", method, path, authorization, body, text)
					}
				}
			}
		}
	}
	for _, path := range []string{"/token", "/introspect", "/revoke", "/userinfo", "/register"} {
		if !refused[path] {
			t.Errorf("%s has refused nothing: this test would pass with anything", path)
		}
	}
}
