package grant

import (
	"net/http"
	"slices"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/store"
)

// clientGrant gives a client a token for itself (RFC 6749 §4.4): no user, no
// refresh token, no row.
func (p *Endpoint) clientGrant(_ *http.Request, client *store.Client, ps wire.Params, jkt string) ([]byte, error) {
	if client.Public() {
		return nil, protocol.ErrUnauthorizedClient().WithDescription("a public client cannot use client_credentials")
	}
	return p.ownToken(client, ps, jkt)
}

// ownToken is a token for the client itself, with those of its scopes that are
// about no person.
func (p *Endpoint) ownToken(client *store.Client, ps wire.Params, jkt string) ([]byte, error) {
	registered := clients.FilterScope(clients.Scope(client), func(name string) bool { return !slices.Contains(clients.UserScopes, name) })
	scope := registered
	if asked := ps["scope"]; asked != "" {
		if clients.AllowedScope(client, asked) == "" {
			return nil, protocol.ErrInvalidScope().WithDescription("scope holds nothing that this client may ask for")
		}
		scope = clients.FilterScope(asked, func(name string) bool { return clients.HasScope(registered, name) })
	}
	audience, err := p.Tokens.Audience(client, ps["resource"], ps.Resources())
	if err != nil {
		return nil, err
	}
	return p.Tokens.Respond(tokens.Response{Client: client, Scope: scope, Audience: audience, JKT: jkt})
}
