package oidc

import (
	"errors"
	"net/http"
	"strings"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/pushed"
	"idp/internal/secret"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// ServeResume takes over when a login is done. It wants the browser that began
// it AND the session that the login ended in: a login request opened in another
// browser, or two tabs that logged in two users, must not put one person's code
// into another's hands.
func (p *Provider) ServeResume(w http.ResponseWriter, r *http.Request) error {
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	row, err := p.Store.LoginRequest(r.Context(), r.URL.Query().Get("login"), b.Hash)
	if err != nil {
		return expiredIfGone(err)
	}
	c, err := p.Sessions.Visitor(r)
	if err != nil {
		return err
	}
	if c == nil || row.SessionID == "" || row.SessionID != c.Session.ID {
		return web.LoginExpired(errors.New("the session is not the one that the login ended in"))
	}
	if row.ClientID == "" {
		return p.resumeOwn(w, r, row, c)
	}
	return p.resumeAuthorize(w, r, row, c)
}

// resumeOwn ends a login for one of our own pages.
func (p *Provider) resumeOwn(w http.ResponseWriter, r *http.Request, row *store.LoginRequest, c *session.Current) error {
	row, err := p.Store.ConsumeLoginRequest(r.Context(), row.ID, row.BrowserHash, c.Session.ID)
	if err != nil {
		return expiredIfGone(err)
	}
	target := row.ReturnTo
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || strings.ContainsAny(target, "\\\r\n\t") {
		target = "/account"
	}
	return web.Redirect(w, r, http.StatusSeeOther, target)
}

// resumeAuthorize goes on with the request that the row keeps, checked anew: the
// client may have changed since.
func (p *Provider) resumeAuthorize(w http.ResponseWriter, r *http.Request, row *store.LoginRequest, c *session.Current) error {
	a, err := p.reread(r.Context(), row)
	if err != nil {
		return p.refuse(w, r, a, err)
	}
	switch {
	case r.URL.Query().Has("other"): // from the consent page
		target, err := p.otherAccount(r.Context(), a)
		if err != nil {
			return err
		}
		return web.Redirect(w, r, http.StatusSeeOther, target)
	case row.ConsentAnswer == store.ConsentDenied:
		return p.refusedConsent(w, r, a, row)
	case c.Session.AuthTime < row.MinAuthTime && c.Session.Upstream.ID == "": // a ticket older than max_age; an upstream's login was judged by the clock that told its time
		return p.beginLogin(w, r, a, true)
	case !a.IsAbout(c.User.ID):
		return p.answerError(w, r, a, protocol.ErrLoginRequired().WithDescription("another user logged in than id_token_hint or sub names"))
	case !clients.MayLogIn(a.Client, c.User):
		return p.deny(w, r, a, c)
	case a.UnreachableACR():
		return p.answerError(w, r, a, authreq.UnmetACR())
	case !p.enough(r, a, c): // the rules have changed meanwhile
		return p.beginStepUp(w, r, a)
	}
	return p.issueCode(w, r, a, c, row)
}

// issueCode stores the code, and uses up the login request if there was one, in
// one transaction, and sends the browser back with it (RFC 6749 §4.1.2), or asks
// for the consent that is missing.
func (p *Provider) issueCode(w http.ResponseWriter, r *http.Request, a *authreq.Request, c *session.Current, row *store.LoginRequest) error {
	if mustAsk(a, row) {
		return p.askConsent(w, r, a, c, row)
	}
	code := secret.Token()
	f := store.Finish{SessionID: c.Session.ID, Consent: p.consent(a, c.Session), Code: p.codeRow(a, c.Session, code), PushedHash: a.Pushed}
	if row != nil {
		f.LoginRequestID, f.BrowserHash = row.ID, row.BrowserHash
	}
	err := p.Store.FinishAuthorization(r.Context(), f)
	switch {
	case errors.Is(err, store.ErrConsent):
		return p.askConsent(w, r, a, c, row)
	case errors.Is(err, store.ErrNotFound) && row == nil: // the session ended a moment ago
		return p.authorize(w, r, a, nil)
	case errors.Is(err, store.ErrReused):
		return pushed.Refused(errors.New("it has given its code"))
	case err != nil:
		return expiredIfGone(err)
	}
	return p.answer(w, r, a, "code", code.Reveal())
}

func (p *Provider) codeRow(a *authreq.Request, s *store.Session, code secret.String) store.Code {
	now := p.Now()
	return store.Code{
		Hash: secret.Hash(code), GrantID: secret.ID(), ClientID: a.Client.ClientID, RedirectURI: a.Redirect, CodeChallenge: a.Challenge,
		UserID: s.UserID, SessionID: s.ID, Scope: clients.WithoutOffline(a.Client, s, a.Scope), Nonce: a.Params["nonce"], JKT: a.Params["dpop_jkt"],
		Claims: a.Claims.Asked.Encode(), Resource: a.Resource, AMR: s.AMR, ACR: a.ToldACR(s.ACR), AuthTime: s.AuthTime,
		CreatedAt: now.UnixMilli(), ExpiresAt: now.Add(p.codeLifetime(a.Client)).UnixMilli(),
	}
}

// codeLifetime: FAPI 2.0 Security Profile §5.3.2.1 allows a minute.
func (p *Provider) codeLifetime(c *store.Client) time.Duration {
	if clients.FAPI(c) {
		return min(p.Lifetimes.Code, time.Minute)
	}
	return p.Lifetimes.Code
}

func expiredIfGone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return web.LoginExpired(err)
	}
	return err
}
