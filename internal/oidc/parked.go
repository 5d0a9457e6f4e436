package oidc

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/pushed"
	"idp/internal/oidc/wire"
	"idp/internal/web"
)

// otherAccountFor is how long a page's link may be looked at.
const otherAccountFor = 30 * time.Minute

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
	target, err := p.parkRequest(r.Context(), a, a.Params, pushed.Briefly)
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, target)
}

// parkRequest keeps an authorization request, with these parameters, and returns the
// way back to it. One that was pushed stays the same one.
func (p *Provider) parkRequest(ctx context.Context, a *authreq.Request, ps wire.Params, d time.Duration) (string, error) {
	uri, err := p.Pushed.Keep(ctx, a.Client.ClientID, ps, a.Pushed, d)
	return "/authorize?" + url.Values{"client_id": {a.Client.ClientID}, "request_uri": {uri}}.Encode(), err
}
