//go:build interop

package interop_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"testing"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
)

// aDevice is what the client is that runs authlib_device.py.
var aDevice = []string{
	"    client_secret_file: wiki.secret\n", "    token_endpoint_auth_method: none\n",
	"grant_types: [authorization_code, refresh_token]", `grant_types: ["urn:ietf:params:oauth:grant-type:device_code"]`,
	`redirect_uris: ["https://wiki.example.com/callback"]`, "redirect_uris: []",
	`post_logout_redirect_uris: ["https://wiki.example.com/signed-out"]`, "post_logout_redirect_uris: []",
	"    backchannel_logout_uri: https://wiki.example.com/ended\n", "",
}

// device runs authlib_device.py until bob has seen the page, and returns what came
// of his answer, allow or deny.
func device(t *testing.T, d *documented, answer string) told {
	t.Helper()
	cmd := d.python(t, "authlib_device.py", d.Issuer, d.ID, "openid profile email groups")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := json.NewDecoder(bufio.NewReader(out))
	var asked struct {
		Page string `json:"verification_uri"`
		Code string `json:"user_code"`
	}
	must(t, lines.Decode(&asked))
	v := newVisitor(t, d.binary)
	p := v.logIn(v.open(asked.Page), "bob", stage.BobPassword)
	v.consents(v.typesCode(p, asked.Code), answer)
	var w told
	must(t, lines.Decode(&w))
	return w
}

// typesCode fills in the page that asks for a device's code.
func (v *visitor) typesCode(p *idptest.Page, code string) *idptest.Page {
	v.t.Helper()
	action, form := p.Form(v.t, "user_code")
	form.Set("user_code", code)
	to, err := p.Request.URL.Parse(action + "?" + form.Encode())
	must(v.t, err)
	return v.open(to.String())
}

// A device gets its tokens when bob has allowed it, and an error when he has not.
func TestAuthlibDevice(t *testing.T) {
	d := newDocumented(t, "Authlib", "http", aDevice...)
	device(t, d, "allow").isBob(t, d.binary, d.registration)
	if w := device(t, d, "deny"); w.Error != "access_denied" {
		t.Errorf("%+v, want access_denied", w)
	}
}

// A site that logs in nobody gets a token as itself by a JWT (RFC 7523 §2.1), which
// Authlib's AssertionSession signs.
func TestAuthlibAssertion(t *testing.T) {
	d := authlib(t, byItsOwnKey(t, "grant_types: [authorization_code, refresh_token]", `grant_types: ["urn:ietf:params:oauth:grant-type:jwt-bearer"]`)...)
	got := reads[struct {
		Active bool
		Sub    string
	}](t, newVisitor(t, d.binary).open(d.URL+"/asserted"), http.StatusOK)
	if !got.Active || got.Sub != d.ID {
		t.Errorf("%+v, want an active token of %s", got, d.ID)
	}
}
