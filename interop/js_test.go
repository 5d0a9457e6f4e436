//go:build interop

package interop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"idp/examples/demo/stage"
)

// nodeModules installs what js/package-lock.json names, where it is not yet there.
var nodeModules = sync.OnceValue(func() error {
	const installed = "js/node_modules/.installed"
	lock, err := os.ReadFile("js/package-lock.json")
	if err != nil {
		return err
	}
	if done, _ := os.ReadFile(installed); bytes.Equal(done, lock) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = "js"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return os.WriteFile(installed, lock, 0o600)
})

// node is a site of the folder js.
func node(file string) program {
	return func(t *testing.T, idp *binary, r *registration) { t.Helper(); startNode(t, file, idp, r) }
}

func startNode(t *testing.T, file string, idp *binary, r *registration) {
	t.Helper()
	must(t, nodeModules())
	site := map[string]any{
		"issuer": idp.Issuer, "client_id": r.ID, "scope": strings.Join(scopes, " "),
		"token_endpoint_auth_method": r.Method, "id_token_signed_response_alg": r.Alg,
		"url": r.URL, "listen": r.Listen, "redirect_uri": r.redirectURI(), "post_logout_redirect_uri": r.URL + "/signed-out",
	}
	if r.Secret != "" {
		site["client_secret"] = r.Secret
	}
	if r.TLS {
		site["tls"] = map[string]string{"certificate": idp.CA, "key": idp.key}
	}
	if r.Key != nil {
		site["jwk"], site["jwks"] = r.Key.PrivateJWK(), r.Key.JWKS()
	}
	maps.Copy(site, r.Meta)
	maps.Copy(site, r.Site)
	config, err := json.Marshal(site)
	must(t, err)
	// Node 18 has WebCrypto behind a flag, and takes localhost to ::1 alone.
	cmd := exec.Command("node", "--experimental-global-webcrypto", "--dns-result-order=ipv4first", file)
	cmd.Dir = "js"
	cmd.Env = append(os.Environ(), "SITE="+string(config), "NODE_EXTRA_CA_CERTS="+idp.CA)
	launch(t, cmd, filepath.Join(t.TempDir(), "site.log"), r.Listen)
}

// revokes: introspection knows the refresh token until the site has revoked it.
func revokes(t *testing.T, file string) {
	t.Helper()
	r := register(t, registration{ID: "site", Method: "client_secret_basic", Alg: "RS256"})
	idp := openFor(t, "", r)
	startNode(t, file, idp, r)
	v := newVisitor(t, idp)
	reads[told](t, bobLogsIn(v, r), http.StatusOK)
	gone(t, v, r)
}

// gone revokes what a site knows of its visitor.
func gone(t *testing.T, v *visitor, r *registration) {
	t.Helper()
	type state struct {
		Active bool `json:"active"`
	}
	got := reads[struct{ Before, After state }](t, v.post(r.URL+"/revoke", nil), http.StatusOK)
	if !got.Before.Active || got.After.Active {
		t.Errorf("%+v, want a token that is active until it is revoked", got)
	}
	refusedAt(t, v.post(r.URL+"/refresh", nil), "invalid_grant")
}

// itself: a site that logs in nobody gets a token as itself (RFC 6749 §4.4).
func itself(t *testing.T, file string) {
	t.Helper()
	r := register(t, registration{ID: "robot", Method: "client_secret_basic", Alg: "RS256", Grants: "client_credentials"})
	idp := openFor(t, "", r)
	startNode(t, file, idp, r)
	actsForItself(t, newVisitor(t, idp), r)
}

func actsForItself(t *testing.T, v *visitor, r *registration) {
	t.Helper()
	got := reads[struct {
		Active bool
		Sub    string
	}](t, v.post(r.URL+"/itself", nil), http.StatusOK)
	if !got.Active || got.Sub != r.ID {
		t.Errorf("%+v, want an active token of %s", got, r.ID)
	}
}

// asksAgain: prompt and max_age decide whether bob sees the login page, and the
// library checks auth_time against the max_age it sent.
func asksAgain(t *testing.T, file string) {
	t.Helper()
	r := register(t, registration{ID: "site", Method: "client_secret_basic", Alg: "RS256"})
	idp := openFor(t, "", r)
	startNode(t, file, idp, r)
	v := newVisitor(t, idp)
	begin := r.URL + r.Login
	refusedAt(t, v.open(begin+"?prompt=none"), "login_required")
	reads[told](t, bobLogsIn(v, r), http.StatusOK)
	for _, query := range []string{"?prompt=none", "?max_age=3600", "?login_hint=bob"} {
		reads[told](t, v.open(begin+query), http.StatusOK).isBob(t, idp, r)
	}
	for _, query := range []string{"?prompt=login", "?prompt=select_account", "?max_age=0"} {
		p := v.logIn(v.open(begin+query), "bob", stage.BobPassword)
		reads[told](t, p, http.StatusOK).isBob(t, idp, r)
	}
}
