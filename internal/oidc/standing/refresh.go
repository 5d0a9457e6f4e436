package standing

import (
	"context"
	"errors"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/store"
)

// OfRefresh is OfToken for a client's refresh token: of the grant that it goes with.
func (j *Judge) OfRefresh(ctx context.Context, client *store.Client, grantID string) (*State, error) {
	grant, now, err := j.Store.TokenState(ctx, grantID, "", j.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	u, err := j.AskDirectory(ctx, &now.User)
	if err != nil {
		return nil, err
	}
	now.User = *u
	current, err := MayRefresh(client, grant, now)
	if err != nil {
		return nil, goneIfEnded(err)
	}
	scope, err := ScopeNow(current, grant.Scope)
	if err != nil {
		return nil, goneIfEnded(err)
	}
	return &State{Client: current, Giver: current, Grant: grant, User: &now.User, Scope: scope}, nil
}

// MayRefresh returns the client as it is registered now, if the refresh tokens of a
// grant are still good.
func MayRefresh(c *store.Client, g *store.Grant, now *store.Standing) (*store.Client, error) {
	c, err := RegisteredNow(c, now)
	if err != nil {
		return nil, err
	}
	return c, errors.Join(stillRefreshed(c, g), StillGranted(c, g, now))
}

// stillRefreshed: refresh tokens end with the grant type, with those by which people
// log in, and where those of a public client have to be bound to a key by now
// (RFC 9449 §5).
func stillRefreshed(c *store.Client, g *store.Grant) error {
	switch {
	case !clients.MayUse(c, protocol.GrantTypeRefreshToken):
		return Ended("the client is not registered for refresh_token any more")
	case !clients.MayUse(c, protocol.GrantTypeCode) && !clients.MayUse(c, protocol.GrantTypeDeviceCode):
		return Ended("the client is not registered for a grant_type by which users log in any more")
	case c.Public() && g.JKT == "" && clients.RequiresDPoP(c):
		return Ended("the refresh token is not bound to a DPoP key, as those of this client have to be by now: the user has to log in again")
	}
	return nil
}
