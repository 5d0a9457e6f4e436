package oidc

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/authn"
	"idp/internal/oidc/clients"
	"idp/internal/session"
	"idp/internal/web"
)

// responseModeQuery is how an authorization response travels: in the query of
// the redirect URI (RFC 6749 §4.1.2).
const responseModeQuery = "query"

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
	c, err := p.session(r)
	if err != nil {
		return err
	}
	return p.authorize(w, r, a, c)
}

// refuse answers a request that failed a check: by a page until its redirect URI
// is proven, then by a redirect. A failure of ours is a page, too: the person is
// better served by "try again" than the relying party by server_error.
func (p *Provider) refuse(w http.ResponseWriter, r *http.Request, a *authRequest, err error) error {
	var e *protocol.Error
	if a == nil && errors.As(err, &e) {
		return linkError("REQUEST_INVALID", "The link that brought you here is damaged.", err)
	}
	if a == nil || !errors.As(err, &e) {
		return err
	}
	return p.answerError(w, r, a, e)
}

// session returns the live session of the browser, or nil.
func (p *Provider) session(r *http.Request) (*session.Current, error) {
	c, err := p.Sessions.Current(r)
	if errors.Is(err, session.ErrNone) {
		return nil, nil //nolint:nilnil // no session is an answer, not an error
	}
	if err == nil {
		web.InfoFrom(r.Context()).User = c.User.Name
	}
	return c, err
}

// authorize decides between the code, consent, a login and a refusal.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request, a *authRequest, c *session.Current) error {
	chooses := a.prompts(protocol.PromptLogin) || a.prompts(protocol.PromptSelectAccount)
	switch {
	case c != nil && !chooses && !clients.MayLogIn(a.client, c.User):
		return p.deny(w, r, a, c)
	case c != nil && !chooses && p.satisfies(a, c):
		return p.issueCode(w, r, a, c, nil)
	case a.prompts(protocol.PromptNone):
		return p.answerError(w, r, a, protocol.ErrLoginRequired())
	}
	return p.beginLogin(w, r, a, p.needsPerson(a, c))
}

// satisfies reports whether the session is recent enough for max_age and is the
// one of the user the relying party means by id_token_hint (OIDC Core §3.1.2.1).
func (p *Provider) satisfies(a *authRequest, c *session.Current) bool {
	return !p.tooOld(a, c) && p.hinted(a, c)
}

func (p *Provider) tooOld(a *authRequest, c *session.Current) bool {
	return a.maxAge >= 0 && p.Now().Sub(time.UnixMilli(c.Session.AuthTime)) > a.maxAge
}

// hinted reports whether the session is the hint's user's. A hint that is not
// ours, or too old to be verified, names nobody.
func (p *Provider) hinted(a *authRequest, c *session.Current) bool {
	text := a.params["id_token_hint"]
	if text == "" {
		return true
	}
	hint, err := p.readHint(text)
	if err != nil {
		return !a.prompts(protocol.PromptNone)
	}
	return hint.Subject == c.User.ID
}

// needsPerson reports whether a silent ticket would not do: somebody has to act,
// for a ticket only tells who once logged in to this computer. reauth_by_ticket
// takes a ticket for it, but not where another account may be wanted.
func (p *Provider) needsPerson(a *authRequest, c *session.Current) bool {
	if a.prompts(protocol.PromptSelectAccount) || (c != nil && !p.hinted(a, c)) {
		return true
	}
	again := a.prompts(protocol.PromptLogin) || (c != nil && p.tooOld(a, c))
	return again && !a.client.ReauthByTicket
}

// beginLogin writes the login request and sends the browser to its first step.
// All that the relying party asked for stays in the row.
func (p *Provider) beginLogin(w http.ResponseWriter, r *http.Request, a *authRequest, fresh bool) error {
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	row := p.loginRow(a, b)
	row.Fresh = fresh
	step, err := p.Policy.Begin(r.Context(), row, from(r, a), authn.Markers{SignedOut: b.SignedOut, NoTicket: b.NoTicket})
	return sendOn(w, r, step, err)
}

// deny answers for a user the client is not for. Logging in again would not
// help, so nobody is sent to: a program gets access_denied, a person a page that
// says who they are and leads on.
func (p *Provider) deny(w http.ResponseWriter, r *http.Request, a *authRequest, c *session.Current) error {
	denied := protocol.ErrAccessDenied().WithDescription("the user may not use this client")
	if a.prompts(protocol.PromptNone) {
		return p.answerError(w, r, a, denied)
	}
	info := web.InfoFrom(r.Context())
	info.Reason, info.Detail = string(denied.ErrorType), denied.Description
	return p.renderDenied(w, r, a, c, p.errorTarget(a, denied))
}

// otherAccount is the same request, asking for another account, and so without
// the hints at this one.
func otherAccount(a *authRequest) string {
	ps := maps.Clone(a.params)
	delete(ps, "id_token_hint")
	delete(ps, "login_hint")
	ps["prompt"] = protocol.PromptSelectAccount
	if a.prompts(protocol.PromptConsent) {
		ps["prompt"] += " " + protocol.PromptConsent
	}
	return "/authorize?" + ps.encode()
}

// answer sends the browser back to the relying party; every authorization
// response, good or bad, leaves here. iss tells whose it is (RFC 9207 §2).
func (p *Provider) answer(w http.ResponseWriter, r *http.Request, a *authRequest, name, value string) error {
	return web.Redirect(w, r, http.StatusSeeOther, p.target(a, url.Values{name: {value}}))
}

func (p *Provider) answerError(w http.ResponseWriter, r *http.Request, a *authRequest, e *protocol.Error) error {
	note(r, e)
	return web.Redirect(w, r, http.StatusSeeOther, p.errorTarget(a, e))
}

func (p *Provider) errorTarget(a *authRequest, e *protocol.Error) string {
	v := url.Values{"error": {string(e.ErrorType)}}
	if e.Description != "" {
		v.Set("error_description", e.Description)
	}
	return p.target(a, v)
}

// target adds the response to the redirect URI (RFC 6749 §4.1.2).
func (p *Provider) target(a *authRequest, v url.Values) string {
	if state := a.params["state"]; state != "" {
		v.Set("state", state)
	}
	v.Set("iss", p.Issuer)
	return appendQuery(a.redirect, v)
}

// appendQuery adds parameters to a registered URI, keeping the query it has
// (RFC 6749 §3.1.2).
func appendQuery(uri string, v url.Values) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + v.Encode()
}
