// Package signout ends sessions: OpenID Connect RP-Initiated Logout 1.0 and Front-Channel
// Logout 1.0.
//
// A relying party sends the browser to the end session endpoint, with the ID token it
// got. When that is of the very session, the session ends; anything less could be any
// site's link, and the person is asked. Where to go afterwards is one of the client's
// addresses, character for character, or our own page. Relying parties that want to be
// told in the browser are, by frames on a page behind the sign-out; those that are told
// from server to server are package backchannel's.
package signout

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/pushed"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/upstream"
	"idp/internal/web"
)

// Config is everything New needs.
type Config struct {
	Issuer    string
	Store     *store.Store
	Sessions  *session.Sessions
	Pages     *web.Pages
	Clients   *clients.Registry
	Tokens    *tokens.Tokens
	Kept      *pushed.Requests    // what has to come again by GET
	Policy    *policy.Policy      // whether people log in by ticket
	Upstreams *upstream.Upstreams // where else people sign out; nil: nowhere
}

// Endpoints serve the end session endpoint and its pages. Safe for concurrent use.
type Endpoints struct{ Config }

// New checks the configuration.
func New(c Config) (*Endpoints, error) {
	if c.Issuer == "" || c.Store == nil || c.Sessions == nil || c.Pages == nil || c.Clients == nil || c.Tokens == nil || c.Kept == nil || c.Policy == nil {
		return nil, errors.New("signout: every field but Upstreams is required")
	}
	return &Endpoints{c}, nil
}

// signOutPurpose is what the sign-out form's token is good for; the account
// page's button carries one too.
const signOutPurpose = "end_session"

// signOut is a checked logout request (RP-Initiated Logout 1.0 §2).
type signOut struct {
	params wire.Params
	client *store.Client // nil: nobody says which
	hint   *tokens.Hint  // nil: none
	target string        // where to go afterwards; empty: our page
}

// signOutParams are those of RP-Initiated Logout 1.0 §2: of a request nothing else is
// read, kept or sent along.
var signOutParams = strings.Fields("id_token_hint logout_hint client_id post_logout_redirect_uri state ui_locales")

// signOutOwner owns parked sign-outs: no client_id has a space in it.
const signOutOwner = "sign out"

// ServeEndSession answers the end session endpoint, by GET and POST. A request
// that shows an ID token of the very session, given to a trusted client, or our own
// form, ends it; anything else could be any site's link, so the person is asked.
func (p *Endpoints) ServeEndSession(w http.ResponseWriter, r *http.Request) error {
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		var err error
		if raw, err = wire.FormBody(r, wire.MaxQuery); err != nil {
			return signOutError(err)
		}
	}
	ps, err := wire.Parse(raw, wire.MaxQuery)
	if err != nil {
		return signOutError(err)
	}
	formToken := ps["form_token"] // counts in a form only; the page makes a new one
	ps, _, err = p.Kept.Expand(r.Context(), ps, signOutOwner)
	if errors.Is(err, pushed.ErrGone) { // the page was reloaded: what it was about is over, the wish to sign out may not be
		return web.Redirect(w, r, http.StatusSeeOther, PathEndSession)
	}
	if err != nil {
		return err
	}
	maps.DeleteFunc(ps, func(name, _ string) bool { return !slices.Contains(signOutParams, name) })
	s, err := p.readSignOut(r, ps)
	if err != nil {
		return err
	}
	switch {
	case r.Method != http.MethodPost:
		return p.endSession(w, r, s)
	case formToken != "":
		return p.confirmed(w, r, s, formToken)
	}
	return p.parkSignOut(w, r, s)
}

// parkSignOut: a POST from another site comes without our cookies, so it comes
// again by GET.
func (p *Endpoints) parkSignOut(w http.ResponseWriter, r *http.Request, s *signOut) error {
	if len(s.params) == 0 {
		return web.Redirect(w, r, http.StatusSeeOther, PathEndSession)
	}
	uri, err := p.Kept.Keep(r.Context(), signOutOwner, s.params, nil, pushed.Briefly)
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, PathEndSession+"?"+url.Values{"request_uri": {uri}}.Encode())
}

// endSession decides whether to ask.
func (p *Endpoints) endSession(w http.ResponseWriter, r *http.Request, s *signOut) error {
	c, err := p.Sessions.Visitor(r)
	if err != nil {
		return err
	}
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	switch {
	case s.ofThisBrowser(b, c) && clients.Trusted(s.client):
		// Its session may be over: the browser is marked all the same. Whoever meant
		// to sign out is not to be logged in again by a silent ticket.
		return p.end(w, r, s, c)
	case c == nil:
		return p.signedOut(w, r, s, b)
	}
	page := web.LogoutPage{FormToken: p.Sessions.FormToken(b, signOutPurpose), User: c.User.Name, Fields: s.params}
	if s.client != nil {
		page.Site = clients.SiteOf(s.client, s.target)
	}
	return p.Pages.Render(w, r, http.StatusOK, "logout", page)
}

