package oidc

import (
	"net/http"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
)

// refreshGrant rotates a refresh token (RFC 6749 §6, RFC 9700 §4.14.2). User,
// session and grant are looked at, and whatever else may refuse is checked, in
// the same transaction: a token that was refused is not used up. For FAPI clients
// the token stays the same (FAPI 2.0 Security Profile §5.3.2.1): it is worth
// nothing without the client's key, and no answer can get lost.
func (p *Provider) refreshGrant(r *http.Request, client *store.Client, ps wire.Params, jkt string) ([]byte, error) {
	const refused = "the refresh token is unknown, used or expired, or was given to another client"
	token, err := ps.Need("refresh_token")
	if err != nil {
		return nil, err
	}
	family, generation, err := p.tokens.DecodeRefresh(secret.String(token))
	if err != nil {
		return nil, protocol.ErrInvalidGrant().WithDescription(refused).WithParent(err)
	}
	now := p.Now()
	t := tokens.Response{Client: client, JKT: jkt}
	next, grant, user, err := p.Store.RotateRefresh(r.Context(), store.Rotate{
		Family: family, ClientID: client.ClientID, Generation: generation, Now: now.UnixMilli(),
		IdleExpiresAt: now.Add(p.Lifetimes.RefreshIdle).UnixMilli(), Grace: refreshGrace, Keep: clients.FAPI(client), Entry: entry(r, client),
		Check: func(g store.Grant, u store.User) (err error) {
			if err := checkBound(g, jkt); err != nil {
				return err
			}
			if t.Scope, err = refreshScope(client, g, u, ps["scope"]); err != nil {
				return err
			}
			t.Audience, err = p.tokens.Audience(client, g.Resource, ps.Resources())
			return err
		},
	})
	if err != nil {
		return nil, invalidGrant(err, refused)
	}
	t.Grant, t.User = grant, user
	if t.Refresh, err = p.tokens.EncodeRefresh(next.ID, next.Generation); err != nil {
		return nil, err
	}
	return p.tokens.Respond(t)
}

// checkBound: a refresh token that is bound to a key is good with it only
// (RFC 9449 §5).
func checkBound(g store.Grant, jkt string) error {
	if g.JKT != "" && g.JKT != jkt {
		return protocol.ErrInvalidGrant().WithDescription("the refresh token is bound to another DPoP key")
	}
	return nil
}

// refreshScope is what a grant gives when asked again, or the refusal: the user
// may have left the client's groups, and scope may only narrow.
func refreshScope(client *store.Client, g store.Grant, u store.User, asked string) (string, error) {
	if !clients.MayLogIn(client, &u) {
		return "", protocol.ErrInvalidGrant().WithDescription("the user may not use this client any more")
	}
	scope, ok := clients.Narrower(g.Scope, asked)
	if !ok {
		return "", protocol.ErrInvalidScope().WithDescription("scope holds more than was granted")
	}
	return scope, nil
}
