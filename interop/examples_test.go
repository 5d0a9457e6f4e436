//go:build interop

package interop_test

import (
	"bufio"
	"crypto/elliptic"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
)

// example is a program of examples/ with an idp of its own, as its `run` starts both.
type example struct {
	*binary
	URL  string
	data string // where the two write
}

// runExample starts an example on ports of its own; host is its name in a browser.
func runExample(t *testing.T, folder, host string) *example {
	t.Helper()
	data := t.TempDir()
	listen, port := freeAddress(t)
	_, issuerPort := freeAddress(t)
	ca, _ := pair(t, elliptic.P256()) // for the visitor, who has to believe somebody
	e := &example{
		binary: &binary{Issuer: "http://localhost:" + issuerPort, CA: ca, log: filepath.Join(data, "idp.log")},
		URL:    "http://" + net.JoinHostPort(host, port), data: data,
	}
	cmd := exec.Command(absolute(t, "../examples/"+folder+"/run"))
	cmd.Env = append(os.Environ(), "PORT="+port, "ISSUER_PORT="+issuerPort, "IDP="+filepath.Join(set.Bin, "idp"), "DATA="+data)
	launch(t, cmd, filepath.Join(data, "run.log"), listen)
	t.Cleanup(func() {
		if t.Failed() {
			for _, log := range []string{"run.log", "example.log"} {
				t.Logf("%s:\n%s", log, tail(filepath.Join(data, log)))
			}
		}
	})
	return e
}

func TestExampleDjangoOIDC(t *testing.T) {
	e := runExample(t, "django-oidc", "wiki.localhost")
	v := newVisitor(t, e.binary)
	p := v.logIn(v.open(e.URL+"/"), "bob", stage.BobPassword)
	at(t, p, http.StatusOK, e.URL+"/")
	if !strings.Contains(p.Body, "You are bob bob@example.com") {
		t.Errorf("the site says:\n%s", p.Body)
	}
	p = v.submit(p, "logout", nil)
	if queryOf(t, p, "/end_session").Get("id_token_hint") == "" {
		t.Error("signed out at the site alone")
	}
	p.Form(t, "password") // back at the site, which lets nobody in
}

// caller is what the back ends say of whoever asks.
type caller struct {
	Subject string `json:"sub"`
	Client  string `json:"client_id"`
	Scope   string `json:"scope"`
}

func TestExampleAPIGo(t *testing.T) { backEnd(t, "api-go") }

func TestExampleAPINode(t *testing.T) { backEnd(t, "api-node") }

// backEnd: it says who asks, a program or a person, and takes no other token.
func backEnd(t *testing.T, folder string) {
	t.Helper()
	e := runExample(t, folder, "localhost")
	v := newVisitor(t, e.binary)
	resource := url.Values{"resource": {e.URL + "/"}}
	script := e.script(t, v, resource)
	bob := e.phone(t, v, "openid notes:read notes:write", resource)

	if got := reads[caller](t, v.authorized("GET", e.URL+"/whoami", "Bearer "+script.Access), http.StatusOK); got != (caller{"script", "script", "notes:read"}) {
		t.Errorf("the program is %+v", got)
	}
	got := reads[caller](t, v.authorized("GET", e.URL+"/whoami", "bearer "+bob.Access), http.StatusOK)
	if want := part[caller](t, bob.Access, 1); got != want || got.Subject == "" || got.Client != "phone" {
		t.Errorf("bob is %+v, want %+v", got, want)
	}
	if p := v.authorized("POST", e.URL+"/notes", "Bearer "+bob.Access); p.StatusCode != http.StatusNoContent {
		t.Errorf("bob may not write: %d", p.StatusCode)
	}

	e.oddTargets(t)

	const invalid = `Bearer error="invalid_token"`
	elsewhere := e.phone(t, v, "openid notes:read", nil)
	for _, c := range []struct {
		what, method, path, authorization, challenge string
		status                                       int
	}{
		{"no token", "GET", "/whoami", "", "Bearer", http.StatusUnauthorized},
		{"a password", "GET", "/whoami", "Basic Ym9iOmJvYg==", "Bearer", http.StatusUnauthorized},
		{"no JWT", "GET", "/whoami", "Bearer abc", invalid, http.StatusUnauthorized},
		{"another's claims", "GET", "/whoami", "Bearer " + swapped(script.Access, bob.Access), invalid, http.StatusUnauthorized},
		{"a token for userinfo", "GET", "/whoami", "Bearer " + elsewhere.Access, invalid, http.StatusUnauthorized},
		{"an ID token", "GET", "/whoami", "Bearer " + bob.IDToken, invalid, http.StatusUnauthorized},
		{"too small a scope", "POST", "/notes", "Bearer " + script.Access, `Bearer error="insufficient_scope", scope="notes:write"`, http.StatusForbidden},
	} {
		p := v.authorized(c.method, e.URL+c.path, c.authorization)
		if challenges := p.Header.Values("WWW-Authenticate"); p.StatusCode != c.status || !slices.Equal(challenges, []string{c.challenge}) {
			t.Errorf("%s: %d %q, want %d %q", c.what, p.StatusCode, challenges, c.status, c.challenge)
		}
	}
}

