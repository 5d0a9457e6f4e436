package oidc

import (
	"net/http"
	"net/url"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/web"
)

// answer sends the browser back to the relying party; every authorization
// response, good or bad, leaves by respond.
func (p *Provider) answer(w http.ResponseWriter, r *http.Request, a *authreq.Request, name, value string) error {
	return p.respond(w, r, a, url.Values{name: {value}})
}

func (p *Provider) answerError(w http.ResponseWriter, r *http.Request, a *authreq.Request, e *protocol.Error) error {
	wire.Note(r, e)
	return p.respond(w, r, a, errorValues(e))
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
