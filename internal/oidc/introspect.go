package oidc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/standing"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/user"
	"idp/internal/web"
)

// inactive is all that anybody learns of a token that is not good, not theirs, or
// no token at all (RFC 7662 §2.2).
var inactive = []byte(`{"active":false}`)

// notActive is why a token is not active for who asks: for the log, and never told.
type notActive string

// Error implements error.
func (n notActive) Error() string { return string(n) }

// ServeIntrospect answers the introspection endpoint (RFC 7662) for confidential
// clients, about tokens they were given or are the audience of.
func (p *Provider) ServeIntrospect(w http.ResponseWriter, r *http.Request) error {
	client, ps, err := p.auth.FromClient(r, clientauth.Endpoint{Path: pathIntrospect})
	if err != nil {
		return err
	}
	if client.Public() {
		return wire.InvalidClient("a public client cannot prove who it is")
	}
	token, err := ps.Need("token")
	if err != nil {
		return err
	}
	body, err := p.introspect(r.Context(), client, token)
	var why notActive
	switch {
	case errors.As(err, &why):
		web.InfoFrom(r.Context()).Detail = "inactive: " + string(why)
		body, err = inactive, nil
	case errors.Is(err, user.ErrDisabled):
		web.InfoFrom(r.Context()).Detail = "inactive: " + err.Error()
		body, err = inactive, nil
	case errors.Is(err, store.ErrNotFound):
		web.InfoFrom(r.Context()).Detail = "inactive: it is revoked, its user is disabled, or its session is over"
		body, err = inactive, nil
	}
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, body)
	return nil
}

// introspect tells the kinds of token apart by their form, so that
// token_type_hint is not needed (RFC 7662 §2.1). notActive and store.ErrNotFound:
// inactive.
func (p *Provider) introspect(ctx context.Context, client *store.Client, token string) ([]byte, error) {
	if !strings.Contains(token, ".") {
		return p.introspectRefresh(ctx, client, secret.String(token))
	}
	c, err := p.tokens.ReadAccess(token)
	if err != nil {
		return nil, notActive(err.Error())
	}
	// A client that calls itself as we do is not the audience of tokens for us.
	audience := c.Audience == client.ClientID && client.ClientID != p.Issuer
	if c.ClientID != client.ClientID && !audience {
		return nil, notActive("it was given to client_id " + web.Quote(c.ClientID) + " for " + web.Quote(c.Audience) + ", and is not for this client")
	}
	now, err := p.standing.OfToken(ctx, c)
	if err != nil {
		return nil, err
	}
	username, err := p.username(client, now)
	if err != nil {
		return nil, err
	}
	o := wire.NewObject(640)
	o.Boolean("active", true)
	o.Text("token_type", wire.TokenType(c.Confirmation.JKT))
	o.Text("iss", c.Issuer)
	o.Text("sub", c.Subject)
	o.Text("aud", c.Audience)
	o.Text("client_id", c.ClientID)
	o.Text("scope", now.Scope)
	o.Text("username", username)
	o.Number("exp", c.Expires)
	o.Number("iat", c.IssuedAt)
	o.Text("jti", c.ID)
	o.Time("auth_time", c.AuthTime*1000)
	o.Text("acr", c.ACR)
	o.List("amr", c.AMR)
	o.Text("sid", c.SessionID)
	tokens.AppendActor(&o, c.Act)
	o.Confirmation(c.Confirmation.JKT)
	return o.Close(), nil
}

// introspectRefresh: of a family only the current token is active.
func (p *Provider) introspectRefresh(ctx context.Context, client *store.Client, token secret.String) ([]byte, error) {
	id, generation, err := p.tokens.DecodeRefresh(token)
	if err != nil {
		return nil, notActive("not a token of ours")
	}
	family, err := p.Store.RefreshFamily(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case family.ClientID != client.ClientID:
		return nil, notActive("it is a refresh token of client_id " + web.Quote(family.ClientID))
	case family.RevokedAt != 0:
		return nil, notActive("it is a revoked refresh token")
	case family.Generation != generation:
		return nil, notActive("it is a refresh token that another one has replaced")
	case min(family.ExpiresAt, family.IdleExpiresAt) <= p.Now().UnixMilli():
		return nil, notActive("it is an expired refresh token")
	}
	now, err := p.standing.OfRefresh(ctx, client, family.GrantID)
	if err != nil {
		return nil, err
	}
	username, err := p.username(client, now)
	if err != nil {
		return nil, err
	}
	o := wire.NewObject(512)
	o.Boolean("active", true)
	o.Text("iss", p.Issuer)
	o.Text("sub", now.Grant.UserID)
	o.Text("client_id", now.Grant.ClientID)
	o.Text("scope", now.Scope)
	o.Text("username", username)
	o.Time("exp", min(family.ExpiresAt, family.IdleExpiresAt))
	o.Time("iat", family.RotatedAt)
	tokens.AppendLogin(&o, now.Grant)
	o.Text("sid", now.Grant.SessionID)
	o.Confirmation(now.Grant.JKT)
	return o.Close(), nil
}

// username is what a client that asks learns of a token's user: the name as it
// knows people, where whoever got the token has it too (preferred_username, of the
// scope profile or by itself). Empty: nothing, and of a client's own token.
func (p *Provider) username(asks *store.Client, of *standing.State) (string, error) {
	if of.User == nil {
		return "", nil
	}
	if of.Exchanged { // its scope is another's
		if !tokens.TellsName(of.Giver, of.Grant) {
			return "", nil
		}
		return p.tokens.Username(asks, of.User), nil
	}
	asked, err := tokens.ReadAskedClaims(of.Grant.Claims)
	if err != nil || !tokens.Tells(of.Client, of.Scope, slices.Concat(asked.IDToken, asked.Userinfo), "preferred_username") {
		return "", err
	}
	return p.tokens.Username(asks, of.User), nil
}
