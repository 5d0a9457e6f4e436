package oidc

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/visitor"
	"idp/internal/web"
)

// ServeAuthorize answers the authorization endpoint (OIDC Core §3.1.2), by GET
// and POST. It shows no page but errors: a session that satisfies the request
// gets its code, and everybody else is sent to log in.
//
// An Authorization header is not looked at here: browsers and curl send Basic and
// Negotiate everywhere once they were asked, and this is not where we ask.
func (p *Provider) ServeAuthorize(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodPost {
		return p.parkAuthorize(w, r)
	}
	a, err := p.readAuthRequest(r.Context(), r.URL.RawQuery)
	if err != nil {
		return p.refuse(w, r, a, err)
	}
	c, err := p.Sessions.Visitor(r)
	if err != nil {
		return err
	}
	return p.authorize(w, r, a, c)
}

// refuse answers a request that failed a check: by a page until its redirect URI
// is proven, then by a redirect. A failure of ours is a page, too: the person is
// better served by "try again" than the relying party by server_error.
func (p *Provider) refuse(w http.ResponseWriter, r *http.Request, a *authreq.Request, err error) error {
	var e *protocol.Error
	if a == nil && errors.As(err, &e) {
		return linkError("REQUEST_INVALID", "The link that brought you here is damaged.", err)
	}
	if a == nil || !errors.As(err, &e) {
		return err
	}
	return p.answerError(w, r, a, e)
}

// authorize decides between the code, consent, a login and a refusal.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request, a *authreq.Request, c *session.Current) error {
	if a.Prompts(protocol.PromptNone) {
		if known, err := p.mayKnow(r.Context(), a, c); err != nil || !known {
			return p.interactionRequired(w, r, a, err)
		}
	}
	chooses := a.Prompts(protocol.PromptLogin) || a.Prompts(protocol.PromptSelectAccount)
	switch {
	case c != nil && !chooses && !clients.MayLogIn(a.Client, c.User):
		return p.deny(w, r, a, c)
	case c != nil && !chooses && p.satisfies(a, c) && p.enough(r, a, c):
		return p.issueCode(w, r, a, c, nil)
	case a.UnreachableACR(): // whoever is logged in, or nobody
		return p.answerError(w, r, a, authreq.UnmetACR())
	case a.Prompts(protocol.PromptNone):
		return p.answerError(w, r, a, protocol.ErrLoginRequired().WithDescription("prompt is none, and no session here satisfies the request"))
	}
	if c != nil && !chooses && p.satisfies(a, c) {
		return p.beginStepUp(w, r, a)
	}
	return p.beginLogin(w, r, a, p.needsPerson(a, c))
}

// enough reports whether the session has shown what the rules and the request
// demand and, where its person can be asked for more, what the request wishes for.
func (p *Provider) enough(r *http.Request, a *authreq.Request, c *session.Current) bool {
	return a.MeetsACR(c.Session.ACR) && p.Policy.Enough(c.Session, c.User, a.Client.ClientID, visitor.At(r, a.Client.ClientID)) &&
		(a.Prompts(protocol.PromptNone) || policy.Reaches(c.Session.ACR, a.NeededACR()))
}

// beginStepUp is beginLogin for whoever is logged in and has shown too little.
func (p *Provider) beginStepUp(w http.ResponseWriter, r *http.Request, a *authreq.Request) error {
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	step, err := p.Policy.BeginStepUp(r.Context(), p.loginRow(a, b), visitor.At(r, a.Client.ClientID))
	return visitor.SendOn(w, r, step, err)
}

// satisfies reports whether the session is recent enough for max_age and is the
// one of the user the relying party means by id_token_hint (OIDC Core §3.1.2.1).
func (p *Provider) satisfies(a *authreq.Request, c *session.Current) bool {
	return !p.tooOld(a, c) && a.IsAbout(c.User.ID)
}

// tooOld: max_age=0 asks for a login now, as prompt=login does.
func (p *Provider) tooOld(a *authreq.Request, c *session.Current) bool {
	return a.MaxAge == 0 || (a.MaxAge > 0 && p.Now().Sub(time.UnixMilli(c.Session.AuthTime)) > a.MaxAge)
}

// needsPerson reports whether a silent ticket would not do: somebody has to act,
// for a ticket only tells who once logged in to this computer. reauth_by_ticket
// takes a ticket for it, but not where another account may be wanted.
func (p *Provider) needsPerson(a *authreq.Request, c *session.Current) bool {
	if a.Prompts(protocol.PromptSelectAccount) || (c != nil && !a.IsAbout(c.User.ID)) {
		return true
	}
	again := a.Prompts(protocol.PromptLogin) || (c != nil && p.tooOld(a, c))
	return again && !a.Client.ReauthByTicket
}

// beginLogin writes the login request and sends the browser to its first step.
// All that the relying party asked for stays in the row.
func (p *Provider) beginLogin(w http.ResponseWriter, r *http.Request, a *authreq.Request, fresh bool) error {
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	row := p.loginRow(a, b)
	row.Fresh = fresh
	step, err := p.Policy.Begin(r.Context(), row, visitor.At(r, a.Client.ClientID), policy.Markers{SignedOut: b.SignedOut, NoTicket: b.NoTicket})
	return visitor.SendOn(w, r, step, err)
}

// deny answers for a user the client is not for. Logging in again would not
// help, so nobody is sent to: a program gets access_denied, a person a page that
// says who they are and leads on.
func (p *Provider) deny(w http.ResponseWriter, r *http.Request, a *authreq.Request, c *session.Current) error {
	denied := protocol.ErrAccessDenied().WithDescription("the user may not use this client")
	if a.Prompts(protocol.PromptNone) {
		return p.answerError(w, r, a, denied)
	}
	info := web.InfoFrom(r.Context())
	info.Reason, info.Detail = string(denied.ErrorType), denied.Description
	return p.renderDenied(w, r, a, c, denied)
}

// otherAccount is the way to the same request, asking for another account, and so
// without the hints at this one. What the client pushed is not put into a link: it
// is kept, and still gives one code; and so is what is too long for one, for we escape
// more than the client did.
func (p *Provider) otherAccount(ctx context.Context, a *authreq.Request) (string, error) {
	ps := maps.Clone(a.Params)
	delete(ps, "id_token_hint")
	delete(ps, "login_hint")
	ps["prompt"] = protocol.PromptSelectAccount
	if a.Prompts(protocol.PromptConsent) {
		ps["prompt"] += " " + protocol.PromptConsent
	}
	if query := ps.Encode(); len(a.Pushed) == 0 && len(query) <= wire.MaxQuery {
		return "/authorize?" + query, nil
	}
	return p.parkRequest(ctx, a, ps, otherAccountFor)
}

// loginRow is a login request that keeps all the relying party asked for.
func (p *Provider) loginRow(a *authreq.Request, b *session.Browser) store.LoginRequest {
	row := store.LoginRequest{BrowserHash: b.Hash, ClientID: a.Client.ClientID, Params: a.Params.Encode(), PushedHash: a.Pushed, LoginHint: a.Params["login_hint"],
		ACR: a.NeededACR()}
	if a.MaxAge >= 0 {
		row.MinAuthTime = p.Now().Add(-a.MaxAge).UnixMilli()
	}
	return row
}
