//go:build interop

package interop_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
)

// apacheConf is what Debian's files in /etc/apache2 would add to the document's
// block, and a page that shows what the module hands to what runs behind it.
const apacheConf = `ServerName site.localhost
Listen %[2]s
ServerRoot %[1]s
DefaultRuntimeDir %[1]s
PidFile %[1]s/apache.pid
ErrorLog %[1]s/site.log
LogLevel warn auth_openidc:info
%[3]s
LoadModule mpm_event_module %[4]s/mod_mpm_event.so
LoadModule authn_core_module %[4]s/mod_authn_core.so
LoadModule authz_core_module %[4]s/mod_authz_core.so
LoadModule authz_user_module %[4]s/mod_authz_user.so
LoadModule include_module %[4]s/mod_include.so
LoadModule ssl_module %[4]s/mod_ssl.so
LoadModule auth_openidc_module %[4]s/mod_auth_openidc.so
StartServers 1
SSLEngine on
SSLCertificateFile %[5]s
SSLCertificateKeyFile %[6]s
DocumentRoot %[1]s/htdocs
<Directory %[1]s/htdocs>
  Options +Includes
  SetOutputFilter INCLUDES
</Directory>
OIDCCABundlePath %[1]s/ca.pem
# What the tests read.
OIDCPassIDTokenAs claims serialized
OIDCInfoHook id_token userinfo access_token refresh_token session
Include %[1]s/wiki.conf
`

// apacheModules is where Debian has them.
const apacheModules = "/usr/lib/apache2/modules"

// apache is a site behind mod_auth_openidc.
func apache(t *testing.T, edit ...string) *documented {
	t.Helper()
	d := newDocumented(t, "mod_auth_openidc", "https", edit...)
	d.Login, d.Callback = "/who.html", "/oidc"
	must(t, os.MkdirAll(d.dir+"/htdocs/public", 0o755))
	d.write(t, "htdocs/who.html", `<p id="who"><!--#echo var="REMOTE_USER" --> <!--#echo var="OIDC_CLAIM_email" --></p>`)
	d.write(t, "htdocs/token.html", `<!--#echo var="OIDC_id_token" -->`)
	d.write(t, "htdocs/public/goodbye.html", `<p id="goodbye">goodbye</p>`)
	d.write(t, "wiki.conf", d.block(t, "apache"))
	user := ""
	if os.Geteuid() == 0 { // Apache does not serve as root
		user = "User nobody\nGroup nogroup"
	}
	d.write(t, "apache.conf", fmt.Sprintf(apacheConf, d.dir, d.Listen, user, apacheModules, d.certificate, d.key))
	launch(t, exec.Command("/usr/sbin/apache2", "-f", d.dir+"/apache.conf", "-D", "FOREGROUND"), d.siteLog(), d.Listen)
	return d
}

// apacheVisitor is one that closes each connection: mod_auth_openidc 2.4.12 sends
// a second answer after its error pages.
func apacheVisitor(t *testing.T, d *documented) *visitor {
	t.Helper()
	v := newVisitor(t, d.binary)
	v.http.Transport.(*http.Transport).DisableKeepAlives = true //nolint:forcetypeassert // newVisitor's
	return v
}

// info is what the module tells at its own address, and the ID token that it hands on.
func (d *documented) info(v *visitor) told {
	v.t.Helper()
	w := reads[struct {
		told
		IDToken map[string]any `json:"id_token"` // its claims
	}](v.t, v.open(d.URL+"/oidc?info=json"), http.StatusOK).told
	w.IDToken = v.open(d.URL + "/token.html").Body
	return w
}

// bobIsThere logs bob in and wants the page that says so, with a claim that only
// userinfo has.
func (d *documented) bobIsThere(v *visitor, p *idptest.Page) {
	v.t.Helper()
	at(v.t, p, http.StatusOK, d.URL+"/who.html")
	if !strings.Contains(p.Body, ">bob bob@example.com<") {
		v.t.Errorf("the site says %q, want bob and his address", p.Body)
	}
	d.info(v).isBob(v.t, d.binary, d.registration)
}

// Discovery, the code flow with PKCE and nonce, userinfo.
func TestApache(t *testing.T) {
	d := apache(t)
	v := apacheVisitor(t, d)
	d.bobIsThere(v, d.bobAt(v, d.Login))
	d.asked(t, "GET", "/userinfo", http.StatusOK)
}

func TestApacheByTicket(t *testing.T) {
	d := apache(t)
	v := apacheVisitor(t, d)
	p := v.negotiate(v.open(d.URL+d.Login), aliceTicket(t))
	at(t, p, http.StatusOK, d.URL+d.Login)
	if !strings.Contains(p.Body, ">alice (none)<") {
		t.Errorf("the site says %q, want alice, of whom no address is known", p.Body)
	}
}

// apachePosts is what the module is told in order to ask by forms.
const apachePosts = "OIDCPKCEMethod S256\nOIDCProviderAuthRequestMethod POST\nOIDCUserInfoTokenMethod post_param"

