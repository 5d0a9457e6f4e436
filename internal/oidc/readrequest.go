package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/pushed"
	"idp/internal/oidc/wire"
	"idp/internal/store"
	"idp/internal/web"
)

// readAuthRequest parses and checks an authorization request. With a nil request
// the error is a page's; with one, it is for the relying party.
func (p *Provider) readAuthRequest(ctx context.Context, raw string) (*authreq.Request, error) {
	ps, malformed := wire.Parse(raw, wire.MaxQuery)
	asked := ps["client_id"]
	ps, hash, err := p.Pushed.Expand(ctx, ps, asked)
	if err == nil && ps["client_id"] != asked { // not an authorization request of that client
		err = web.LoginExpired(errors.New("client_id is not the one of the request that was kept"))
	}
	if err != nil {
		return nil, err
	}
	return p.proveAuthRequest(ctx, ps, hash, malformed)
}

// reread checks anew a request that a login request keeps.
func (p *Provider) reread(ctx context.Context, row *store.LoginRequest) (*authreq.Request, error) {
	ps, err := pushed.Read(row.Params)
	if err != nil {
		return nil, err
	}
	return p.proveAuthRequest(ctx, ps, row.PushedHash, nil)
}

// proveAuthRequest proves client and redirect URI before all else. hash is that of
// the request which the client pushed, empty when it pushed none.
func (p *Provider) proveAuthRequest(ctx context.Context, ps wire.Params, hash []byte, malformed error) (*authreq.Request, error) {
	client, err := p.clientOf(ctx, ps, malformed)
	if err != nil {
		return nil, err
	}
	if err := checkRedirectURI(client, ps["redirect_uri"], malformed); err != nil {
		return nil, err
	}
	if len(hash) > 0 {
		if err := p.Pushed.Unused(ctx, hash); err != nil {
			return nil, err
		}
	}
	a := authreq.New(ps, client)
	a.Pushed = hash
	if malformed != nil {
		return a, malformed
	}
	return a, a.Check(p.tokens)
}

// clientOf finds the client (RFC 6749 §4.1.2.1: never a redirect without one).
func (p *Provider) clientOf(ctx context.Context, ps wire.Params, malformed error) (*store.Client, error) {
	id := ps["client_id"]
	if id == "" {
		return nil, linkError("CLIENT_MISSING", "The site that sent you here did not say which site it is (client_id).", malformed)
	}
	client, err := p.Clients.ByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, linkError("RELYING_PARTY_UNKNOWN", "The site that sent you here is not registered with us.", fmt.Errorf("client_id %s: %w", web.Quote(id), err))
	}
	if err != nil {
		return nil, err
	}
	web.InfoFrom(ctx).ClientID = client.ClientID
	return client, nil
}

// checkRedirectURI: RFC 6749 §3.1.2.4; OIDC Core requires the parameter.
func checkRedirectURI(c *store.Client, uri string, malformed error) error {
	if uri == "" {
		return linkError("REDIRECT_URI_MISSING", "The site that sent you here did not say where to send you back (redirect_uri).", malformed)
	}
	if !clients.RedirectAllowed(c, uri) {
		return linkError("REDIRECT_URI_UNKNOWN", "The address to send you back to (redirect_uri) is not registered for this site.", fmt.Errorf("redirect_uri %s", web.Quote(uri)))
	}
	return nil
}

// linkError is the page for a link that leads nowhere: nothing in it can be
// trusted, so nothing of it is followed or shown.
func linkError(code, message string, cause error) error {
	return &web.Error{
		Status: http.StatusBadRequest, Code: code, Title: "This link does not work", Message: message,
		Hint: "Go back to the site and try again. If it happens again, tell the people who run that site.", Err: cause,
	}
}
