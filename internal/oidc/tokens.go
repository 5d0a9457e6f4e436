package oidc

import (
	"cmp"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
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
	o := newObject(2048)
	o.text("access_token", access)
	o.text("token_type", tokenType(t.jkt))
	o.number("expires_in", int64(p.Lifetimes.AccessToken/time.Second))
	o.text("refresh_token", t.refresh.Reveal())
	o.text("scope", t.scope)
	if t.grant != nil && clients.HasScope(t.scope, protocol.ScopeOpenID) {
		id, err := p.idToken(t, access, now)
		if err != nil {
			return nil, err
		}
		o.text("id_token", id)
	}
	return o.close(), nil
}

// accessToken makes an RFC 9068 JWT. Its audience is this issuer, whose userinfo
// it opens, or the resource that was asked for; grant is the row that can revoke
// it. A client that acts for itself is its own subject (RFC 9068 §2.2). Groups
// (§2.2.3.1) are not in it: which of them somebody may see is said of each client,
// and of no resource.
func (p *Provider) accessToken(t tokens, now time.Time) (string, error) {
	o := newObject(640)
	o.text("iss", p.Issuer)
	subject := t.client.ClientID
	if t.grant != nil {
		subject = t.grant.UserID
	}
	o.text("sub", subject)
	audience := cmp.Or(t.audience, p.Issuer)
	o.text("aud", audience)
	o.text("client_id", t.client.ClientID)
	o.number("exp", now.Add(p.Lifetimes.AccessToken).Unix())
	o.number("iat", now.Unix())
	o.text("jti", secret.ID())
	o.text("scope", t.scope)
	if t.grant != nil {
		appendLogin(&o, t.grant)
		o.text("sid", t.grant.SessionID)
		o.text("grant", t.grant.ID)
	}
	o.confirmation(t.jkt)
	alg, ok := p.signingAlg(t.client, audience)
	if !ok {
		return "", invalidTarget("the resource is unknown, or not for this client")
	}
	return p.Keys.Sign(alg, keys.TypeAccessToken, o.close())
}

// tokenType: RFC 6750 §6.1.1 or RFC 9449 §5.
func tokenType(jkt string) string {
	if jkt != "" {
		return tokenTypeDPoP
	}
	return protocol.BearerToken
}

// confirmation adds the key that a token is bound to (RFC 9449 §6.1), if any.
func (o *object) confirmation(jkt string) {
	if jkt != "" {
		cnf := newObject(64)
		cnf.text("jkt", jkt)
		o.raw("cnf", cnf.close())
	}
}

// idToken makes the ID token (OIDC Core §2).
func (p *Provider) idToken(t tokens, access string, now time.Time) (string, error) {
	o := newObject(768)
	o.text("iss", p.Issuer)
	o.text("sub", t.grant.UserID)
	o.text("aud", t.client.ClientID)
	o.number("exp", now.Add(p.Lifetimes.IDToken).Unix())
	o.number("iat", now.Unix())
	o.text("nonce", t.nonce)
	appendLogin(&o, t.grant)
	if clients.TakesPartInLogout(t.client) {
		o.text("sid", t.grant.SessionID)
	}
	o.text("at_hash", keys.HalfHash(clients.IDTokenAlg(t.client), access))
	if t.user != nil {
		if err := p.appendAsked(&o, t); err != nil {
			return "", err
		}
	}
	return p.Keys.Sign(clients.IDTokenAlg(t.client), keys.TypeIDToken, o.close())
}

// appendAsked adds the claims about the user that belong into the ID token: those
// asked for one by one, and for clients that read nothing else the scope's.
func (p *Provider) appendAsked(o *object, t tokens) error {
	asked, err := readAskedClaims(t.grant.Claims)
	scope := ""
	if t.client.ClaimsInIDToken {
		scope = t.scope
	}
	p.appendUser(o, t.user, t.client, scope, asked.IDToken)
	return err
}

// appendLogin adds how and when the user logged in.
func appendLogin(o *object, g *store.Grant) {
	o.time("auth_time", g.AuthTime)
	o.text("acr", g.ACR)
	if len(g.AMR) > 0 {
		o.list("amr", g.AMR)
	}
}