// The request by a form that the browser sends itself, and the access token in
// the body at userinfo.
func TestApachePosts(t *testing.T) {
	d := apache(t, "OIDCPKCEMethod S256", apachePosts)
	v := apacheVisitor(t, d)
	asks := v.submit(v.open(d.URL+d.Login), "code_challenge", nil)
	d.bobIsThere(v, v.logIn(asks, "bob", stage.BobPassword))
	d.asked(t, "POST", "/authorize", http.StatusSeeOther)
	d.asked(t, "POST", "/userinfo", http.StatusOK)
}

// An access token lives five minutes: with ten before its end, each page renews it.
func TestApacheRefreshes(t *testing.T) {
	d := apache(t, "BeforeExpiry 60", "BeforeExpiry 600")
	v := apacheVisitor(t, d)
	d.bobAt(v, d.Login)
	first := d.info(v)
	v.open(d.URL + d.Login)
	second := d.info(v)
	if first.Access == "" || second.Access == first.Access {
		t.Errorf("access tokens %q, then %q: want another", first.Access, second.Access)
	}
	second.isBob(t, d.binary, d.registration)
	if len(d.said(t, `"login":"refresh_token"`, `"status":200`)) == 0 {
		t.Error("idp gave nothing for a refresh token")
	}
}

// A page's script asks the module for a new access token by its refresh hook.
func TestApacheRefreshHook(t *testing.T) {
	d := apache(t)
	v := apacheVisitor(t, d)
	d.bobAt(v, d.Login)
	first := d.info(v)
	p := v.open(d.URL + "/oidc?" + url.Values{"refresh": {d.URL + d.Login}, "access_token": {first.Access}}.Encode())
	at(t, p, http.StatusOK, d.URL+d.Login)
	if e := p.Request.URL.Query().Get("error_code"); e != "" {
		t.Errorf("the hook says %s", e)
	}
	if second := d.info(v); second.Access == first.Access {
		t.Error("the access token is still the old one")
	}
}

// Bob is not in the group: our page says so. Its link back carries error, state and
// iss (RFC 9207 §2); the module takes iss for the choice of a provider, as all its
// versions do, and shows another error.
func TestApacheUserOfAnotherGroup(t *testing.T) {
	d := apache(t, moreOfClient, moreOfClient+"\n    allow_groups: [finance]")
	v := apacheVisitor(t, d)
	p := d.backFromRefusal(v)
	at(t, p, http.StatusOK, d.URL+"/oidc")
	if !strings.Contains(p.Body, "Invalid Request") {
		t.Errorf("want the module's error page\n%s", p.Body)
	}
	at(t, v.open(d.URL+d.Login), http.StatusForbidden, d.Issuer+"/authorize")
}

// The same by form_post: there the module knows an error when it sees one.
func TestApacheFormPostUserOfAnotherGroup(t *testing.T) {
	d := apache(t, moreOfClient, moreOfClient+"\n    allow_groups: [finance]", "OIDCPKCEMethod S256", "OIDCPKCEMethod S256\nOIDCResponseMode form_post")
	v := apacheVisitor(t, d)
	p := v.submit(d.bobAt(v, d.Login), "error", nil)
	at(t, p, http.StatusOK, d.URL+"/oidc")
	if !strings.Contains(p.Body, "OpenID Connect Provider error: access_denied") {
		t.Errorf("want the module's error page with idp's error\n%s", p.Body)
	}
}

// Whoever is asked may say no, and the site says so; who said yes is not asked again.
func TestApacheConsent(t *testing.T) {
	d := apache(t, moreOfClient, moreOfClient+"\n    trusted: false", "OIDCPKCEMethod S256", "OIDCPKCEMethod S256\nOIDCResponseMode form_post")
	v := apacheVisitor(t, d)
	p := v.submit(v.consents(d.bobAt(v, d.Login), "deny"), "error", nil)
	at(t, p, http.StatusOK, d.URL+"/oidc")
	if !strings.Contains(p.Body, "OpenID Connect Provider error: access_denied") {
		t.Errorf("want the module's error page with idp's error\n%s", p.Body)
	}
	d.bobIsThere(v, v.submit(v.consents(v.open(d.URL+d.Login), "allow"), "code", nil))
	again := apacheVisitor(t, d)
	d.bobIsThere(again, again.submit(d.bobAt(again, d.Login), "code", nil))
}

// Claims that the site asks for one by one, beside a scope that has neither.
func TestApacheClaims(t *testing.T) {
	asked := url.QueryEscape(`{"userinfo":{"email":{"essential":true}}}`)
	d := apache(t, `OIDCScope "openid profile email groups"`, `OIDCScope "openid profile"`+"\nOIDCAuthRequestParams claims="+asked)
	v := apacheVisitor(t, d)
	p := d.bobAt(v, d.Login)
	at(t, p, http.StatusOK, d.URL+"/who.html")
	if u := d.info(v).Userinfo; u.Name != "bob" || u.Email != "bob@example.com" || u.Groups != nil {
		t.Errorf("userinfo %+v, want bob's address, and no groups", u)
	}
}
