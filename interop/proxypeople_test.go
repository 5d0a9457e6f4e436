//go:build interop

package interop_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"idp/internal/idptest"
)

func comesBack(t *testing.T, b *behind) {
	const path = "/reports/q1%20a?year=2026&to=%2Fx%3Fy&z"
	if p := b.visitor(t).send(http.MethodGet, b.URL+path, "", ""); p.StatusCode != http.StatusSeeOther { // browsers make nothing of a 401 with Location
		t.Errorf("a person is answered %d", p.StatusCode)
	}
	v, p := b.logsIn(t, "bob", path)
	at(t, p, http.StatusOK, b.URL+"/reports/q1%20a")
	h := hears(t, p)
	b.names(t, h, "bob")
	if h.target() != path || p.Request.URL.RequestURI() != path {
		t.Errorf("back at %s, and the application got %s, want %s", p.Request.URL, h.Line, path)
	}
	if h.get("Remote-Email") != "bob@example.com" || h.get("Remote-Groups") != "partners" || h.get("Remote-Name") != bobsName {
		t.Errorf("want bob's address, group and name\n%s", strings.Join(h.Headers, "\n"))
	}
	b.verifies(t, h.get("Remote-Assertion"), "bob")
	// The application's own cookies pass.
	to, err := url.Parse(b.URL)
	must(t, err)
	v.http.Jar.SetCookies(to, []*http.Cookie{{Name: "theme", Value: "dark", Path: "/"}, {Name: "lang", Value: "en", Path: "/"}})
	h = hears(t, v.open(b.URL+path))
	if got := h.get("Cookie"); got != "theme=dark; lang=en" {
		t.Errorf("the application got the cookies %q", got)
	}
	b.names(t, h, "bob")
	// As they are.
	const odd = `prefs="a b"; json={"x":[1,"%41"]}; path=\\%2F/$host; tail=é`
	b.app.take()
	_, c := b.raw(t, "GET / HTTP/1.1\r\nHost: "+b.host()+"\r\nCookie: "+odd+"; "+b.cookies(t, v)+"\r\n\r\n")
	_ = c.Close()
	if heard := b.app.take(); len(heard) != 1 || heard[0].get("Cookie") != odd+"; theme=dark; lang=en" {
		t.Errorf("of %s arrived %v", odd, heard)
	}
}

// verifies checks an assertion as an application would.
func (b *behind) verifies(t *testing.T, assertion, user string) {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), &http.Client{Transport: idptest.Transport()})
	keys := oidc.NewRemoteKeySet(ctx, b.Issuer+"/jwks")
	token, err := oidc.NewVerifier(b.Issuer, keys, &oidc.Config{ClientID: "site.localhost", SupportedSigningAlgs: []string{"ES256"}}).Verify(ctx, assertion)
	if err != nil {
		t.Errorf("assertion %q: %v", assertion, err)
		return
	}
	var claims struct {
		Name string `json:"preferred_username"`
	}
	must(t, token.Claims(&claims))
	if claims.Name != user || time.Until(token.Expiry) > time.Minute {
		t.Errorf("the assertion is for %q and until %s", claims.Name, token.Expiry)
	}
}

func silently(t *testing.T, b *behind) {
	v := b.visitor(t)
	p := v.negotiate(v.open(b.URL+"/reports/"), aliceTicket(t))
	at(t, p, http.StatusOK, b.URL+"/reports/")
	b.names(t, hears(t, p), "alice")
}

// cookies is the Cookie header that a browser sends to the site.
func (b *behind) cookies(t *testing.T, v *visitor) string {
	t.Helper()
	to, err := url.Parse(b.URL)
	must(t, err)
	var out []string
	for _, c := range v.http.Jar.Cookies(to) {
		out = append(out, c.Name+"="+c.Value)
	}
	return strings.Join(out, "; ")
}

func groupOfRule(t *testing.T, b *behind) {
	v, p := b.logsIn(t, "bob", "/admin/")
	if p.StatusCode != http.StatusForbidden || p.Header.Get("Idp-Reason") != "NOT_ALLOWED" || !strings.Contains(p.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %v, want 403 with the reason and a page", p.StatusCode, p.Header)
	}
	if p := b.ask(t, v, http.MethodGet, "/admin/", ""); p.StatusCode != http.StatusForbidden || p.Header.Get("Idp-Reason") != "NOT_ALLOWED" {
		t.Errorf("a program is answered %d %v", p.StatusCode, p.Header)
	}
	b.app.take()
	_, p = b.logsIn(t, "ada", "/admin/")
	b.names(t, hears(t, p), "ada")
}

func openPath(t *testing.T, b *behind) {
	p := b.visitor(t).open(b.URL + "/public/logo.svg")
	b.names(t, hears(t, p), "")
	v, _ := b.logsIn(t, "bob", "/")
	b.names(t, hears(t, v.open(b.URL+"/public/logo.svg")), "bob")
}

// refusedSoon: what idp has ended, it may answer from memory for a second.
func (b *behind) refusedSoon(t *testing.T, v *visitor) {
	t.Helper()
	await(t, "the site lets nobody in any more", time.Second, func() bool {
		return b.ask(t, v, http.MethodGet, "/reports/", "").StatusCode == http.StatusUnauthorized
	})
	v.open(b.URL+"/reports/").Form(t, "password")
}

func signOutEnds(t *testing.T, b *behind) {
	v, _ := b.logsIn(t, "bob", "/")
	v.submit(v.open(b.Issuer+"/end_session"), "form_token", nil)
	b.refusedSoon(t, v)
	v, _ = b.logsIn(t, "bob", "/")
	p := v.open(b.URL + "/.idp/sign-out")
	if !strings.HasPrefix(p.Request.URL.String(), b.Issuer+"/end_session") {
		t.Errorf("signing out at the site leads to %s", p.Request.URL)
	}
	v.submit(p, "form_token", nil)
	b.refusedSoon(t, v)
}

func disabledEnds(t *testing.T, b *behind) {
	v, p := b.logsIn(t, "leaver-"+b.proxy.name, "/")
	b.names(t, hears(t, p), "leaver-"+b.proxy.name)
	b.does(t, "user", "disable", "leaver-"+b.proxy.name)
	await(t, "the site lets nobody in any more", time.Second, func() bool {
		return b.ask(t, v, http.MethodGet, "/reports/", "").StatusCode == http.StatusUnauthorized
	})
}