// oddTargets: a request target that is no address is the client's mistake, and ends
// nothing: the last of these is answered too.
func (e *example) oddTargets(t *testing.T) {
	t.Helper()
	for _, target := range []string{"//", "///x", "//[", "http://", "http://[/", "/%", "/\\", "*", "/nowhere"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(e.URL, "http://"))
		must(t, err)
		must(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		must(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("GET %s: %v", target, err)
		}
		if idptest.ReadAll(t, resp); resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode < http.StatusMultipleChoices {
			t.Errorf("GET %s: %d", target, resp.StatusCode)
		}
		_ = c.Close()
	}
}

// swapped has the claims of one JWT between the header and the signature of another.
func swapped(claims, rest string) string {
	parts := strings.Split(rest, ".")
	parts[1] = strings.Split(claims, ".")[1]
	return strings.Join(parts, ".")
}

// script are tokens of the client script for itself.
func (e *example) script(t *testing.T, v *visitor, more url.Values) told {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(e.data, "script.secret"))
	must(t, err)
	form := url.Values{"grant_type": {"client_credentials"}}
	for name, values := range more {
		form[name] = values
	}
	return reads[told](t, v.basic(e.Issuer+"/token", "script", string(secret), form), http.StatusOK)
}

// phone are tokens of the client phone for bob, who has allowed it.
func (e *example) phone(t *testing.T, v *visitor, scope string, more url.Values) told {
	t.Helper()
	form := url.Values{"client_id": {"phone"}, "scope": {scope}}
	for name, values := range more {
		form[name] = values
	}
	type shown struct {
		Link string `json:"verification_uri_complete"`
		Code string `json:"device_code"`
	}
	device := reads[shown](t, v.post(e.Issuer+"/device_authorization", form), http.StatusOK)
	bob := newVisitor(t, e.binary)
	field := bob.logIn(bob.open(device.Link), "bob", stage.BobPassword)
	bob.consents(bob.typesCode(field, field.Request.URL.Query().Get("user_code")), "allow")
	return reads[told](t, v.post(e.Issuer+"/token", url.Values{"client_id": {"phone"}, "device_code": {device.Code},
		"grant_type": {strings.Trim(deviceGrant, `"`)}}), http.StatusOK)
}

// TestExampleDjangoRemoteUser: RemoteUserMiddleware as Django has it.
func TestExampleDjangoRemoteUser(t *testing.T) {
	behindNginx(t, "django-remote-user", func(who reported) string { return who.User })
}

// TestExampleDjangoAssertion: no header counts but the assertion.
func TestExampleDjangoAssertion(t *testing.T) {
	behindNginx(t, "django-assertion", func(who reported) string { return who.Name })
}

