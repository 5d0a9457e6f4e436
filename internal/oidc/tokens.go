package oidc

import (
	"cmp"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
)

// tokens is what a token response is made of.
type tokens struct {
	client   *store.Client
	grant    *store.Grant // nil: the client acts for itself
	user     *store.User  // set where the ID token holds claims about the user
	scope    string       // of this response; part of the grant's
	nonce    string
	audience string        // of the access token: a resource, or empty for this issuer
	refresh  secret.String // empty: none
	jkt      string        // the DPoP key the access token is bound to; empty: a bearer token
}

// tokenResponse signs the tokens and writes the response (RFC 6749 §5.1, OIDC
// Core §3.1.3.3).
func (p *Provider) tokenResponse(t tokens) ([]byte, error) {
	now := p.Now()
	access, err := p.accessToken(t, now)
	if err != nil {
		return nil, err
	}
	o := wire.NewObject(2048)
	o.Text("access_token", access)
	o.Text("token_type", tokenType(t.jkt))
	o.Number("expires_in", int64(p.Lifetimes.AccessToken/time.Second))
	o.Text("refresh_token", t.refresh.Reveal())
	o.Text("scope", t.scope)
	if t.grant != nil && clients.HasScope(t.scope, protocol.ScopeOpenID) {
		id, err := p.idToken(t, access, now)
		if err != nil {
			return nil, err
		}
		o.Text("id_token", id)
	}
	return o.Close(), nil
}

// accessToken makes an RFC 9068 JWT. Its audience is this issuer, whose userinfo
// it opens, or the resource that was asked for; grant is the row that can revoke
// it. A client that acts for itself is its own subject (RFC 9068 §2.2). Groups
// (§2.2.3.1) are not in it: which of them somebody may see is said of each client,
// and of no resource.
func (p *Provider) accessToken(t tokens, now time.Time) (string, error) {
	o := wire.NewObject(640)
	o.Text("iss", p.Issuer)
	subject := t.client.ClientID
	if t.grant != nil {
		subject = t.grant.UserID
	}
	o.Text("sub", subject)
	audience := cmp.Or(t.audience, p.Issuer)
	o.Text("aud", audience)
	o.Text("client_id", t.client.ClientID)
	o.Number("exp", now.Add(p.Lifetimes.AccessToken).Unix())
	o.Number("iat", now.Unix())
	o.Text("jti", secret.ID())
	o.Text("scope", t.scope)
	if t.grant != nil {
		appendLogin(&o, t.grant)
		o.Text("grant", t.grant.ID)
	}
	o.Confirmation(t.jkt)
	alg, ok := p.signingAlg(t.client, audience)
	if !ok {
		return "", invalidTarget("the resource is unknown, or not for this client")
	}
	return p.Keys.Sign(alg, keys.TypeAccessToken, o.Close())
}

// tokenType: RFC 6750 §6.1.1 or RFC 9449 §5.
func tokenType(jkt string) string {
	if jkt != "" {
		return tokenTypeDPoP
	}
	return protocol.BearerToken
}

// idToken makes the ID token (OIDC Core §2).
func (p *Provider) idToken(t tokens, access string, now time.Time) (string, error) {
	o := wire.NewObject(768)
	o.Text("iss", p.Issuer)
	o.Text("sub", t.grant.UserID)
	o.Text("aud", t.client.ClientID)
	o.Number("exp", now.Add(p.Lifetimes.IDToken).Unix())
	o.Number("iat", now.Unix())
	o.Text("nonce", t.nonce)
	appendLogin(&o, t.grant)
	o.Text("at_hash", keys.HalfHash(clients.IDTokenAlg(t.client), access))
	if t.user != nil {
		if err := p.appendAsked(&o, t); err != nil {
			return "", err
		}
	}
	return p.Keys.Sign(clients.IDTokenAlg(t.client), keys.TypeIDToken, o.Close())
}

// appendAsked adds the claims about the user that belong into the ID token: those
// asked for one by one, and for clients that read nothing else the scope's.
func (p *Provider) appendAsked(o *wire.Object, t tokens) error {
	asked, err := readAskedClaims(t.grant.Claims)
	scope := ""
	if t.client.ClaimsInIDToken {
		scope = t.scope
	}
	p.appendUser(o, t.user, t.client, scope, asked.IDToken)
	return err
}

// appendLogin adds how and when the user logged in, and in which session.
func appendLogin(o *wire.Object, g *store.Grant) {
	o.Time("auth_time", g.AuthTime)
	o.Text("acr", g.ACR)
	if len(g.AMR) > 0 {
		o.List("amr", g.AMR)
	}
	o.Text("sid", g.SessionID)
}
