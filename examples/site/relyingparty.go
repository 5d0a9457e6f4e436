package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// relyingParty is this site as a client of the provider. It is safe for
// concurrent use.
type relyingParty struct {
	issuer     string
	provider   *oidc.Provider
	verifier   *oidc.IDTokenVerifier
	oauth      oauth2.Config
	endSession string       // the provider's end_session_endpoint
	signedOut  string       // where people return to after signing out
	http       *http.Client // for discovery, JWKS, token and userinfo
}

// newRelyingParty reads everything else about the provider by discovery (OIDC
// Discovery 1.0 §4): nothing but the issuer and the credentials is configured.
func newRelyingParty(ctx context.Context, issuer, clientID, clientSecret string, site *url.URL) (*relyingParty, error) {
	r := &relyingParty{
		issuer:    issuer,
		signedOut: site.JoinPath("/signed-out").String(),
		http:      &http.Client{Timeout: 10 * time.Second, Transport: localhostTransport()},
	}
	var err error
	if r.provider, err = oidc.NewProvider(r.context(ctx), issuer); err != nil {
		return nil, err
	}
	var more struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := r.provider.Claims(&more); err != nil {
		return nil, err
	}
	r.endSession = more.EndSession
	r.verifier = r.provider.Verifier(&oidc.Config{ClientID: clientID}) // signature by JWKS; iss, aud, exp
	r.oauth = oauth2.Config{
		ClientID: clientID, ClientSecret: clientSecret, Endpoint: r.provider.Endpoint(),
		RedirectURL: site.JoinPath("/callback").String(),
		Scopes:      []string{oidc.ScopeOpenID, "profile", "email", "groups"},
	}
	// Without this, x/oauth2 tries both ways, and a code can be tried once only.
	r.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return r, nil
}

// context carries the HTTP client to both libraries.
func (r *relyingParty) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, r.http)
}

// attempt is one login under way: what the site must remember between sending
// the browser to the provider and getting it back.
type attempt struct {
	state    string // ties the answer to this browser: RFC 6749 §10.12
	nonce    string // ties the ID token to this attempt: OIDC Core §3.1.2.1
	verifier string // ties the code to this site: PKCE, RFC 7636
}

// begin makes a new attempt and the address to send the browser to.
func (r *relyingParty) begin() (attempt, string) {
	a := attempt{state: randomText(), nonce: randomText(), verifier: oauth2.GenerateVerifier()}
	return a, r.oauth.AuthCodeURL(a.state, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier))
}

// identity is who logged in.
type identity struct {
	Site     string          `json:"site"`
	IDToken  json.RawMessage `json:"id_token"` // verified claims
	UserInfo json.RawMessage `json:"userinfo"` // claims of the userinfo endpoint
	Name     string          `json:"name"`     // to show: full name, else user name, else subject
	raw      string          // the ID token itself, for sign-out
}

// refusal is an error answer of the provider (RFC 6749 §4.1.2.1): access_denied
// and the like. Code comes from the network and is only ever shown escaped.
type refusal struct{ Code string }

func (e *refusal) Error() string { return "the provider answered " + e.Code }

// finish checks the provider's answer, redeems the code and verifies the ID token.
func (r *relyingParty) finish(ctx context.Context, a attempt, answer url.Values) (*identity, error) {
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(a.state)) != 1 {
		return nil, errors.New("the state is not the one this browser was sent with")
	}
	if iss := answer.Get("iss"); iss != r.issuer { // RFC 9207 §2.4: no mix-up with another provider
		return nil, fmt.Errorf("the answer comes from %q", iss)
	}
	if code := answer.Get("error"); code != "" {
		return nil, &refusal{code}
	}
	ctx = r.context(ctx)
	tokens, err := r.oauth.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(a.verifier))
	if err != nil {
		return nil, fmt.Errorf("redeeming the code: %w", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	idToken, err := r.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("the ID token: %w", err)
	}
	if idToken.Nonce != a.nonce || idToken.Subject == "" {
		return nil, errors.New("the ID token belongs to another login")
	}
	return r.identify(ctx, raw, idToken, tokens)
}

// identify adds what the userinfo endpoint says about the subject.
func (r *relyingParty) identify(ctx context.Context, raw string, idToken *oidc.IDToken, tokens *oauth2.Token) (*identity, error) {
	info, err := r.provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	if info.Subject != idToken.Subject { // OIDC Core §5.3.2: else it is about somebody else
		return nil, errors.New("userinfo speaks of another subject than the ID token")
	}
	who := &identity{raw: raw}
	if err := errors.Join(idToken.Claims(&who.IDToken), info.Claims(&who.UserInfo)); err != nil {
		return nil, err
	}
	var names struct {
		Name              string `json:"name"`
		PreferredUsername string `json:"preferred_username"`
	}
	if err := info.Claims(&names); err != nil {
		return nil, err
	}
	who.Name = idToken.Subject
	for _, name := range []string{names.PreferredUsername, names.Name} {
		if name != "" {
			who.Name = name
		}
	}
	return who, nil
}

// signOut is where to send the browser to end the session at the provider too
// (OIDC RP-Initiated Logout 1.0 §2).
func (r *relyingParty) signOut(who *identity) string {
	if r.endSession == "" {
		return r.signedOut
	}
	return r.endSession + "?" + url.Values{
		"id_token_hint":            {who.raw},
		"post_logout_redirect_uri": {r.signedOut},
	}.Encode()
}
