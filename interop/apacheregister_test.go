//go:build interop

package interop_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"idp/examples/demo/stage"
)

// ourToken is the initial access token of these tests.
const ourToken = "the-initial-access-token"

// apacheAlone is a site whose module knows nothing of idp but the initial access
// token: it asks people for their provider, and registers there.
func apacheAlone(t *testing.T) *documented {
	t.Helper()
	dir, err := os.MkdirTemp("", "idp-metadata-") // Apache's to write
	must(t, err, os.Chmod(dir, 0o777))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	token := dir + "/token"
	must(t, os.WriteFile(token, []byte(ourToken+"\n"), 0o600))
	d := apache(t, "clients:\n", "registration: {initial_access_token_file: "+token+"}\nclients:\n",
		"OIDCProviderMetadataURL https://sso.example.com/.well-known/openid-configuration\nOIDCClientID wiki\nOIDCClientSecret "+docSecret+"\n", "OIDCMetadataDir "+dir+"\n",
		`redirect_uris: ["https://wiki.example.com/`, `redirect_uris: ["https://other.example.com/`, // who is known to be there is not to register
		"OIDCPKCEMethod S256", "OIDCPKCEMethod S256\nOIDCDefaultLoggedOutURL https://wiki.example.com/public/goodbye.html")
	conf := dir + "/" + url.QueryEscape(strings.TrimPrefix(d.Issuer, "https://")) + ".conf"
	must(t, os.WriteFile(conf, []byte(`{"registration_token": "`+ourToken+`"}`), 0o644))
	return d
}

// The module registers itself, with every response type and grant that it can; what
// counts is what idp has. Nobody trusts it, so bob is asked, and no groups are told.
func TestApacheRegistersItself(t *testing.T) {
	d := apacheAlone(t)
	v := apacheVisitor(t, d)
	p := v.open(d.URL + d.Login)
	action, form := p.Form(t, "iss")
	form.Set("iss", d.Issuer)
	p = v.consents(v.logIn(v.open(action+"?"+form.Encode()), "bob", stage.BobPassword), "allow")
	at(t, p, http.StatusOK, d.URL+"/who.html")
	d.asked(t, "POST", "/register", http.StatusCreated)
	w := d.info(v)
	if u := w.Userinfo; u.Name != "bob" || u.Email != "bob@example.com" || u.Groups != nil {
		t.Errorf("userinfo %+v, want bob without his groups", u)
	}
	p = v.submit(v.open(d.URL+"/oidc?logout="), "form_token", nil) // bob is asked, and goes to the page that it has registered; its frame is not for who registers itself
	at(t, p, http.StatusOK, d.URL+"/public/goodbye.html")
}
