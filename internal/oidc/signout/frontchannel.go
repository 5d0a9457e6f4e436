package signout

import (
	"context"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/pushed"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

const (
	// PathEndSession is the path of the end session endpoint.
	PathEndSession = "/end_session"
	// signedOutPath is the page that tells relying parties by frames.
	signedOutPath = PathEndSession + "/done"
)

// framesPage keeps what the page behind a sign-out needs, for the session and its
// list of relying parties are gone by then, and returns its address; empty when no
// relying party of the session wants to be told in a frame (OIDC Front-Channel
// Logout §3).
func (p *Endpoints) framesPage(w http.ResponseWriter, r *http.Request, s *signOut, c *session.Current) (address string, err error) {
	if c == nil {
		return "", nil
	}
	visited, err := p.Store.VisitedClients(r.Context(), c.Session.ID)
	if err != nil {
		return "", err
	}
	visited = slices.DeleteFunc(visited, func(id string) bool {
		client, err := p.Clients.ByID(r.Context(), id)
		return err != nil || client.FrontchannelLogoutURI == ""
	})
	if len(visited) == 0 {
		return "", nil
	}
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return "", err
	}
	ps := wire.Params{"sid": c.Session.ID, "clients": strings.Join(visited, " "), "target": s.target}
	if s.client != nil {
		ps["client_id"] = s.client.ClientID
	}
	uri, err := p.Kept.Keep(r.Context(), framesOwner(b), ps, nil, pushed.Briefly)
	var busy *web.Error
	if errors.As(err, &busy) {
		web.InfoFrom(r.Context()).Err = err // nobody stays signed in because a network has too many sign-outs under way
		return "", nil
	}
	return signedOutPath + "?" + url.Values{"page": {strings.TrimPrefix(uri, pushed.RequestURI)}}.Encode(), err
}

// framesOwner binds the page to the browser. No client_id has a space in it, so it
// is never taken for a request that a relying party pushed.
func framesOwner(b *session.Browser) string {
	return "signed out " + base64.RawURLEncoding.EncodeToString(b.Hash)
}

// ServeSignedOut answers GET /end_session/done: a hidden frame for every relying
// party that is to be told, and the way on. A reload shows it again. Whoever has
// logged in meanwhile is not signed out of anything by going back to it.
func (p *Endpoints) ServeSignedOut(w http.ResponseWriter, r *http.Request) error {
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	if state := r.URL.Query().Get("state"); state != "" {
		return p.fromUpstream(w, r, b, state)
	}
	kept, err := p.kept(r.Context(), r.URL.Query().Get("page"), framesOwner(b))
	if err != nil {
		return err
	}
	if kept == nil {
		return web.Redirect(w, r, http.StatusSeeOther, PathEndSession)
	}
	if c, err := p.Sessions.Visitor(r); err != nil || c != nil {
		return errors.Join(err, web.Redirect(w, r, http.StatusSeeOther, PathEndSession))
	}
	page := web.SignedOutPage{NoTicket: p.Policy.UsesTickets(), NextURL: template.URL(kept.Get("target")), Site: p.Clients.Site(r.Context(), kept.Get("client_id"), "")} //nolint:gosec // one of the client's post-logout URIs, whose scheme Check has judged
	var origins []string
	for _, id := range strings.Fields(kept.Get("clients")) {
		client, err := p.Clients.ByID(r.Context(), id)
		if err != nil {
			continue // removed since, or the database is busy: it is told by the back channel, or not at all
		}
		if origin, ok := clients.FrameOrigin(client.FrontchannelLogoutURI); ok {
			page.Frames = append(page.Frames, p.frame(client, kept.Get("sid")))
			origins = append(origins, origin)
		}
	}
	slices.Sort(origins)
	return p.Pages.RenderFrames(w, r, http.StatusOK, "signedout", page, slices.Compact(origins))
}

// frame is the address of a relying party's frame: as registered, and with iss and
// sid where it wants them (OIDC Front-Channel Logout §2).
func (p *Endpoints) frame(c *store.Client, sid string) string {
	if !c.FrontchannelLogoutSession {
		return c.FrontchannelLogoutURI
	}
	return wire.AppendQuery(c.FrontchannelLogoutURI, url.Values{"iss": {p.Issuer}, "sid": {sid}})
}

// kept is what was kept for an owner under a handle; nil: nothing, or for somebody else.
func (p *Endpoints) kept(ctx context.Context, handle, owner string) (url.Values, error) {
	row, err := p.Store.PushedRequest(ctx, secret.Hash(secret.String(handle)))
	if errors.Is(err, store.ErrNotFound) || (err == nil && row.ClientID != owner) {
		return nil, nil //nolint:nilnil // nothing kept is an answer, not an error
	}
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(row.Params)
}
