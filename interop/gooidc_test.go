//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// goOIDC is a site of go-oidc and x/oauth2. The sites of the demo are others of
// the kind; this one refreshes, and does not look at iss.
func goOIDC(t *testing.T, idp *binary, r *registration) { t.Helper(); newGoOIDC(t, idp, r) }

func newGoOIDC(t *testing.T, idp *binary, r *registration) *goOIDCSite {
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
	site := &goSite{begin: http.HandlerFunc(g.begin), finish: http.HandlerFunc(g.finish), refresh: g.refresh, signOut: g.signOut, device: g.device}
	site.serve(t, r)
	return g
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

// device: x/oauth2 asks once in the interval that it was told.
func (g *goOIDCSite) device(ctx context.Context) (any, answered, error) {
	shown, err := g.oauth.DeviceAuth(oidc.ClientContext(ctx, g.http))
	return shown, func(ctx context.Context) (any, error) {
		tokens, err := g.oauth.DeviceAccessToken(oidc.ClientContext(ctx, g.http), shown)
		if err != nil {
			return nil, err
		}
		return g.learned(ctx, tokens, "")
	}, err
}

func TestGoOIDC(t *testing.T) { everyMethod(t, goOIDC) }

func TestGoOIDCRefusals(t *testing.T) { refusals(t, goOIDC, register) }

// The library verifies a userinfo answer that is signed, and a logout token (OIDC
// Back-Channel Logout §2.6), whose sid and events are for the site to look at.
func TestGoOIDCVerifiesWhatIsSigned(t *testing.T) {
	r := register(t, registration{ID: "site", Method: "client_secret_basic", Alg: "PS256"})
	logouts := make(chan string, 1)
	back := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		logouts <- req.PostFormValue("logout_token")
	}))
	t.Cleanup(back.Close)
	r.Meta = map[string]any{"backchannel_logout_uri": back.URL, "userinfo_signed_response_alg": "ES256"}
	idp := openFor(t, "", r)
	g := newGoOIDC(t, idp, r)
	v := newVisitor(t, idp)
	w := reads[told](t, bobLogsIn(v, r), http.StatusOK)
	w.isBob(t, idp, r)
	v.submit(v.open(idp.Issuer+"/end_session"), "form_token", nil)

	var raw string
	select {
	case raw = <-logouts:
	case <-time.After(patience):
		t.Fatal("no logout token has come")
	}
	token, err := g.provider.Verifier(&oidc.Config{ClientID: r.ID}).Verify(oidc.ClientContext(t.Context(), g.http), raw)
	must(t, err)
	var claims struct {
		Sid    string                    `json:"sid"`
		Events map[string]map[string]any `json:"events"`
	}
	must(t, token.Claims(&claims))
	if claims.Sid == "" || claims.Sid != w.claims(t).Sid || claims.Events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		t.Errorf("logout token %+v, want one for the session of %+v", claims, w.claims(t))
	}
}

func TestGoOIDCOnADevice(t *testing.T) { onADevice(t, goOIDC) }
