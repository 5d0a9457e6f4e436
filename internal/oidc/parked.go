package oidc

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"idp/internal/authn"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// requestURI begins the handle of parameters that we keep (RFC 9126 §2.2).
const requestURI = "urn:ietf:params:oauth:request_uri:"

const (
	// parkedFor is how long they are kept: the time of one redirect, and of a reload.
	parkedFor = 2 * time.Minute
	// otherAccountFor is how long a page's link may be looked at.
	otherAccountFor = 30 * time.Minute
	// maxKept bounds what is read back, in bytes: we escape more than clients do.
	maxKept = 3*wire.MaxQuery + 1000
)

// parkAuthorize answers a POST to the authorization endpoint (OIDC Core §3.1.2.1
// has it). From another site it comes without our SameSite=Lax cookies, so the
// session cannot be seen: the parameters are kept and the browser comes again by
// GET, with its cookies. Only a request that would be served is kept.
func (p *Provider) parkAuthorize(w http.ResponseWriter, r *http.Request) error {
	body, err := wire.FormBody(r, wire.MaxQuery)
	if err != nil {
		return linkError("REQUEST_INVALID", "The form that brought you here is damaged.", err)
	}
	a, err := p.readAuthRequest(r.Context(), body)
	if err != nil {
		return p.refuse(w, r, a, err)
	}
	target, err := p.parkRequest(r.Context(), a.Client.ClientID, a.Params, parkedFor)
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, target)
}

// parkRequest keeps an authorization request and returns the way back to it.
func (p *Provider) parkRequest(ctx context.Context, clientID string, ps wire.Params, d time.Duration) (string, error) {
	uri, err := p.park(ctx, clientID, ps, d)
	return "/authorize?" + url.Values{"client_id": {clientID}, "request_uri": {uri}}.Encode(), err
}

// park keeps parameters for owner: the client, or "" for a sign-out.
func (p *Provider) park(ctx context.Context, owner string, ps wire.Params, d time.Duration) (uri string, err error) {
	handle := secret.Token()
	err = p.Store.PutPushedRequest(ctx, store.PushedRequest{
		Hash: secret.Hash(handle), ClientID: owner, Address: authn.Network(web.InfoFrom(ctx).Client),
		Params: ps.Encode(), ExpiresAt: p.Now().Add(d).UnixMilli(),
	})
	if errors.Is(err, store.ErrTooMany) {
		return "", web.TooManyRequests(err)
	}
	return requestURI + handle.Reveal(), err
}

// expand replaces a request_uri of ours by the parameters behind it; nothing
// beside it counts (RFC 9126 §4). Any other request_uri stays, to be refused: we
// fetch nothing that a request names. pushed is the hash of the request that the
// client pushed, nil when it pushed none.
func (p *Provider) expand(ctx context.Context, ps wire.Params, owner string) (expanded wire.Params, pushed []byte, err error) {
	handle, ours := strings.CutPrefix(ps["request_uri"], requestURI)
	if !ours {
		return ps, nil, nil
	}
	row, err := p.Store.PushedRequest(ctx, secret.Hash(secret.String(handle)))
	if errors.Is(err, store.ErrNotFound) || (err == nil && row.ClientID != owner) {
		return nil, nil, web.LoginExpired(err)
	}
	if err != nil {
		return nil, nil, err
	}
	ps, pushed, err = readKept(row.Params)
	if err == nil && row.Pushed {
		ps["request_uri"], pushed = base64.RawURLEncoding.EncodeToString(row.Hash), row.Hash
	}
	return ps, pushed, err
}

// readKept reads parameters that we kept ourselves. Beside those of a pushed
// request stands its hash, as request_uri: a request kept anew, between two steps,
// is still the same.
func readKept(raw string) (ps wire.Params, pushed []byte, err error) {
	ps, err = wire.Parse(raw, maxKept)
	if err == nil && ps["request_uri"] != "" {
		pushed, err = base64.RawURLEncoding.DecodeString(ps["request_uri"])
	}
	return ps, pushed, err
}
