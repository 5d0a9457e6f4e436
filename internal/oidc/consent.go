package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/visitor"
	"idp/internal/web"
)

// Consent (OIDC Core §3.1.2.4). For a trusted client its admin has given it, and
// nobody is asked, not even by prompt=consent. For others the person is asked on a
// page of package login for all that the client would get, and the answer is kept:
// who was asked once is asked again only for more, by prompt=consent, or where any
// program of this machine could be the one that asks.
//
// Nothing here decides by reading: the statement that stores the code holds the
// consent, and fails when it does not cover what the code gives (store.ErrConsent).

// consent is what the user must have allowed the client before it gets a code;
// empty when the client is trusted.
func (p *Provider) consent(a *authreq.Request, s *store.Session) string {
	if clients.Trusted(a.Client) {
		return ""
	}
	scope := clients.WithoutOffline(a.Client, s, a.Scope)
	return clients.ConsentItems(scope, tokens.ClaimsAlone(a.Client, a.Claims.Asked, scope), strings.Fields(a.Resource))
}

// mustAsk reports whether the person is asked whatever was allowed before, and this
// login request has no answer yet: because the client wants it (OIDC Core §3.1.2.1),
// or because what was allowed may have been allowed to another (RFC 8252 §8.6).
func mustAsk(a *authreq.Request, row *store.LoginRequest) bool {
	if clients.Trusted(a.Client) || (row != nil && row.ConsentAnswer == store.ConsentAllowed) {
		return false
	}
	return a.Prompts(protocol.PromptConsent) || !clients.Proven(a.Client, a.Redirect)
}

// mayKnow reports whether the client may learn by prompt=none who is logged in, and
// how: it is trusted, or its user has allowed all that it asks for.
func (p *Provider) mayKnow(ctx context.Context, a *authreq.Request, c *session.Current) (bool, error) {
	switch {
	case clients.Trusted(a.Client):
		return true, nil
	case c == nil || mustAsk(a, nil):
		return false, nil
	}
	had, err := p.Store.Consent(ctx, c.User.ID, a.Client.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && had.Covers(p.consent(a, c.Session)), err
}

// interactionRequired is the one answer to prompt=none for a client that may not know
// who is there (OIDC Core §3.1.2.6), or with err that nobody could find out. Whether
// somebody is logged in, who, since when and how: each of login_required,
// consent_required and access_denied would tell it some of that. This one is true of
// all: without a page it does not go on.
func (p *Provider) interactionRequired(w http.ResponseWriter, r *http.Request, a *authreq.Request, err error) error {
	if err != nil {
		return err
	}
	return p.answerError(w, r, a, protocol.ErrInteractionRequired().WithDescription("the user has to be asked first"))
}

// askConsent sends the browser to the consent page: with the login request that
// ended in this session, or with one that says so from the start.
func (p *Provider) askConsent(w http.ResponseWriter, r *http.Request, a *authreq.Request, c *session.Current, row *store.LoginRequest) error {
	if a.Prompts(protocol.PromptNone) { // taken back a moment ago
		return p.interactionRequired(w, r, a, nil)
	}
	asked := p.consent(a, c.Session)
	if row != nil {
		if err := p.Store.AskConsent(r.Context(), row.ID, row.BrowserHash, c.Session.ID, asked); err != nil {
			return expiredIfGone(err)
		}
		return web.Redirect(w, r, http.StatusSeeOther, policy.PathConsent+"?login="+url.QueryEscape(row.ID))
	}
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	next := p.loginRow(a, b)
	next.UserID, next.SessionID, next.AuthTime, next.Consent = c.User.ID, c.Session.ID, c.Session.AuthTime, asked
	step, err := p.Policy.BeginConsent(r.Context(), next, visitor.At(r, a.Client.ClientID))
	return visitor.SendOn(w, r, step, err)
}

// refusedConsent uses up a login request whose person does not allow it.
func (p *Provider) refusedConsent(w http.ResponseWriter, r *http.Request, a *authreq.Request, row *store.LoginRequest) error {
	if _, err := p.Store.ConsumeLoginRequest(r.Context(), row.ID, row.BrowserHash, row.SessionID); err != nil {
		return expiredIfGone(err)
	}
	denied := protocol.ErrAccessDenied().WithDescription("the user did not allow it")
	wire.Note(r, denied)
	return p.respond(w, r, a, errorValues(denied)) // whatever client it is: its person has just seen where this goes
}
