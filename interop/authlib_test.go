//go:build interop

package interop_test

import (
	"net"
	"net/http"
	"slices"
	"testing"

	"idp/internal/idptest"
)

// authlib is a Flask site with Authlib.
func authlib(t *testing.T, edit ...string) *documented {
	t.Helper()
	return authlibOver(t, "http", nil, edit...)
}

// authlibOver is one at http or https, with variables of its environment.
func authlibOver(t *testing.T, scheme string, env []string, edit ...string) *documented {
	t.Helper()
	d := newDocumented(t, "Authlib", scheme, edit...)
	d.Callback = "/callback"
	_, port, err := net.SplitHostPort(d.Listen)
	must(t, err)
	args := []string{port}
	if scheme == "https" {
		args = append(args, d.certificate, d.key)
	}
	site := d.python(t, "authlib_site.py", args...)
	site.Env = append(site.Env, env...)
	launch(t, site, d.siteLog(), d.Listen)
	return d
}

// visits is bob at the site from the login to the logout; the page renew gets
// other tokens.
func (d *documented) visits(t *testing.T, renew string) {
	t.Helper()
	visit(t, d.binary, d.registration, software{
		refresh: func(t *testing.T, v *visitor) told {
			t.Helper()
			return reads[told](t, v.open(d.URL+renew), http.StatusOK)
		},
		signOut: func(t *testing.T, v *visitor) *idptest.Page {
			t.Helper()
			p := v.open(d.URL + "/sign-out")
			if q := queryOf(t, p, "/end_session"); q.Get("id_token_hint") == "" || q.Get("state") == "" {
				t.Errorf("it asked with %v", q)
			}
			return p // of the site, which has checked the state
		},
	})
}

func TestAuthlib(t *testing.T) { authlib(t).visits(t, "/refresh") }

// Authlib finds that the access token has expired, renews it, and goes on.
func TestAuthlibRefreshesByItself(t *testing.T) { authlib(t).visits(t, "/expired") }

func TestAuthlibByTicket(t *testing.T) {
	d := authlib(t)
	byTicketAt(t, d.binary, d.registration)
}

// The site pushes its request, as its client must here.
func TestAuthlibPushes(t *testing.T) {
	d := authlib(t, moreOfClient, moreOfClient+"\n    require_pushed_authorization_requests: true")
	refusedAt(t, newVisitor(t, d.binary).open(d.URL+d.Login), "invalid_request")
	d.Login = "/pushed"
	d.visits(t, "/refresh")
	d.asked(t, "POST", "/par", http.StatusCreated)
}

// Claims that the site asks for one by one, beside a scope that has neither.
func TestAuthlibClaims(t *testing.T) {
	d := authlib(t, `"scope": "openid profile email groups"`, `"scope": "openid profile"`,
		`client_id="wiki",`, `client_id="wiki", authorize_params={"claims": '{"userinfo": {"email": {"essential": true}}, "id_token": {"groups": null}}'},`)
	w := reads[told](t, d.bobAt(newVisitor(t, d.binary), d.Login), http.StatusOK)
	if u := w.Userinfo; u.Name != "bob" || u.Email != "bob@example.com" || u.Groups != nil {
		t.Errorf("userinfo %+v, want bob's address, and no groups", u)
	}
	if id := w.claims(t); !slices.Equal(id.Groups, []string{"partners"}) || id.Email != "" {
		t.Errorf("ID token %+v, want bob's groups, and no address", id)
	}
}

func TestAuthlibPostsToUserinfo(t *testing.T) {
	d := authlib(t)
	v := newVisitor(t, d.binary)
	d.bobAt(v, d.Login)
	reads[told](t, v.open(d.URL+"/posted"), http.StatusOK).isBob(t, d.binary, d.registration)
	d.asked(t, "POST", "/userinfo", http.StatusOK)
}

// Introspection knows the refresh token until the site has given it back.
func TestAuthlibRevokes(t *testing.T) {
	d := authlib(t)
	v := newVisitor(t, d.binary)
	d.bobAt(v, d.Login)
	type state struct{ Active bool }
	got := reads[struct{ Before, After state }](t, v.open(d.URL+"/revoke"), http.StatusOK)
	if !got.Before.Active || got.After.Active {
		t.Errorf("%+v, want a token that is active until it is revoked", got)
	}
	refusedAt(t, v.open(d.URL+"/refresh"), "invalid_grant")
}

// Signed out at idp: the site hears of it, checks the logout token as Authlib checks
// an ID token, and forgets its visitor.
func TestAuthlibBackChannel(t *testing.T) {
	d := authlib(t)
	v := newVisitor(t, d.binary)
	d.bobAt(v, d.Login)
	v.submit(v.open(d.Issuer+"/end_session"), "form_token", nil)
	d.told(t)
	v.open(d.URL+d.Login).Form(t, "password")
}

func TestAuthlibUserOfAnotherGroup(t *testing.T) {
	d := authlib(t, moreOfClient, moreOfClient+"\n    allow_groups: [finance]")
	refusedAt(t, d.backFromRefusal(newVisitor(t, d.binary)), "access_denied")
}

// Whoever is asked may say no, and the site hears it; who said yes is not asked
// again, at another browser either.
func TestAuthlibConsent(t *testing.T) {
	d := authlib(t, moreOfClient, moreOfClient+"\n    trusted: false")
	v := newVisitor(t, d.binary)
	refusedAt(t, v.consents(d.bobAt(v, d.Login), "deny"), "access_denied")
	reads[told](t, v.consents(v.open(d.URL+d.Login), "allow"), http.StatusOK).isBob(t, d.binary, d.registration)
	reads[told](t, d.bobAt(newVisitor(t, d.binary), d.Login), http.StatusOK).isBob(t, d.binary, d.registration)
}
