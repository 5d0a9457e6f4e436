//go:build interop

package interop_test

import (
	"net/http"
	"net/url"
	"testing"
)

// django is the site of examples/django-oidc, with pages that tell more, run by
// Django's own server.
func django(t *testing.T, edit ...string) *documented {
	t.Helper()
	d := newDocumented(t, "mozilla-django-oidc", "http", edit...)
	d.Callback = "/oidc/callback/"
	if out, err := d.python(t, "django_site/manage.py", "migrate", "--verbosity", "0").CombinedOutput(); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	launch(t, d.python(t, "django_site/manage.py", "runserver", "--noreload", d.Listen), d.siteLog(), d.Listen)
	return d
}

// The code flow with PKCE and nonce, userinfo; the site has made a user of bob.
func TestDjango(t *testing.T) {
	d := django(t)
	p := d.bobAt(newVisitor(t, d.binary), d.Login)
	reads[told](t, p, http.StatusOK).isBob(t, d.binary, d.registration)
	type user struct{ User, Email string }
	if got := reads[user](t, p, http.StatusOK); got != (user{"bob", "bob@example.com"}) {
		t.Errorf("the site's user is %+v, want bob", got)
	}
	d.asked(t, "GET", "/userinfo", http.StatusOK)
}

func TestDjangoES256(t *testing.T) {
	d := django(t, moreOfClient, moreOfClient+"\n    id_token_signed_response_alg: ES256", `SIGN_ALGO = "RS256"`, `SIGN_ALGO = "ES256"`)
	d.Alg = "ES256"
	reads[told](t, d.bobAt(newVisitor(t, d.binary), d.Login), http.StatusOK).isBob(t, d.binary, d.registration)
}

// Userinfo as a JWT; the package verifies it as it does an ID token.
func TestDjangoSignedUserinfo(t *testing.T) {
	d := django(t, moreOfClient, moreOfClient+"\n    userinfo_signed_response_alg: RS256")
	w := reads[told](t, d.bobAt(newVisitor(t, d.binary), d.Login), http.StatusOK)
	if w.isBob(t, d.binary, d.registration); w.Userinfo.Iss != d.Issuer {
		t.Errorf("userinfo %+v was not signed", w.Userinfo)
	}
}

func TestDjangoClientSecretBasic(t *testing.T) {
	d := django(t, "    token_endpoint_auth_method: client_secret_post\n", "", "USE_PKCE = True", "USE_PKCE = True\nOIDC_TOKEN_USE_BASIC_AUTH = True")
	reads[told](t, d.bobAt(newVisitor(t, d.binary), d.Login), http.StatusOK).isBob(t, d.binary, d.registration)
}

// The package wants an address of everybody, by default: alice, whom only a ticket
// names, has none.
func TestDjangoWithoutEmail(t *testing.T) {
	d := django(t)
	v := newVisitor(t, d.binary)
	at(t, v.negotiate(v.open(d.URL+d.Login), aliceTicket(t)), http.StatusForbidden, d.URL+"/refused/")
	if !d.logged(t, "Claims verification failed") {
		t.Error("the site's log does not say why")
	}
}

// When the ID token is old, the middleware asks for another with prompt=none, and
// nobody sees it; when the person is signed out at idp, the site signs them out, too.
func TestDjangoSessionRefresh(t *testing.T) {
	d := django(t)
	v := newVisitor(t, d.binary)
	first := reads[told](t, d.bobAt(v, d.Login), http.StatusOK)
	p := v.open(d.URL + "/old/")
	if q := queryOf(t, p, "/authorize"); q.Get("prompt") != "none" {
		t.Errorf("it asked with %v", q)
	}
	second := reads[told](t, p, http.StatusOK)
	if second.isBob(t, d.binary, d.registration); second.IDToken == first.IDToken || second.Access == first.Access {
		t.Error("nothing new came")
	}
	v.submit(v.open(d.Issuer+"/end_session"), "form_token", nil)
	p = v.open(d.URL + "/old/")
	at(t, p, http.StatusForbidden, d.URL+"/refused/")
	if q := queryOf(t, p, d.Callback); q.Get("error") != "login_required" {
		t.Errorf("idp answered %v", q)
	}
	v.open(d.URL+d.Login).Form(t, "password")
}

// Whoever is asked may say no, and sees the site's own page; who said yes is not
// asked again, not even by the middleware, which asks with prompt=none.
func TestDjangoConsent(t *testing.T) {
	d := django(t, moreOfClient, moreOfClient+"\n    trusted: false")
	v := newVisitor(t, d.binary)
	p := v.consents(d.bobAt(v, d.Login), "deny")
	at(t, p, http.StatusForbidden, d.URL+"/refused/")
	if q := queryOf(t, p, d.Callback); q.Get("error") != "access_denied" {
		t.Errorf("idp answered %v", q)
	}
	first := reads[told](t, v.consents(v.open(d.URL+d.Login), "allow"), http.StatusOK)
	first.isBob(t, d.binary, d.registration)
	if second := reads[told](t, v.open(d.URL+"/old/"), http.StatusOK); second.IDToken == first.IDToken {
		t.Error("nothing new came")
	}
	reads[told](t, d.bobAt(newVisitor(t, d.binary), d.Login), http.StatusOK).isBob(t, d.binary, d.registration)
}

// Claims that the site asks for one by one, beside a scope that has neither.
func TestDjangoClaims(t *testing.T) {
	d := django(t, `OIDC_RP_SCOPES = "openid profile email groups"`,
		`OIDC_RP_SCOPES = "openid profile"`+"\n"+`OIDC_AUTH_REQUEST_EXTRA_PARAMS = {"claims": '{"userinfo": {"email": {"essential": true}}}'}`)
	u := reads[told](t, d.bobAt(newVisitor(t, d.binary), d.Login), http.StatusOK).Userinfo
	if u.Name != "bob" || u.Email != "bob@example.com" || u.Groups != nil {
		t.Errorf("userinfo %+v, want bob's address, and no groups", u)
	}
}

// Signed out here and there, and back at the site, which lets nobody in.
func TestDjangoLogout(t *testing.T) {
	d := django(t)
	v := newVisitor(t, d.binary)
	p := v.submit(d.bobAt(v, "/account/"), "logout", url.Values{})
	if q := queryOf(t, p, "/end_session"); q.Get("id_token_hint") == "" || q.Get("post_logout_redirect_uri") != d.URL+"/" {
		t.Errorf("it asked with %v", q)
	}
	queryOf(t, p, "/") // back at the site
	p.Form(t, "password")
}

func TestDjangoUserOfAnotherGroup(t *testing.T) {
	d := django(t, moreOfClient, moreOfClient+"\n    allow_groups: [finance]")
	at(t, d.backFromRefusal(newVisitor(t, d.binary)), http.StatusForbidden, d.URL+"/refused/")
}

// The package raises an exception: the person sees the site's error page.
func TestDjangoWrongSecret(t *testing.T) {
	d := django(t, `CLIENT_SECRET = "`+docSecret, `CLIENT_SECRET = "another`)
	at(t, d.bobAt(newVisitor(t, d.binary), d.Login), http.StatusInternalServerError, d.URL+d.Callback)
	d.asked(t, "POST", "/token", http.StatusUnauthorized)
	if !d.logged(t, "invalid_client") {
		t.Error("the site's log does not say why")
	}
}
