//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// goOIDC is a site of go-oidc and x/oauth2. The sites of the demo are others of
// the kind; this one refreshes, and does not look at iss.
func goOIDC(t *testing.T, idp *binary, r *registration) {
	t.Helper()
	g := &goOIDCSite{http: idp.client(t), registration: r}
	provider, err := oidc.NewProvider(oidc.ClientContext(t.Context(), g.http), idp.Issuer)
	must(t, err)
	var more struct {
		EndSession string `json:"end_session_endpoint"`
	}
	must(t, provider.Claims(&more))
	g.provider, g.endSession = provider, more.EndSession
	g.oauth = oauth2.Config{ClientID: r.ID, ClientSecret: r.Secret, Endpoint: provider.Endpoint(), RedirectURL: r.redirectURI(), Scopes: scopes}
	g.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if r.Method != "client_secret_basic" {
		g.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	site := &goSite{begin: http.HandlerFunc(g.begin), finish: http.HandlerFunc(g.finish), refresh: g.refresh, signOut: g.signOut}
	site.serve(t, r)
}

type goOIDCSite struct {
	registration *registration
	http         *http.Client
	provider     *oidc.Provider
	oauth        oauth2.Config
	endSession   string

	state, nonce, verifier string // of the login under way
	tokens                 *oauth2.Token
}

func (g *goOIDCSite) begin(w http.ResponseWriter, r *http.Request) {
	g.state, g.nonce, g.verifier = oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	http.Redirect(w, r, g.oauth.AuthCodeURL(g.state, oidc.Nonce(g.nonce), oauth2.S256ChallengeOption(g.verifier)), http.StatusSeeOther)
}

func (g *goOIDCSite) finish(w http.ResponseWriter, r *http.Request) {
	what, err := g.redeem(r.Context(), r.URL.Query())
	tell(w, what, err)
}

func (g *goOIDCSite) redeem(ctx context.Context, answer url.Values) (any, error) {
	if code := answer.Get("error"); code != "" || answer.Get("state") != g.state {
		return nil, fmt.Errorf("answer %q to state %q", answer, g.state)
	}
	tokens, err := g.oauth.Exchange(oidc.ClientContext(ctx, g.http), answer.Get("code"), oauth2.VerifierOption(g.verifier))
	if err != nil {
		return nil, err
	}
	return g.learned(ctx, tokens, g.nonce)
}

// learned verifies the ID token and asks userinfo.
func (g *goOIDCSite) learned(ctx context.Context, tokens *oauth2.Token, nonce string) (any, error) {
	g.tokens = tokens
	ctx = oidc.ClientContext(ctx, g.http)
	raw, _ := tokens.Extra("id_token").(string)
	id, err := g.provider.Verifier(&oidc.Config{ClientID: g.registration.ID}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if id.Nonce != nonce {
		return nil, fmt.Errorf("nonce %q, want %q", id.Nonce, nonce)
	}
	if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
		return nil, err
	}
	info, err := g.provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	if err := info.Claims(&claims); err != nil {
		return nil, err
	}
	return map[string]any{"id_token": raw, "access_token": tokens.AccessToken, "userinfo": claims}, nil
}

// refresh: the token of a refresh has no nonce, or the login's (OIDC Core §12.2).
func (g *goOIDCSite) refresh(ctx context.Context) (any, error) {
	tokens, err := g.oauth.TokenSource(oidc.ClientContext(ctx, g.http), &oauth2.Token{RefreshToken: g.tokens.RefreshToken}).Token()
	if err != nil {
		return nil, err
	}
	return g.learned(ctx, tokens, "")
}

func (g *goOIDCSite) signOut(context.Context) (string, error) {
	raw, _ := g.tokens.Extra("id_token").(string)
	q := url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {g.registration.URL + "/signed-out"}, "state": {"bye"}}
	return g.endSession + "?" + q.Encode(), nil
}

func TestGoOIDC(t *testing.T) { everyMethod(t, goOIDC) }

func TestGoOIDCRefusals(t *testing.T) { refusals(t, goOIDC, register) }