// reported is what the two sites say of whoever asks.
type reported struct {
	User, Name, Email string
	Remote            string `json:"REMOTE_EMAIL"`
}

// behindNginx: bob logs in on his way to the site, which knows him; eve may not where
// the rules say so; headers that come from outside name nobody; signing out counts.
func behindNginx(t *testing.T, folder string, name func(reported) string) {
	t.Helper()
	e := runExample(t, folder, "reports.localhost")
	bob, eve, nobody := newVisitor(t, e.binary), newVisitor(t, e.binary), newVisitor(t, e.binary)
	p := bob.logIn(bob.open(e.URL+"/finance/"), "bob", stage.BobPassword)
	at(t, p, http.StatusOK, e.URL+"/finance/")
	if who := reads[reported](t, p, http.StatusOK); name(who) != "bob" || who.Email+who.Remote != "bob@example.com" {
		t.Errorf("the site says %+v, want bob", who)
	}
	if p := eve.logIn(eve.open(e.URL+"/"), "eve", stage.BobPassword); name(reads[reported](t, p, http.StatusOK)) != "eve" {
		t.Errorf("the site says %s, want eve", p.Body)
	}
	at(t, eve.open(e.URL+"/finance/"), http.StatusForbidden, e.URL+"/finance/")

	planted := http.Header{"Remote-User": {"bob"}, "REMOTE_USER": {"bob"}, "remote_user": {"bob"}, "Remote-Email": {"bob@example.com"}, "Remote-Assertion": {"bob"}}
	if who := nobody.told(e.URL+"/public/", planted); who != (reported{}) {
		t.Errorf("headers from outside: the site says %+v", who)
	}
	bob.submit(bob.open(e.URL+"/.idp/sign-out"), "form_token", nil)
	if who := bob.told(e.URL+"/public/", nil); who != (reported{}) {
		t.Errorf("signed out: the site says %+v", who)
	}
	bob.open(e.URL+"/").Form(t, "password")
}

// told is what a site says to a request with more headers.
func (v *visitor) told(target string, more http.Header) reported {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, target, nil)
	must(v.t, err)
	for name, values := range more {
		req.Header[name] = values // as it is written
	}
	resp, err := v.http.Do(req)
	must(v.t, err)
	p := &idptest.Page{Response: resp, Body: idptest.ReadAll(v.t, resp)}
	return reads[reported](v.t, p, http.StatusOK)
}

// TestRecipesAreSound: the entries of docs/recipes are what idp takes, and its table
// has all pages.
func TestRecipesAreSound(t *testing.T) {
	table, err := os.ReadFile("../docs/recipes/README.md")
	must(t, err)
	pages, err := filepath.Glob("../docs/recipes/*.md")
	must(t, err)
	if len(pages) < 2 {
		t.Fatal("no recipes")
	}
	for _, path := range pages {
		page := filepath.Base(path)
		if page == "README.md" {
			continue
		}
		if !strings.Contains(string(table), "]("+page+")") {
			t.Errorf("docs/recipes/README.md has no %s", page)
		}
		text, err := os.ReadFile(path)
		must(t, err)
		_, entry, _ := strings.Cut(string(text), "\n```yaml\n")
		entry, _, _ = strings.Cut(entry, "\n```")
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, strings.TrimSuffix(page, ".md")+".secret"), []byte(docSecret), 0o600),
			os.WriteFile(filepath.Join(dir, "jupyterhub.secret"), []byte(docSecret), 0o600),
			os.WriteFile(filepath.Join(dir, "idp.yaml"), []byte("issuer: http://localhost:8080\n"+entry+"\n"), 0o600))
		cmd := exec.Command(filepath.Join(set.Bin, "idp"), "check", "--config", filepath.Join(dir, "idp.yaml"))
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(entry, "client_id") {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
	}
}
