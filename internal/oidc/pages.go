package oidc

import (
	"html/template"
	"net/http"

	"idp/internal/oidc/clients"
	"idp/internal/session"
	"idp/internal/web"
)

// renderDenied shows who is logged in, which site is not for them, and the two
// ways on: another account, or back with access_denied.
func (p *Provider) renderDenied(w http.ResponseWriter, r *http.Request, a *authRequest, c *session.Current, back string) error {
	return p.Pages.Render(w, r, http.StatusForbidden, "denied", web.DeniedPage{
		User: c.User.Name, Site: clients.SiteOf(a.client), OtherURL: otherAccount(a), BackURL: template.URL(back), //nolint:gosec // of a registered redirect URI, whose scheme CheckClient has judged

		Reference: web.Reference(web.InfoFrom(r.Context()), p.Now()),
	})
}
