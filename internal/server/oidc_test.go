package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"idp/internal/idptest"
	"idp/internal/server"
	"idp/internal/store/storetest"
)

// relyingParty is a site that we did not write: go-oidc and x/oauth2.
type relyingParty struct {
	ctx      context.Context
	provider *oidc.Provider
	oauth    oauth2.Config
}

func newRelyingParty(t *testing.T, s *idptest.Server, id, secret, redirect string) *relyingParty {
	t.Helper()
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: idptest.Transport()})
	provider, err := oidc.NewProvider(ctx, s.Issuer)
	if err != nil {
		t.Fatalf("discovery: %v", err)
	}
	return &relyingParty{ctx, provider, oauth2.Config{ClientID: id, ClientSecret: secret, RedirectURL: redirect, Endpoint: provider.Endpoint(),
		Scopes: []string{"openid", "profile", "email", "groups"}}}
}

// claims verifies the ID token, by the algorithms that discovery has.
func (rp *relyingParty) claims(t *testing.T, token *oauth2.Token, nonce string) map[string]any {
	t.Helper()
	raw, _ := token.Extra("id_token").(string)
	id, err := rp.provider.Verifier(&oidc.Config{ClientID: rp.oauth.ClientID}).Verify(rp.ctx, raw)
	if err != nil {
		t.Fatalf("ID token: %v", err)
	}
	if id.Nonce != nonce {
		t.Errorf("nonce %q, want %q", id.Nonce, nonce)
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		t.Errorf("at_hash: %v", err)
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestRelyingPartyWeDidNotWrite(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{}, func(t *testing.T, s *idptest.Server) {
		rp := newRelyingParty(t, s, "wiki", idptest.WikiSecret, "http://wiki.localhost/callback")
		b := s.Browser(t)
		auth := idptest.Wiki()
		code := auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword))
		token, err := rp.oauth.Exchange(rp.ctx, code, oauth2.VerifierOption(auth.Verifier))
		if err != nil {
			t.Fatal(err)
		}
		claims := rp.claims(t, token, auth.Query.Get("nonce"))
		if claims["sub"] != s.User("bob").ID || claims["acr"] != "1" || claims["sid"] == nil || claims["auth_time"] == nil || claims["email"] != nil {
			t.Errorf("ID token's claims: %v", claims)
		}
		info, err := rp.provider.UserInfo(rp.ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			t.Fatal(err)
		}
		var profile struct {
			Name   string   `json:"preferred_username"`
			Groups []string `json:"groups"`
		}
		if err := info.Claims(&profile); err != nil || profile.Name != "bob" || info.Email != "bob@example.com" || len(profile.Groups) != 2 {
			t.Errorf("userinfo %+v %s, %v", profile, info.Email, err)
		}
		fresh, err := rp.oauth.TokenSource(rp.ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
		if err != nil || fresh.RefreshToken == token.RefreshToken {
			t.Fatalf("refresh: %v, or the refresh token was not rotated", err)
		}
		signOut(t, s, b, token)
		if _, err := rp.oauth.TokenSource(rp.ctx, &oauth2.Token{RefreshToken: fresh.RefreshToken}).Token(); err == nil {
			t.Error("a refresh token outlived its session")
		}
		if _, err := rp.provider.UserInfo(rp.ctx, oauth2.StaticTokenSource(token)); err == nil {
			t.Error("userinfo answers for a session that has ended")
		}
	})
}

// signOut is RP-initiated logout with an ID token hint: no question is asked.
func signOut(t *testing.T, s *idptest.Server, b *idptest.Browser, token *oauth2.Token) {
	t.Helper()
	hint, _ := token.Extra("id_token").(string)
	q := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"http://wiki.localhost/"}, "state": {"s"}}
	p := b.Get("/end_session?" + q.Encode())
	if p.Location == nil || p.Location.String() != "http://wiki.localhost/?state=s" {
		t.Errorf("end_session: %d to %v, want back to the site with its state", p.StatusCode, p.Location)
	}
}

func TestAuthorizationRequestPostedFromAnotherSite(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	b := s.Browser(t)
	auth := idptest.Wiki()
	auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword))
	// Lax cookies do not travel with a cross-site POST; the answer's GET has them.
	again := idptest.Wiki()
	stranger := s.Browser(t)
	p := stranger.Once("POST", "/authorize", again.Query, http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"http://wiki.localhost"}})
	if p.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d, want 303 to a GET", p.StatusCode)
	}
	again.Code(t, s, b.Get(p.Header.Get("Location")))
}

