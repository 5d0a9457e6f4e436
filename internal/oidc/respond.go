package oidc

import (
	"errors"
	"net/http"
	"net/url"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/store"
	"idp/internal/web"
)

// answer sends the browser back to the relying party; every authorization
// response, good or bad, leaves by respond.
func (p *Provider) answer(w http.ResponseWriter, r *http.Request, a *authreq.Request, name, value string) error {
	return p.respond(w, r, a, url.Values{name: {value}})
}

// answerError sends the browser back with an error. Where a client registered itself,
// it may have done so to be forwarded to by us, whom people trust: only somebody who
// has allowed it something is sent on without being asked (RFC 9700 §4.11.2).
func (p *Provider) answerError(w http.ResponseWriter, r *http.Request, a *authreq.Request, e *protocol.Error) error {
	wire.Note(r, e)
	if known, err := p.knownToUser(r, a.Client); err != nil {
		return err
	} else if !known {
		return p.renderStopped(w, r, a, e)
	}
	return p.respond(w, r, a, errorValues(e))
}

// knownToUser reports whether somebody vouches for a client's addresses: an
// administrator, or whoever is logged in and has allowed it something.
func (p *Provider) knownToUser(r *http.Request, client *store.Client) (bool, error) {
	if !clients.RegisteredItself(client) {
		return true, nil
	}
	c, err := p.Sessions.Visitor(r)
	if err != nil || c == nil {
		return false, err
	}
	_, err = p.Store.Consent(r.Context(), c.User.ID, client.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func errorValues(e *protocol.Error) url.Values {
	v := url.Values{"error": {string(e.ErrorType)}}
	if e.Description != "" {
		v.Set("error_description", e.Description)
	}
	return v
}

func (p *Provider) respond(w http.ResponseWriter, r *http.Request, a *authreq.Request, v url.Values) error {
	v = p.complete(a, v)
	if !a.FormPost {
		return web.Redirect(w, r, http.StatusSeeOther, wire.AppendQuery(a.Redirect, v))
	}
	return p.Pages.Render(w, r, http.StatusOK, "formpost", web.FormPostPage{Site: clients.SiteOf(a.Client, a.Redirect), Action: a.Redirect, Fields: single(v)})
}

// complete adds what every authorization response has: state, and iss, which
// tells whose it is (RFC 9207 §2).
func (p *Provider) complete(a *authreq.Request, v url.Values) url.Values {
	if state := a.State(); state != "" {
		v.Set("state", state)
	}
	v.Set("iss", p.Issuer)
	return v
}

// single are values that each come once.
func single(v url.Values) map[string]string {
	fields := map[string]string{}
	for name := range v {
		fields[name] = v.Get(name)
	}
	return fields
}