// ofThisBrowser reports whether the request shows an ID token of the session that the
// browser has, or of the last one that it had. Anybody may send people here with a
// token of their own.
func (s *signOut) ofThisBrowser(b *session.Browser, c *session.Current) bool {
	switch {
	case s.hint == nil:
		return false
	case c != nil:
		return s.hint.SessionID == c.Session.ID
	}
	return b.Had(s.hint.SessionID)
}

// confirmed ends the session because our own form says so.
func (p *Endpoints) confirmed(w http.ResponseWriter, r *http.Request, s *signOut, formToken string) error {
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	if !p.Sessions.CheckFormToken(b, signOutPurpose, formToken) {
		return &web.Error{
			Status: http.StatusForbidden, Code: "FORM_TOKEN", Title: "This form has expired",
			Message: "The form was not made for this browser, or its cookies were deleted since. You are not signed out.",
			Hint:    "Open the page below and sign out there. Cookies must be allowed.",
			Links:   []web.Link{{Text: "Sign out", URL: PathEndSession}},
		}
	}
	c, err := p.Sessions.Visitor(r)
	if err != nil {
		return err
	}
	return p.end(w, r, s, c)
}

// End signs a browser out because a page of ours says so, and answers.
func (p *Endpoints) End(w http.ResponseWriter, r *http.Request, c *session.Current) error {
	return p.end(w, r, &signOut{}, c)
}

// end ends the session, sets the marker and goes on by GET, so that a reload of
// what comes next sends nothing twice: to the page that tells relying parties by
// frames where there are such, else back at once.
func (p *Endpoints) end(w http.ResponseWriter, r *http.Request, s *signOut, c *session.Current) error {
	there, err := p.viaUpstream(w, r, c, s.target)
	if err != nil {
		return err
	}
	if there != "" {
		s.target = there
	}
	frames, err := p.framesPage(w, r, s, c)
	if err != nil {
		return err
	}
	if err := p.Sessions.End(w, r, c); err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, cmp.Or(frames, s.target, PathEndSession))
}

// signedOut is the end for a browser that has no session. It is sent on to an address
// that an administrator vouches for (RP-Initiated Logout §3), or that belongs to a
// client of its last session; to any other its person may go.
func (p *Endpoints) signedOut(w http.ResponseWriter, r *http.Request, s *signOut, b *session.Browser) error {
	page := web.SignedOutPage{NoTicket: p.Policy.UsesTickets() && b.SignedOut}
	if s.target != "" {
		if !clients.RegisteredItself(s.client) || s.ofThisBrowser(b, nil) {
			return web.Redirect(w, r, http.StatusSeeOther, s.target)
		}
		page.NextURL, page.Site, page.Waits = template.URL(s.target), clients.SiteOf(s.client, s.target), true //nolint:gosec // one of the client's post-logout URIs, whose scheme Check has judged
	}
	return p.Pages.Render(w, r, http.StatusOK, "signedout", page)
}

// readSignOut checks a logout request; every error is a page, for a bad
// post_logout_redirect_uri must neither be followed nor quietly forgotten (§3).
func (p *Endpoints) readSignOut(r *http.Request, ps wire.Params) (*signOut, error) {
	s := &signOut{params: ps}
	id := ps["client_id"]
	if text := ps["id_token_hint"]; text != "" {
		hint, err := p.Tokens.ReadHint(text)
		if err != nil {
			return nil, signOutError(err)
		}
		if id != "" && id != hint.Audience {
			return nil, signOutError(errors.New("client_id is not the id_token_hint's audience"))
		}
		s.hint, id = hint, hint.Audience
	}
	if id != "" {
		c, err := p.Clients.ByID(r.Context(), id)
		if errors.Is(err, store.ErrNotFound) {
			return nil, signOutError(fmt.Errorf("client %s: %w", web.Quote(id), err))
		}
		if err != nil {
			return nil, err
		}
		s.client = c
		web.InfoFrom(r.Context()).ClientID = c.ClientID
	}
	return s, s.setTarget()
}

// setTarget: the address must be one of the client's, character for character.
func (s *signOut) setTarget() error {
	uri := s.params["post_logout_redirect_uri"]
	if uri == "" {
		return nil
	}
	if s.client == nil || !slices.Contains(s.client.PostLogoutRedirectURIs, uri) {
		return signOutError(fmt.Errorf("post_logout_redirect_uri %s is not registered for the client, or no client is named", web.Quote(uri)))
	}
	s.target = uri
	if state := s.params["state"]; state != "" {
		s.target = wire.AppendQuery(uri, url.Values{"state": {state}})
	}
	return nil
}

func signOutError(cause error) error {
	return &web.Error{
		Status: http.StatusBadRequest, Code: "SIGN_OUT_INVALID", Title: "This sign-out link does not work",
		Message: "The site that sent you here asked for a sign-out in a way that we cannot follow. You are not signed out.",
		Hint:    "You can sign out here, and tell the people who run that site.",
		Links:   []web.Link{{Text: "Sign out", URL: PathEndSession}}, Err: cause,
	}
}