// two starts two nodes on one PostgreSQL.
func two(t *testing.T) [2]*idptest.Server {
	t.Helper()
	database := storetest.Postgres(t)
	one := idptest.Start(t, idptest.Options{Database: database})
	other := idptest.Start(t, idptest.Options{Database: database, KeyFile: one.Dir + "/idp.key"})
	return [2]*idptest.Server{one, other}
}

func TestOneCodeHasOneWinnerOnTwoNodes(t *testing.T) {
	t.Parallel()
	nodes := two(t)
	b := nodes[0].Browser(t)
	client := &http.Client{Transport: idptest.Transport()}
	page := b.LogIn(b.Get(idptest.Wiki().URL()), "bob", idptest.BobPassword)
	if page.Location == nil {
		t.Fatal("bob cannot log in")
	}
	for range 5 {
		auth := idptest.Wiki()
		code := auth.Code(t, nodes[0], b.Get(auth.URL()))
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				if status, _ := postToken(t, client, nodes[i%2], url.Values{"grant_type": {"authorization_code"}, "code": {code},
					"redirect_uri": {"http://wiki.localhost/callback"}, "code_verifier": {auth.Verifier}}); status == http.StatusOK {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 64 redeemed one code, want 1", won.Load())
		}
	}
}

func postToken(t *testing.T, client *http.Client, s *idptest.Server, form url.Values) (int, map[string]any) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("wiki", idptest.WikiSecret)
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer resp.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Errorf("the token endpoint's answer is no JSON: %v", err)
	}
	if resp.Header.Get("Cache-Control") != "no-store" {
		t.Error("the token endpoint's answer may be stored")
	}
	return resp.StatusCode, body
}

func TestASessionOfOneNodeIsKnownAtTheOther(t *testing.T) {
	t.Parallel()
	nodes := two(t)
	b := nodes[0].Browser(t)
	b.LogIn(b.Get("/login"), "bob", idptest.BobPassword)
	cookies := ""
	for _, c := range b.Cookies() {
		cookies += c.Name + "=" + c.Value + "; "
	}
	p := nodes[1].Browser(t).Once("GET", "/account", nil, http.Header{"Cookie": {strings.TrimSuffix(cookies, "; ")}})
	if p.StatusCode != http.StatusOK || !strings.Contains(p.Body, "bob@example.com") {
		t.Errorf("%d, want bob's account", p.StatusCode)
	}
}

func TestUserOutsideAllowGroupsIsNeverSentToLogInAgain(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	b := s.Browser(t)
	auth := idptest.NewAuth("finance", "http://finance.localhost/callback")
	p := b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)
	if p.StatusCode != http.StatusForbidden || p.Location != nil || !strings.Contains(p.Body, "Use another account") {
		t.Fatalf("%d %v, want a 403 page with a way on", p.StatusCode, p.Location)
	}
	auth.Query.Set("prompt", "none")
	if q := b.Get(auth.URL()); q.Location == nil || q.Location.Query().Get("error") != "access_denied" {
		t.Errorf("prompt=none: %v, want access_denied", q.Location)
	}
}

func TestErrorsStayOnAPageUntilTheRedirectURIIsProven(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	for name, c := range map[string]struct {
		change func(url.Values)
		error  string // at the relying party; empty: a page
	}{
		"unknown client":      {func(q url.Values) { q.Set("client_id", "nobody") }, ""},
		"no client":           {func(q url.Values) { q.Del("client_id") }, ""},
		"unregistered URI":    {func(q url.Values) { q.Set("redirect_uri", "http://wiki.localhost/callback/../evil") }, ""},
		"URI with userinfo":   {func(q url.Values) { q.Set("redirect_uri", "http://wiki.localhost@evil.example/callback") }, ""},
		"doubled URI":         {func(q url.Values) { q.Add("redirect_uri", "http://wiki.localhost/callback") }, ""},
		"doubled state":       {func(q url.Values) { q.Add("state", "another") }, "invalid_request"},
		"no PKCE":             {func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method") }, "invalid_request"},
		"PKCE plain":          {func(q url.Values) { q.Set("code_challenge_method", "plain") }, "invalid_request"},
		"implicit":            {func(q url.Values) { q.Set("response_type", "token") }, "unsupported_response_type"},
		"request object":      {func(q url.Values) { q.Set("request", "e30.e30.") }, "request_not_supported"},
		"foreign request_uri": {func(q url.Values) { q.Set("request_uri", "https://evil.example/r") }, "request_uri_not_supported"},
		"prompt=none":         {func(q url.Values) { q.Set("prompt", "none") }, "login_required"},
		"none and login":      {func(q url.Values) { q.Set("prompt", "none login") }, "invalid_request"},
		"long nonce":          {func(q url.Values) { q.Set("nonce", strings.Repeat("n", 3000)) }, "invalid_request"},
		"max_age":             {func(q url.Values) { q.Set("max_age", "soon") }, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			auth := idptest.Wiki()
			c.change(auth.Query)
			p := s.Browser(t).Get(auth.URL())
			if c.error == "" {
				if p.StatusCode != http.StatusBadRequest || p.Location != nil {
					t.Errorf("%d to %v, want a page with status 400", p.StatusCode, p.Location)
				}
				return
			}
			if p.Location == nil || p.Location.Host != "wiki.localhost" || p.Location.Query().Get("error") != c.error || p.Location.Query().Get("iss") != s.Issuer {
				t.Errorf("%d to %v, want error=%s and iss at the relying party", p.StatusCode, p.Location, c.error)
			}
		})
	}
}

