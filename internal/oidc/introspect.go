package oidc

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"idp/internal/secret"
	"idp/internal/store"
)

// inactive is all that anybody learns of a token that is not good, not theirs, or
// no token at all (RFC 7662 §2.2).
var inactive = []byte(`{"active":false}`)

// ServeIntrospect answers the introspection endpoint (RFC 7662) for confidential
// clients, about tokens they were given or are the audience of.
func (p *Provider) ServeIntrospect(w http.ResponseWriter, r *http.Request) error {
	client, ps, err := p.fromClient(r)
	if err != nil {
		return err
	}
	if client.Public() {
		return invalidClient("a public client cannot prove who it is")
	}
	token, err := ps.need("token")
	if err != nil {
		return err
	}
	body, err := p.introspect(r.Context(), client, token)
	if errors.Is(err, store.ErrNotFound) {
		body, err = inactive, nil
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, body)
	return nil
}

// introspect tells the kinds of token apart by their form, so that
// token_type_hint is not needed (RFC 7662 §2.1). store.ErrNotFound: inactive.
func (p *Provider) introspect(ctx context.Context, client *store.Client, token string) ([]byte, error) {
	if !strings.Contains(token, ".") {
		return p.introspectRefresh(ctx, client, secret.String(token))
	}
	c, err := p.readAccessToken(token)
	if err != nil {
		return nil, store.ErrNotFound
	}
	// A client that calls itself as we do is not the audience of tokens for us.
	audience := c.Audience == client.ClientID && client.ClientID != p.Issuer
	if c.ClientID != client.ClientID && !audience {
		return nil, store.ErrNotFound
	}
	_, user, err := p.tokenState(ctx, c)
	if err != nil {
		return nil, err
	}
	o := newObject(640)
	o.boolean("active", true)
	o.text("token_type", tokenType(c.Confirmation.JKT))
	o.text("iss", c.Issuer)
	o.text("sub", c.Subject)
	o.text("aud", c.Audience)
	o.text("client_id", c.ClientID)
	o.text("scope", c.Scope)
	if user != nil {
		o.text("username", preferredUsername(client.PreferredUsername, user.Name, p.Realm))
	}
	o.number("exp", c.Expires)
	o.number("iat", c.IssuedAt)
	o.text("jti", c.ID)
	o.time("auth_time", c.AuthTime*1000)
	o.text("acr", c.ACR)
	o.list("amr", c.AMR)
	o.text("sid", c.SessionID)
	o.confirmation(c.Confirmation.JKT)
	return o.close(), nil
}

// introspectRefresh: of a family only the current token is active.
func (p *Provider) introspectRefresh(ctx context.Context, client *store.Client, token secret.String) ([]byte, error) {
	id, generation, err := p.refresh.decode(token)
	if err != nil {
		return nil, store.ErrNotFound
	}
	now := p.Now().UnixMilli()
	family, err := p.Store.RefreshFamily(ctx, id)
	if err != nil {
		return nil, err
	}
	if family.ClientID != client.ClientID || family.Generation != generation || family.RevokedAt != 0 ||
		min(family.ExpiresAt, family.IdleExpiresAt) <= now {
		return nil, store.ErrNotFound
	}
	grant, user, err := p.Store.TokenState(ctx, family.GrantID, "", now)
	if err != nil {
		return nil, err
	}
	o := newObject(512)
	o.boolean("active", true)
	o.text("iss", p.Issuer)
	o.text("sub", grant.UserID)
	o.text("client_id", grant.ClientID)
	o.text("scope", grant.Scope)
	o.text("username", preferredUsername(client.PreferredUsername, user.Name, p.Realm))
	o.time("exp", min(family.ExpiresAt, family.IdleExpiresAt))
	o.time("iat", family.RotatedAt)
	appendLogin(&o, grant)
	o.text("sid", grant.SessionID)
	o.confirmation(grant.JKT)
	return o.close(), nil
}
