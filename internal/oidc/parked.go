package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"idp/internal/authn"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// requestURI begins the handle of parameters that we keep (RFC 9126 §2.2).
const requestURI = "urn:ietf:params:oauth:request_uri:"

// parkedFor is how long they are kept: the time of one redirect, and of a reload.
const parkedFor = 2 * time.Minute

// parkAuthorize answers a POST to the authorization endpoint (OIDC Core §3.1.2.1
// has it). From another site it comes without our SameSite=Lax cookies, so the
// session cannot be seen: the parameters are kept and the browser comes again by
// GET, with its cookies. Only a request that would be served is kept.
func (p *Provider) parkAuthorize(w http.ResponseWriter, r *http.Request) error {
	body, err := formBody(r, maxQuery)
	if err != nil {
		return linkError("REQUEST_INVALID", "The form that brought you here is damaged.", err)
	}
	a, err := p.readAuthRequest(r.Context(), body)
	if err != nil {
		return p.refuse(w, r, a, err)
	}
	id := a.client.ClientID
	uri, err := p.park(r.Context(), id, a.params)
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, "/authorize?"+url.Values{"client_id": {id}, "request_uri": {uri}}.Encode())
}

// park keeps parameters for owner: the client, or "" for a sign-out.
func (p *Provider) park(ctx context.Context, owner string, ps params) (uri string, err error) {
	handle := secret.Token()
	err = p.Store.PutPushedRequest(ctx, store.PushedRequest{
		Hash: secret.Hash(handle), ClientID: owner, Address: authn.Network(web.InfoFrom(ctx).Client),
		Params: ps.encode(), ExpiresAt: p.Now().Add(parkedFor).UnixMilli(),
	})
	if errors.Is(err, store.ErrTooMany) {
		return "", web.TooManyRequests(err)
	}
	return requestURI + handle.Reveal(), err
}

// expand replaces a request_uri of ours by the parameters behind it; nothing
// beside it counts (RFC 9126 §4). Any other request_uri stays, to be refused: we
// fetch nothing that a request names.
func (p *Provider) expand(ctx context.Context, ps params, owner string) (params, error) {
	handle, ours := strings.CutPrefix(ps["request_uri"], requestURI)
	if !ours {
		return ps, nil
	}
	kept, raw, err := p.Store.PushedRequest(ctx, secret.Hash(secret.String(handle)))
	if errors.Is(err, store.ErrNotFound) || (err == nil && kept != owner) {
		return nil, web.LoginExpired(err)
	}
	if err != nil {
		return nil, err
	}
	return parseParams(raw, maxQuery)
}
