//go:build interop

package interop_test

import (
	"net"
	"net/http"
	"testing"

	"idp/internal/idptest"
)

// authlib is a Flask site with Authlib.
func authlib(t *testing.T, edit ...string) *documented {
	t.Helper()
	d := newDocumented(t, "Authlib", "http", edit...)
	d.Callback = "/callback"
	_, port, err := net.SplitHostPort(d.Listen)
	must(t, err)
	launch(t, d.python(t, "authlib_site.py", port), d.siteLog(), d.Listen)
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

func TestAuthlibES256(t *testing.T) {
	d := authlib(t, moreOfClient, moreOfClient+"\n    id_token_signed_response_alg: ES256")
	d.Alg = "ES256"
	d.visits(t, "/refresh")
}

func TestAuthlibClientSecretPost(t *testing.T) {
	authlib(t, moreOfClient, moreOfClient+"\n    token_endpoint_auth_method: client_secret_post",
		`"code_challenge_method": "S256"`, `"code_challenge_method": "S256", "token_endpoint_auth_method": "client_secret_post"`).visits(t, "/refresh")
}

func TestAuthlibByTicket(t *testing.T) {
	d := authlib(t)
	byTicketAt(t, d.binary, d.registration)
}

func TestAuthlibUserOfAnotherGroup(t *testing.T) {
	d := authlib(t, moreOfClient, moreOfClient+"\n    allow_groups: [finance]")
	refusedAt(t, d.backFromRefusal(newVisitor(t, d.binary)), "access_denied")
}

func TestAuthlibWrongSecret(t *testing.T) {
	d := authlib(t, `client_secret="`+docSecret, `client_secret="another`)
	refusedAt(t, d.bobAt(newVisitor(t, d.binary), d.Login), "invalid_client")
	d.asked(t, "POST", "/token", http.StatusUnauthorized)
}
