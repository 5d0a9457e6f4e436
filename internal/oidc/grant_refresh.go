package oidc

import (
	"net/http"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/secret"
	"idp/internal/store"
)

// refreshGrant rotates a refresh token (RFC 6749 §6, RFC 9700 §4.14.2). User,
// session and grant are looked at in the same transaction.
func (p *Provider) refreshGrant(r *http.Request, client *store.Client, ps params) ([]byte, error) {
	const refused = "the refresh token is unknown, used or expired, or was given to another client"
	if ps["refresh_token"] == "" {
		return nil, protocol.ErrInvalidRequest().WithDescription("refresh_token is missing")
	}
	family, generation, err := p.refresh.decode(secret.String(ps["refresh_token"]))
	if err != nil {
		return nil, protocol.ErrInvalidGrant().WithDescription(refused).WithParent(err)
	}
	now := p.Now()
	next, grant, user, err := p.Store.RotateRefresh(r.Context(), store.Rotate{
		Family: family, ClientID: client.ClientID, Generation: generation, Now: now.UnixMilli(),
		IdleExpiresAt: now.Add(p.Lifetimes.RefreshIdle).UnixMilli(), Grace: refreshGrace, Entry: entry(r, client),
	})
	if err != nil {
		return nil, invalidGrant(err, refused)
	}
	if !mayLogIn(client, user) {
		return nil, protocol.ErrInvalidGrant().WithDescription("the user may not use this client any more")
	}
	scope, ok := narrower(grant.Scope, ps["scope"])
	if !ok {
		return nil, protocol.ErrInvalidScope().WithDescription("scope holds more than was granted")
	}
	t := tokens{client: client, grant: grant, user: user, scope: scope}
	if t.refresh, err = p.refresh.encode(next.ID, next.Generation); err != nil {
		return nil, err
	}
	return p.tokenResponse(t)
}
