//go:build interop

package interop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/oidc/rptest"
)

// springJar builds the site of the folder spring where its sources have changed:
// from Maven's own store of packages, and from the registry what is not there.
var springJar = sync.OnceValues(func() (string, error) {
	const built = "spring/target/built"
	sum, err := springSum()
	if err != nil {
		return "", err
	}
	jar, err := filepath.Abs("spring/target/site.jar")
	if err != nil {
		return "", err
	}
	if done, _ := os.ReadFile(built); bytes.Equal(done, sum) {
		return jar, nil
	}
	if _, err := maven("--offline"); err != nil {
		if out, err := maven(); err != nil {
			return "", fmt.Errorf("mvn package: %w\n%s", err, out)
		}
	}
	return jar, os.WriteFile(built, sum, 0o600)
})

func maven(options ...string) ([]byte, error) {
	cmd := exec.Command("mvn", append(options, "--batch-mode", "--quiet", "package")...)
	cmd.Dir = "spring"
	return cmd.CombinedOutput()
}

// springSum changes with the sources.
func springSum() ([]byte, error) {
	h := sha256.New()
	read := func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintln(h, path, len(text))
		_, _ = h.Write(text)
		return err
	}
	err := errors.Join(filepath.WalkDir("spring/pom.xml", read), filepath.WalkDir("spring/src", read))
	return []byte(hex.EncodeToString(h.Sum(nil))), err
}

// spring is a Spring Boot site.
func spring(t *testing.T, idp *binary, r *registration) {
	t.Helper()
	jar, err := springJar()
	must(t, err)
	dir := t.TempDir()
	trusted := filepath.Join(dir, "trusted.p12")
	if out, err := exec.CommandContext(t.Context(), "keytool", "-importcert", "-noprompt", "-alias", "idp", "-file", idp.CA,
		"-keystore", trusted, "-storetype", "PKCS12", "-storepass", "changeit").CombinedOutput(); err != nil {
		t.Fatalf("keytool: %v\n%s", err, out)
	}
	_, port, err := net.SplitHostPort(r.Listen)
	must(t, err)
	cmd := exec.Command("java", "-XX:TieredStopAtLevel=1", "-Djavax.net.ssl.trustStore="+trusted, "-Djavax.net.ssl.trustStorePassword=changeit", "-jar", jar)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ISSUER="+idp.Issuer, "CLIENT_ID="+r.ID, "CLIENT_SECRET="+r.Secret,
		"CLIENT_AUTHENTICATION_METHOD="+r.Method, "ID_TOKEN_SIGNED_RESPONSE_ALG="+r.Alg, "PORT="+port)
	if r.Key != nil {
		cmd.Env = append(cmd.Env, "JWK="+string(r.Key.PrivateJWK()))
	}
	launch(t, cmd, filepath.Join(dir, "site.log"), r.Listen)
}

// springSite is how the site is used: by Spring's own paths and its own logout page.
func springSite(r *registration) software {
	return software{
		// Spring takes a token that ends within a minute as one that has ended.
		refresh: func(t *testing.T, v *visitor) told {
			t.Helper()
			return reads[told](t, v.open(r.URL+"/"), http.StatusOK)
		},
		signOut: func(t *testing.T, v *visitor) *idptest.Page {
			t.Helper()
			return v.submit(v.open(r.URL+"/logout"), "_csrf", nil)
		},
	}
}

// registerSpring gives a relying party the paths that Spring has without being told.
func registerSpring(t *testing.T, r registration) *registration {
	t.Helper()
	r.Login, r.Callback = "/oauth2/authorization/idp", "/login/oauth2/code/idp"
	return register(t, r)
}

func TestSpringSecurity(t *testing.T) {
	parties := []*registration{
		registerSpring(t, registration{ID: "basic", Method: "client_secret_basic", Alg: "RS256"}),
		registerSpring(t, registration{ID: "post", Method: "client_secret_post", Alg: "ES256"}),
		registerSpring(t, registration{ID: "native", Method: "none", Alg: "PS256"}),
	}
	idp := openFor(t, "lifetimes: {access_token: 30s}\n", parties...)
	for _, r := range parties {
		t.Run(r.ID, func(t *testing.T) {
			spring(t, idp, r)
			visit(t, idp, r, springSite(r))
			byTicketAt(t, idp, r)
		})
	}
}

func TestSpringSecurityRefusals(t *testing.T) { refusals(t, spring, registerSpring) }

// A site that proves itself by its key, and whose sessions end when idp's do
// (OIDC Back-Channel Logout): when bob signs out elsewhere, and when he is disabled.
func TestSpringSecurityBackChannel(t *testing.T) {
	key := rptest.NewKey(t, "ES256")
	r := registerSpring(t, registration{ID: "signs", Method: "private_key_jwt", Alg: "RS256", Key: key})
	post := newPost(t, r.URL)
	r.Meta = map[string]any{"jwks": key.JWKS(), "backchannel_logout_uri": post.URL + "/logout/connect/back-channel/idp"}
	idp := openFor(t, "lifetimes: {access_token: 30s}\n", r)
	spring(t, idp, r)

	visit(t, idp, r, springSite(r))
	post.delivers(t)
	bob, other := newVisitor(t, idp), newVisitor(t, idp)
	for _, v := range []*visitor{bob, other} {
		reads[told](t, bobLogsIn(v, r), http.StatusOK).isBob(t, idp, r)
	}
	bob.submit(bob.open(idp.Issuer+"/end_session"), "form_token", nil)
	post.delivers(t)
	loggedOut(t, bob, r)
	reads[told](t, other.open(r.URL+"/"), http.StatusOK).isBob(t, idp, r) // his session elsewhere

	idp.does(t, "user", "disable", "bob")
	post.delivers(t)
	loggedOut(t, other, r)
}

// loggedOut: the site knows its visitor no more.
func loggedOut(t *testing.T, v *visitor, r *registration) {
	t.Helper()
	v.stay = r.URL + r.Login
	defer func() { v.stay = "" }()
	if p := v.open(r.URL + "/"); p.Location == nil {
		t.Errorf("still logged in: %d %s", p.StatusCode, p.Body)
	}
}

// post stands before a site and says when a logout token was taken there.
type post struct {
	*httptest.Server
	status chan int
}

func newPost(t *testing.T, site string) *post {
	t.Helper()
	to, err := url.Parse(site)
	must(t, err)
	p := &post{status: make(chan int, 10)}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error { p.status <- r.StatusCode; return nil },
	}
	p.Server = httptest.NewServer(proxy)
	t.Cleanup(p.Close)
	return p
}

// delivers waits for the site's answer to a logout token.
func (p *post) delivers(t *testing.T) {
	t.Helper()
	select {
	case status := <-p.status:
		if status != http.StatusOK {
			t.Errorf("the site answers a logout token with %d, want 200", status)
		}
	case <-time.After(patience):
		t.Fatal("no logout token has come")
	}
}
