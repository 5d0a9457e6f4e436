package signout

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"idp/internal/oidc/pushed"
	"idp/internal/oidc/wire"
	"idp/internal/session"
	"idp/internal/web"
)

// backFor is how long somebody may be asked at an upstream whether to sign out there.
const backFor = 15 * time.Minute

// upstreamOwner binds the way back from an upstream's logout to the browser.
func upstreamOwner(b *session.Browser) string {
	return "signed out there " + base64.RawURLEncoding.EncodeToString(b.Hash)
}

// viaUpstream is where a sign-out goes on to when the login came from an upstream that
// is to be signed out of as well (OIDC RP-Initiated Logout §2): there, and from there
// to target. Empty: it need not, or that cannot be had; nobody stays signed in here for
// it.
func (p *Endpoints) viaUpstream(w http.ResponseWriter, r *http.Request, c *session.Current, target string) (string, error) {
	if c == nil || p.Upstreams == nil || !p.Upstreams.SignsOut(c.Session.Upstream) {
		return "", nil
	}
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return "", err
	}
	uri, err := p.Kept.Keep(r.Context(), upstreamOwner(b), wire.Params{"target": target}, nil, backFor)
	var busy *web.Error
	if errors.As(err, &busy) {
		web.InfoFrom(r.Context()).Err = err
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return p.Upstreams.LogoutURL(r.Context(), c.Session.Upstream, strings.TrimPrefix(uri, pushed.RequestURI)), nil
}

// fromUpstream goes on where a sign-out that went by an upstream was to end: one of the
// addresses that it was checked against when it began. A state that is none of this
// browser's leads to our own page.
func (p *Endpoints) fromUpstream(w http.ResponseWriter, r *http.Request, b *session.Browser, state string) error {
	kept, err := p.kept(r.Context(), state, upstreamOwner(b))
	if err != nil {
		return err
	}
	target := kept.Get("target")
	if target == "" {
		target = PathEndSession
	}
	return web.Redirect(w, r, http.StatusSeeOther, target)
}
