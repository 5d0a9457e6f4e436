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
	back, values := a.Redirect, p.complete(a, errorValues(denied))
	if a.FormPost {
		page.BackFields = single(values)
	} else {
		back = wire.AppendQuery(back, values)
	}
	page.BackURL = template.URL(back) //nolint:gosec // of a registered redirect URI, whose scheme clients.Check has judged
	return p.Pages.Render(w, r, http.StatusForbidden, "denied", page)
}
