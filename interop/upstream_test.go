//go:build interop

package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
)

// partner is a provider that is not ours, and the idp that relies on it.
type partner struct {
	idp    *binary
	issuer string
}

// relyOn starts oidc-provider and an idp with it as upstream "partner".
func relyOn(t *testing.T, byKey bool, lines string) *partner {
	t.Helper()
	must(t, nodeModules())
	addr, _ := freeAddress(t)
	f := &partner{issuer: "http://" + addr}
	file := filepath.Join(t.TempDir(), "ours")
	how := "client_secret_file: " + file
	client := map[string]any{"client_id": "idp", "client_secret": "a-secret-of-the-partner's"}
	must(t, os.WriteFile(file, []byte("a-secret-of-the-partner's\n"), 0o600))
	if byKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(t, err)
		must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
		how = "client_key_file: " + file
		client = map[string]any{"client_id": "idp", "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
			"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), Use: "sig", Algorithm: "ES256"}}}}
	}
	f.idp = openFor(t, fmt.Sprintf("upstreams:\n  - {id: partner, name: Partner, issuer: %q, client_id: idp, %s, allow_private: true, userinfo: true%s}\n", f.issuer, how, lines),
		register(t, registration{ID: "site", Method: "client_secret_basic", Alg: "RS256"}))
	client["redirect_uris"] = []string{f.idp.Issuer + "/upstream/partner/callback"}
	client["post_logout_redirect_uris"] = []string{f.idp.Issuer + "/end_session/done"}
	client["backchannel_logout_uri"] = f.idp.Issuer + "/upstream/partner/logout"
	config, err := json.Marshal(map[string]any{"issuer": f.issuer, "client": client})
	must(t, err)
	cmd := exec.Command("node", "--dns-result-order=ipv4first", "provider.mjs")
	cmd.Dir = "js"
	cmd.Env = append(os.Environ(), "PROVIDER="+string(config), "NODE_EXTRA_CA_CERTS="+f.idp.CA)
	log := filepath.Join(t.TempDir(), "provider.log")
	launch(t, cmd, log, addr)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(tail(log), f.idp.said(t, "upstream"))
		}
	})
	return f
}

// to sends the form with the upstream's button, and logs somebody in there.
func (f *partner) to(v *visitor, p *idptest.Page, name string) *idptest.Page {
	v.t.Helper()
	p = v.submit(p, "upstream", url.Values{"upstream": {"partner"}})
	for strings.Contains(p.Body, `name="prompt"`) { // to log in, then to consent
		p = v.submit(p, "prompt", url.Values{"login": {name}, "password": {"any"}})
	}
	return p
}

func shows(t *testing.T, p *idptest.Page, words ...string) {
	t.Helper()
	missing := slices.DeleteFunc(words, func(w string) bool { return strings.Contains(p.Body, w) })
	if p.StatusCode != http.StatusOK || len(missing) > 0 {
		t.Fatalf("walked %s: status %d without %q\n%s", p.Walked, p.StatusCode, missing, p.Body)
	}
}

// TestUpstreamOIDCProviderLogsIn: by secret and by key, with claims from userinfo; a
// login of now is one there, too; signing out here signs out there.
func TestUpstreamOIDCProviderLogsIn(t *testing.T) {
	for name, byKey := range map[string]bool{"secret": false, "key": true} {
		t.Run(name, func(t *testing.T) {
			f := relyOn(t, byKey, ", create: first_login, allow_domains: [partner.example], logout: true")
			v := newVisitor(t, f.idp)
			shows(t, f.to(v, v.open(f.idp.Issuer+"/account"), "jane"), "partner:jane", "Person jane", "jane@partner.example", "with your login at partner")
			// The page of what somebody logs in by wants a login of now, and oidc-provider
			// tells when somebody logged in only to whoever asks for that.
			p := v.open(f.idp.Issuer + "/account/logins?change=1")
			shows(t, p, "Confirm that it is you")
			shows(t, f.to(v, p, "jane"), "Partner", "You log in by nothing else")
			p = v.submit(v.open(f.idp.Issuer+"/account"), "form_token", nil)
			if !strings.HasPrefix(p.Request.URL.String(), f.issuer) {
				t.Fatalf("walked %s", p.Walked)
			}
			shows(t, v.submit(p, "xsrf", url.Values{"logout": {"yes"}}), "You are signed out")
			if p := v.submit(v.open(f.idp.Issuer+"/account"), "upstream", url.Values{"upstream": {"partner"}}); !strings.Contains(p.Body, `value="login"`) {
				t.Errorf("still logged in there: %s", p.Body)
			}
		})
	}
}

// TestUpstreamOIDCProviderLinks: a local user links a login there, and comes in by it.
func TestUpstreamOIDCProviderLinks(t *testing.T) {
	f := relyOn(t, false, "")
	v := newVisitor(t, f.idp)
	shows(t, f.to(v, v.open(f.idp.Issuer+"/account"), "jane"), "You have no account here yet")
	shows(t, v.logIn(v.open(f.idp.Issuer+"/account"), "bob", stage.BobPassword), "<dd>bob</dd>")
	shows(t, f.to(v, v.open(f.idp.Issuer+"/account/logins"), "jane"), "Your login with Partner is linked", "jane@partner.example")
	other := newVisitor(t, f.idp)
	shows(t, f.to(other, other.open(f.idp.Issuer+"/account"), "jane"), "<dd>bob</dd>", "with your login at partner")
}

// TestUpstreamOIDCProviderTellsOfASignOut: its back channel ends the session here.
func TestUpstreamOIDCProviderTellsOfASignOut(t *testing.T) {
	f := relyOn(t, false, ", create: first_login")
	v := newVisitor(t, f.idp)
	shows(t, f.to(v, v.open(f.idp.Issuer+"/account"), "jane"), "partner:jane")
	v.submit(v.open(f.issuer+"/session/end"), "xsrf", url.Values{"logout": {"yes"}})
	if p := v.open(f.idp.Issuer + "/account"); !strings.Contains(p.Request.URL.Path, "/login") {
		t.Errorf("still logged in: %s\n%s", p.Body, f.idp.said(t, "/logout"))
	}
}