func TestANewPasswordEndsWhatTheOldOneGave(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{}, func(t *testing.T, s *idptest.Server) {
		rp := newRelyingParty(t, s, "wiki", idptest.WikiSecret, "http://wiki.localhost/callback")
		b := s.Browser(t)
		auth := idptest.Wiki()
		token, err := rp.oauth.Exchange(rp.ctx, auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)), oauth2.VerifierOption(auth.Verifier))
		if err != nil {
			t.Fatal(err)
		}
		if err := server.SetPassword(t.Context(), s.Store(), s.User("bob"), "another good password", "test"); err != nil {
			t.Fatal(err)
		}
		if p := b.Get(idptest.Wiki().URL()); p.Location != nil {
			t.Error("the session goes on")
		}
		if _, err := rp.oauth.TokenSource(rp.ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil {
			t.Error("the refresh token goes on")
		}
	})
}

func TestHEADGivesNoCode(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	b := s.Browser(t)
	auth := idptest.Wiki()
	auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword))
	if p := b.Once("HEAD", idptest.Wiki().URL(), nil, nil); p.StatusCode != http.StatusMethodNotAllowed || p.Header.Get("Location") != "" {
		t.Errorf("%d to %q, want 405", p.StatusCode, p.Header.Get("Location"))
	}
}

// Pushed, answered by a form, with a claim and a resource of its own: all of it
// from the configuration file, on both databases.
func TestPushedRequestIsAnsweredByAForm(t *testing.T) {
	t.Parallel()
	const ledger = "https://ledger.example.com"
	options := idptest.Options{YAML: "resources:\n  - {uri: " + ledger + ", access_token_alg: RS256}\n"}
	idptest.Each(t, options, func(t *testing.T, s *idptest.Server) {
		rp := newRelyingParty(t, s, "wiki", idptest.WikiSecret, "http://wiki.localhost/callback")
		auth := idptest.Wiki()
		auth.Query.Set("response_mode", "form_post")
		auth.Query.Set("claims", `{"id_token":{"email":null}}`)
		auth.Query["resource"] = []string{s.Issuer, ledger}
		pushed := s.Program(t).Once("POST", "/par", auth.Query, http.Header{"Authorization": {idptest.Basic("wiki", idptest.WikiSecret)}})
		var answer struct {
			RequestURI string `json:"request_uri"`
		}
		if err := json.Unmarshal([]byte(pushed.Body), &answer); err != nil || pushed.StatusCode != http.StatusCreated {
			t.Fatalf("pushing: %d %s", pushed.StatusCode, pushed.Body)
		}
		b := s.Browser(t)
		target := "/authorize?" + url.Values{"client_id": {"wiki"}, "request_uri": {answer.RequestURI}}.Encode()
		action, fields := b.LogIn(b.Get(target), "bob", idptest.BobPassword).Form(t, "code")
		if action != "http://wiki.localhost/callback" || fields.Get("state") != auth.Query.Get("state") || fields.Get("iss") != s.Issuer {
			t.Errorf("a form to %q with %v", action, fields)
		}
		if again := b.Get(target); again.StatusCode != http.StatusBadRequest {
			t.Errorf("the request again: %d", again.StatusCode)
		}
		token, err := rp.oauth.Exchange(rp.ctx, fields.Get("code"), oauth2.VerifierOption(auth.Verifier), oauth2.SetAuthURLParam("resource", ledger))
		if err != nil {
			t.Fatal(err)
		}
		if claims := rp.claims(t, token, auth.Query.Get("nonce")); claims["email"] != "bob@example.com" || claims["name"] != nil {
			t.Errorf("ID token's claims: %v", claims)
		}
		access, err := rp.provider.Verifier(&oidc.Config{ClientID: ledger, SupportedSigningAlgs: []string{"RS256"}}).Verify(rp.ctx, token.AccessToken)
		if err != nil || access.Subject != s.User("bob").ID {
			t.Errorf("access token: %v", err)
		}
	})
}
