package grant

import (
	"errors"
	"net/http"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/standing"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
)

// refreshGrant rotates a refresh token (RFC 6749 §6, RFC 9700 §4.14.2). User,
// session, grant, registration and consent are looked at, and whatever else may refuse is checked, in
// the same transaction: a token that was refused is not used up. For FAPI clients
// the token stays the same (FAPI 2.0 Security Profile §5.3.2.1): it is worth
// nothing without the client's key, and no answer can get lost.
func (p *Endpoint) refreshGrant(r *http.Request, client *store.Client, ps wire.Params, jkt string) ([]byte, error) {
	const refused = "the refresh token is unknown, used or expired, or was given to another client"
	token, err := ps.Need("refresh_token")
	if err != nil {
		return nil, err
	}
	family, generation, err := p.Tokens.DecodeRefresh(secret.String(token))
	if err != nil {
		return nil, protocol.ErrInvalidGrant().WithDescription(refused).WithParent(err)
	}
	vouches, err := p.Standing.Vouches(r.Context(), client, family)
	if err != nil {
		return nil, err
	}
	now := p.Now()
	t := tokens.Response{Client: client, JKT: jkt}
	next, grant, user, err := p.Store.RotateRefresh(r.Context(), store.Rotate{
		Family: family, ClientID: client.ClientID, Generation: generation, Now: now.UnixMilli(),
		IdleExpiresAt: now.Add(p.RefreshIdle).UnixMilli(), Grace: RefreshGrace, Keep: clients.FAPI(client), Entry: clientauth.Entry(r, client),
		Check: func(g store.Grant, now store.Standing) error {
			return errors.Join(p.refreshed(&t, &g, &now, ps), p.Standing.WithinTicket(&g, &now, vouches))
		},
	})
	if err != nil {
		return nil, invalidGrant(err, refused)
	}
	t.Grant, t.User = grant, user
	if t.Refresh, err = p.Tokens.EncodeRefresh(next.ID, next.Generation); err != nil {
		return nil, err
	}
	return p.Tokens.Respond(t)
}

// refreshed puts into the response what a refresh token gives as things stand now,
// or refuses.
func (p *Endpoint) refreshed(t *tokens.Response, g *store.Grant, now *store.Standing, ps wire.Params) (err error) {
	if t.Client, err = standing.MayRefresh(t.Client, g, now); err != nil {
		return err
	}
	if err := errors.Join(checkBound(g, t.JKT), standing.StillBound(t.Client, t.JKT)); err != nil {
		return err
	}
	if t.Scope, err = refreshScope(t.Client, g, ps["scope"]); err != nil {
		return err
	}
	t.Audience, err = p.Tokens.Audience(t.Client, g.Resource, ps.Resources())
	return err
}

// checkBound: a refresh token that is bound to a key is good with it only
// (RFC 9449 §5).
func checkBound(g *store.Grant, jkt string) error {
	if g.JKT != "" && g.JKT != jkt {
		return protocol.ErrInvalidGrant().WithDescription("the refresh token is bound to another DPoP key")
	}
	return nil
}

// refreshScope is what a grant gives when asked again: what is left of it, and scope
// may only narrow.
func refreshScope(client *store.Client, g *store.Grant, asked string) (string, error) {
	scope, ok := clients.Narrower(g.Scope, asked)
	if !ok {
		return "", protocol.ErrInvalidScope().WithDescription("scope holds more than was granted")
	}
	return standing.ScopeNow(client, scope)
}
