package oidc

import (
	"net/http"
	"net/url"

	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// renderDenied shows who is logged in, which site is not for them, and the two
// ways on: another account, or back with access_denied.
func (p *Provider) renderDenied(w http.ResponseWriter, r *http.Request, a *authRequest, c *session.Current, back string) error {
	return p.Pages.Render(w, r, http.StatusForbidden, "denied", web.DeniedPage{
		User: c.User.Name, Site: site(a.client), OtherURL: otherAccount(a), BackURL: back,
		Reference: web.Reference(web.InfoFrom(r.Context()), p.Now()),
	})
}

// site is a relying party as people see it: its name, and the host it is at.
func site(c *store.Client) *web.Site {
	s := &web.Site{Name: c.ClientName}
	if s.Name == "" {
		s.Name = c.ClientID
	}
	if len(c.RedirectURIs) > 0 {
		if u, err := url.Parse(c.RedirectURIs[0]); err == nil {
			s.Host = u.Host
		}
	}
	return s
}
