package oidc

import (
	"html/template"
	"net/http"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/session"
	"idp/internal/web"
)

// renderDenied shows who is logged in, which site is not for them, and the two
// ways on: another account, or back with access_denied, by a link or, where the
// relying party listens for a form, by a form.
func (p *Provider) renderDenied(w http.ResponseWriter, r *http.Request, a *authreq.Request, c *session.Current, denied *protocol.Error) error {
	other, err := p.otherAccount(r.Context(), a)
	if err != nil {
		return err
	}
	page := web.DeniedPage{
		User: c.User.Name, Site: clients.SiteOf(a.Client, a.Redirect), OtherURL: other,
		Reference: web.Reference(web.InfoFrom(r.Context()), p.Now()),
	}
	page.BackURL, page.BackFields = p.wayBack(a, denied)
	return p.Pages.Render(w, r, http.StatusForbidden, "denied", page)
}

// renderStopped shows what is wrong with a request, and the way back with it to a
// client that nobody has vouched for: who follows it has seen where it leads.
func (p *Provider) renderStopped(w http.ResponseWriter, r *http.Request, a *authreq.Request, e *protocol.Error) error {
	page := web.StoppedPage{Site: clients.SiteOf(a.Client, a.Redirect), What: e.Description, Reference: web.Reference(web.InfoFrom(r.Context()), p.Now())}
	if e.ErrorType == protocol.InteractionRequired || e.ErrorType == protocol.LoginRequired {
		page.What = "it wanted to know who you are without asking you"
	}
	page.BackURL, page.BackFields = p.wayBack(a, e)
	return p.Pages.Render(w, r, http.StatusBadRequest, "stopped", page)
}

// wayBack is where a page leads with an error: an address, and what is posted to it
// where the client listens for a form.
func (p *Provider) wayBack(a *authreq.Request, e *protocol.Error) (address template.URL, fields map[string]string) {
	back, values := a.Redirect, p.complete(a, errorValues(e))
	if a.FormPost {
		fields = single(values)
	} else {
		back = wire.AppendQuery(back, values)
	}
	return template.URL(back), fields //nolint:gosec // of a registered redirect URI, whose scheme clients.Check has judged
}
