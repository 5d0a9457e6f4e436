package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"idp/internal/idptest"
	"idp/internal/server"
	"idp/internal/store"
)

// toldSite is a relying party that takes logout tokens, and the server it trusts.
type toldSite struct {
	t      *testing.T
	idp    *idptest.Server
	rp     *relyingParty
	url    string
	tokens chan string
}

// newToldSite starts a server on a database of its own with a relying party told.
func newToldSite(t *testing.T, o idptest.Options) *toldSite {
	t.Helper()
	s := &toldSite{t: t, tokens: make(chan string, 10)}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	o.Clients = fmt.Sprintf("  - {client_id: told, client_secret_file: wiki.secret, redirect_uris: [%q], post_logout_redirect_uris: [%q],\n"+
		"     backchannel_logout_uri: %q, backchannel_logout_session_required: true, grant_types: [authorization_code, refresh_token], scope: openid offline_access}\n",
		s.url+"/callback", s.url+"/bye", s.url+"/logout")
	s.idp = idptest.Start(t, o)
	s.rp = newRelyingParty(t, s.idp, "told", idptest.WikiSecret, s.url+"/callback")
	return s
}

// ServeHTTP implements http.Handler.
func (s *toldSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/logout" || r.ParseForm() != nil || len(r.PostForm) != 1 {
		s.t.Errorf("%s %s %v", r.Method, r.URL, r.PostForm)
	}
	w.Header().Set("Cache-Control", "no-store")
	s.tokens <- r.PostForm.Get("logout_token")
}

// visit logs bob in at the site.
func (s *toldSite) visit(b *idptest.Browser, scope string) (token *oauth2.Token, sid string) {
	s.t.Helper()
	auth := idptest.NewAuth("told", s.url+"/callback")
	auth.Query.Set("scope", scope)
	p := b.Get(auth.URL())
	if p.Location == nil {
		p = b.LogIn(p, "bob", idptest.BobPassword)
	}
	token, err := s.rp.oauth.Exchange(s.rp.ctx, auth.Code(s.t, s.idp, p), oauth2.VerifierOption(auth.Verifier))
	if err != nil {
		s.t.Fatal(err)
	}
	sid, _ = s.rp.claims(s.t, token, auth.Query.Get("nonce"))["sid"].(string)
	return token, sid
}

// told waits for a logout token and checks that it is of this session: by what the
// issuer publishes, as any relying party does (Back-Channel Logout §2.6).
func (s *toldSite) told(sid string) {
	s.t.Helper()
	var raw string
	select {
	case raw = <-s.tokens:
	case <-time.After(patience):
		s.t.Fatal("no logout token")
	}
	claims, err := verifyLogoutToken(s.rp.ctx, s.idp, raw, jose.RS256)
	if err != nil {
		s.t.Fatal(err)
	}
	_, nonce := claims["nonce"]
	events, _ := claims["events"].(map[string]any)
	if claims["iss"] != s.idp.Issuer || claims["aud"] != "told" || claims["sid"] != sid || claims["sub"] != s.idp.User("bob").ID ||
		nonce || len(events) != 1 || events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		s.t.Errorf("claims %v, want the session %s", claims, sid)
	}
}

func verifyLogoutToken(ctx context.Context, s *idptest.Server, raw string, alg jose.SignatureAlgorithm) (claims map[string]any, err error) {
	token, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return nil, err
	}
	if typ := token.Signatures[0].Header.ExtraHeaders["typ"]; typ != "logout+jwt" {
		return nil, fmt.Errorf("typ %v", typ)
	}
	payload, err := oidc.NewRemoteKeySet(ctx, s.Issuer+"/jwks").VerifySignature(ctx, raw)
	if err != nil {
		return nil, err
	}
	return claims, json.Unmarshal(payload, &claims)
}

