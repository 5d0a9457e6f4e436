package server_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"idp/internal/idptest"
	"idp/internal/secret"
	"idp/internal/server"
	"idp/internal/store"
)

// What docs/security-model.md promises.

const otherPassword = secret.String("a completely different one")

// lastToken is how long a token is believed by whoever only verifies its signature.
const lastToken = 5 * time.Minute

// thief holds what somebody's session cookie held at one moment.
func thief(t *testing.T, s *idptest.Server, of *idptest.Browser) http.Header {
	t.Helper()
	for _, c := range of.Cookies() {
		if strings.HasSuffix(c.Name, "idp_session") {
			return http.Header{"Cookie": {c.Name + "=" + c.Value}}
		}
	}
	t.Fatal("no session cookie")
	return nil
}

func TestWhatEndsAStolenSessionCookie(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, s *idptest.Server, owner *idptest.Browser){
		"its owner signs out": func(t *testing.T, _ *idptest.Server, owner *idptest.Browser) {
			action, form := owner.Get("/end_session").Form(t, "form_token")
			owner.Post(action, form)
		},
		"its owner logs in again": func(t *testing.T, s *idptest.Server, owner *idptest.Browser) {
			auth := idptest.Wiki()
			auth.Query.Set("prompt", "login")
			auth.Code(t, s, owner.LogIn(owner.Get(auth.URL()), "bob", idptest.BobPassword))
		},
		"a new password": func(t *testing.T, s *idptest.Server, _ *idptest.Browser) {
			if err := server.SetPassword(t.Context(), s.Store(), s.User("bob"), otherPassword, "test"); err != nil {
				t.Fatal(err)
			}
		},
		"its owner is disabled": func(t *testing.T, s *idptest.Server, _ *idptest.Browser) { disable(t, s, "bob") },
	} {
		t.Run(name, func(t *testing.T) {
			s := idptest.Start(t, idptest.Options{})
			owner := s.Browser(t)
			auth := idptest.Wiki()
			auth.Code(t, s, owner.LogIn(owner.Get(auth.URL()), "bob", idptest.BobPassword))
			stolen := thief(t, s, owner)
			use := func() bool {
				p := s.Browser(t).Once("GET", idptest.Wiki().URL(), nil, stolen)
				loc, err := p.Response.Location()
				return err == nil && loc.Query().Get("code") != ""
			}
			if !use() {
				t.Fatal("the cookie is no login before: this test would show nothing")
			}
			end(t, s, owner)
			if use() {
				t.Error("the stolen cookie still logs in")
			}
		})
	}
}

func disable(t *testing.T, s *idptest.Server, name string) {
	t.Helper()
	if err := s.Store().SetDisabled(context.Background(), s.User(name).ID, true, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
}

// A site that only verifies signatures believes the last access token until it
// expires; whoever asks us knows at once, and nothing new comes of anything.
func TestADisabledUsersLastToken(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{}, func(t *testing.T, s *idptest.Server) {
		rp := newRelyingParty(t, s, "wiki", idptest.WikiSecret, "http://wiki.localhost/callback")
		b, auth := s.Browser(t), idptest.Wiki()
		code := auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword))
		token, err := rp.oauth.Exchange(rp.ctx, code, oauth2.VerifierOption(auth.Verifier))
		if err != nil {
			t.Fatal(err)
		}
		verify := rp.provider.Verifier(&oidc.Config{SkipClientIDCheck: true})
		disable(t, s, "bob")

		offline, err := verify.Verify(rp.ctx, token.AccessToken)
		if err != nil {
			t.Fatalf("a site that asks nobody: %v", err)
		}
		if left := offline.Expiry.Sub(offline.IssuedAt); left > lastToken {
			t.Errorf("the access token lives %s, promised are %s", left, lastToken)
		}
		if _, err := rp.provider.UserInfo(rp.ctx, oauth2.StaticTokenSource(token)); err == nil {
			t.Error("userinfo still answers")
		}
		if _, err := rp.oauth.TokenSource(rp.ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil {
			t.Error("the refresh token still gives tokens")
		}
		asWiki := http.Header{"Authorization": {idptest.Basic("wiki", idptest.WikiSecret)}}
		if p := s.Program(t).Once("POST", "/introspect", url.Values{"token": {token.AccessToken}}, asWiki); !strings.Contains(p.Body, `"active":false`) {
			t.Errorf("introspection: %s", p.Body)
		}
		if p := b.Get(idptest.Wiki().URL()); p.Location != nil {
			t.Errorf("the session still logs in: %s", p.Location)
		}
	})
}

// Whoever finds the phone has no password, and whoever knows the password no phone; its
// owner gets in by a recovery code, removes it, and everything that it was logged in to
// is over. Without a code an administrator resets.
func TestALostPhone(t *testing.T) {
	t.Parallel()
	f := startFactors(t, idptest.Options{})
	app, codes := f.enrol()
	phone := f.Browser(t)
	fill(t, phone, phone.LogIn(phone.Get("/login"), "bob", idptest.BobPassword), "code", f.nextCode(app))
	if !signedIn(f.Server, phone) {
		t.Fatal("the phone is not logged in: this test would show nothing")
	}

	owner := f.Browser(t)
	p := owner.LogIn(owner.Get("/login"), "bob", idptest.BobPassword)
	if signedIn(f.Server, owner) {
		t.Error("the password alone logs in")
	}
	p = owner.Get(linkTo(t, p, "Use a recovery code instead"))
	fill(t, owner, p, "recovery_code", codes[0])
	p = fill(t, owner, owner.Get(linkTo(t, owner.Get("/account/factors"), "Rename or remove")), "remove", "1")
	wantPage(t, p, "Removed")
	if signedIn(f.Server, phone) || !signedIn(f.Server, owner) {
		t.Error("want the lost phone signed out, and its owner not")
	}

	f.enrol()
	fill(t, phone, phone.LogIn(phone.Get("/login"), "bob", idptest.BobPassword), "code", f.nextCode(app))
	if signedIn(f.Server, phone) {
		t.Error("the lost phone's codes are still good")
	}
	if n, err := f.Store().ResetFactors(t.Context(), f.User("bob").ID, store.Entry{Actor: "test"}); err != nil || n != 1 {
		t.Errorf("reset: %d, %v", n, err)
	}
	if signedIn(f.Server, owner) {
		t.Error("a session outlives the reset")
	}
}
