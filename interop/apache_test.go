//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
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

func TestApacheES256(t *testing.T) {
	d := apache(t, moreOfClient, moreOfClient+"\n    id_token_signed_response_alg: ES256",
		"OIDCPKCEMethod S256", "OIDCPKCEMethod S256\nOIDCIDTokenSignedResponseAlg ES256")
	d.Alg = "ES256"
	v := apacheVisitor(t, d)
	d.bobIsThere(v, d.bobAt(v, d.Login))
}

func TestApacheClientSecretPost(t *testing.T) {
	d := apache(t, moreOfClient, moreOfClient+"\n    token_endpoint_auth_method: client_secret_post",
		"OIDCPKCEMethod S256", "OIDCPKCEMethod S256\nOIDCProviderTokenEndpointAuth client_secret_post")
	v := apacheVisitor(t, d)
	d.bobIsThere(v, d.bobAt(v, d.Login))
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

// A real browser keeps idp's cookies from the form that another site sends, and the
// person is known nevertheless: two pages after one login. Then the logout.
func TestApacheInChromium(t *testing.T) {
	d := apache(t, "OIDCPKCEMethod S256", apachePosts)
	ca, err := os.ReadFile(d.CA)
	must(t, err)
	ctx, cancel := context.WithTimeout(chromium.StartTrusting(t, ca), patience)
	defer cancel()
	var first, second string
	must(t, chromedp.Run(ctx, chromedp.Navigate(d.URL+d.Login),
		chromedp.SendKeys("#username", "bob"), chromedp.SendKeys("#password", stage.BobPassword+"\r"), chromedp.Text("#who", &first),
		network.DeleteCookies("mod_auth_openidc_session").WithURL(d.URL),
		chromedp.Navigate(d.URL+d.Login), chromedp.Text("#who", &second)))
	if first != "bob bob@example.com" || second != first {
		t.Errorf("the site says %q, then %q, want bob twice", first, second)
	}
	if posts := d.said(t, `"method":"POST"`, "/authorize", `"status":303`); len(posts) != 2 {
		t.Errorf("%d requests came by POST, want 2", len(posts))
	}
	if logins := d.said(t, `"login":"form"`); len(logins) != 1 {
		t.Errorf("%d logins by the form, want 1", len(logins))
	}
	must(t, chromedp.Run(ctx, chromedp.Navigate(d.URL+"/oidc?logout="+url.QueryEscape(d.URL+"/public/goodbye.html")), chromedp.WaitVisible("#goodbye"),
		chromedp.Navigate(d.URL+d.Login), chromedp.WaitVisible("#password")))
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

// Signed out here and there, and back at the site's page; then nobody is let in.
func TestApacheLogout(t *testing.T) {
	d := apache(t)
	v := apacheVisitor(t, d)
	d.bobAt(v, d.Login)
	goodbye := d.URL + "/public/goodbye.html"
	p := v.open(d.URL + "/oidc?logout=" + url.QueryEscape(goodbye))
	at(t, p, http.StatusOK, goodbye)
	if q := queryOf(t, p, "/end_session"); q.Get("id_token_hint") == "" || q.Get("post_logout_redirect_uri") != goodbye {
		t.Errorf("it asked with %v", q)
	}
	v.open(d.URL+d.Login).Form(t, "password")
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

// The secret was changed at one end only: the person gets the module's error page.
func TestApacheWrongSecret(t *testing.T) {
	d := apache(t, "OIDCClientSecret "+docSecret, "OIDCClientSecret another")
	p := d.bobAt(apacheVisitor(t, d), d.Login)
	at(t, p, http.StatusOK, d.URL+"/oidc")
	if !strings.Contains(p.Body, "Error in handling response type") || !d.logged(t, "invalid_client") {
		t.Errorf("want the module's error page, and a log that says why\n%s", p.Body)
	}
	d.asked(t, "POST", "/token", http.StatusUnauthorized)
}