// However a session ends, its relying party hears of it at once.
func TestEveryEndOfASessionReachesItsRelyingParties(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *toldSite, b *idptest.Browser, token *oauth2.Token){
		"by the relying party": func(s *toldSite, b *idptest.Browser, token *oauth2.Token) {
			hint, _ := token.Extra("id_token").(string)
			if p := b.Get("/end_session?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {s.url + "/bye"}, "state": {"x"}}.Encode()); p.Location == nil || p.Location.String() != s.url+"/bye?state=x" {
				s.t.Errorf("%d to %v", p.StatusCode, p.Location)
			}
		},
		"by the account page": func(s *toldSite, b *idptest.Browser, _ *oauth2.Token) {
			action, form := b.Get("/account").Form(s.t, "form_token")
			b.Post(action, form)
		},
		"by another user": func(s *toldSite, b *idptest.Browser, _ *oauth2.Token) {
			must(s.t, server.AddUser(context.Background(), s.idp.Store(), store.User{Name: "eve"}, "a good password", "test"))
			auth := idptest.Wiki()
			auth.Query.Set("prompt", "login")
			auth.Code(s.t, s.idp, b.LogIn(b.Get(auth.URL()), "eve", "a good password"))
		},
		"user disabled": func(s *toldSite, _ *idptest.Browser, _ *oauth2.Token) {
			must(s.t, s.idp.Store().SetDisabled(context.Background(), s.idp.User("bob").ID, true, store.Entry{Actor: "test"}))
		},
		"new password": func(s *toldSite, _ *idptest.Browser, _ *oauth2.Token) {
			must(s.t, server.SetPassword(context.Background(), s.idp.Store(), s.idp.User("bob"), "another good password", "test"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newToldSite(t, idptest.Options{})
			b := s.idp.Browser(t)
			token, sid := s.visit(b, "openid")
			other := s.idp.Browser(t)
			_, otherSid := s.visit(other, "openid")
			end(s, b, token)
			if strings.HasPrefix(name, "by") {
				s.told(sid)
				if p := other.Get("/account"); p.StatusCode != http.StatusOK || len(s.tokens) != 0 {
					t.Errorf("another session of the same user: %d, and %d tokens more", p.StatusCode, len(s.tokens))
				}
				return
			}
			raws := map[any]bool{}
			for range 2 {
				claims, err := verifyLogoutToken(s.rp.ctx, s.idp, <-s.tokens, jose.RS256)
				must(t, err)
				raws[claims["sid"]] = true
			}
			if !raws[sid] || !raws[otherSid] {
				t.Errorf("told of %v, want %s and %s", raws, sid, otherSid)
			}
		})
	}
}

// What was granted for offline use goes on (Back-Channel Logout §2.7).
func TestOfflineGrantsOutliveTheSessionThatIsToldOf(t *testing.T) {
	t.Parallel()
	s := newToldSite(t, idptest.Options{YAML: metered})
	b := s.idp.Browser(t)
	offline, sid := s.visit(b, "openid offline_access")
	online, _ := s.visit(b, "openid")
	signOut := url.Values{"id_token_hint": {offline.Extra("id_token").(string)}}
	b.Get("/end_session?" + signOut.Encode())
	s.told(sid)
	if _, err := s.rp.oauth.TokenSource(s.rp.ctx, &oauth2.Token{RefreshToken: offline.RefreshToken}).Token(); err != nil {
		t.Errorf("offline: %v", err)
	}
	if _, err := s.rp.oauth.TokenSource(s.rp.ctx, &oauth2.Token{RefreshToken: online.RefreshToken}).Token(); err == nil {
		t.Error("what lives by the session goes on")
	}
	must(t, s.idp.Log.Await(t.Context(), "relying party was told", "client_id=told", "session="+sid, "attempt=1"))
	if got := scrape(t, s.idp); !strings.Contains(got, `idp_logout_deliveries_total{result="delivered"} 1`) {
		t.Error("not counted")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
