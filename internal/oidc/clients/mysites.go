package clients

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/store"
	"idp/internal/web"
)

// MySites lists the relying parties that a user may use, by name, for the start page:
// those that have a page to go to. Where a login begins says initiate_login_uri, else
// client_uri leads to the site; a redirect URI is no place to begin at, and nobody
// guesses one. What registered itself is not advertised, whatever it says of itself.
func (r *Registry) MySites(issuer string) func(context.Context, *store.User) ([]web.MySite, error) {
	return func(ctx context.Context, u *store.User) ([]web.MySite, error) {
		places, err := r.begins(ctx)
		if err != nil {
			return nil, err
		}
		var sites []web.MySite
		for i := range places {
			c := &places[i]
			if !MayLogIn(c, u) {
				continue
			}
			site := web.MySite{Site: *SiteOf(c, ""), URL: beginsAt(c, issuer)}
			site.Host = webPage(site.URL) // where the link leads
			sites = append(sites, site)
		}
		slices.SortFunc(sites, func(a, b web.MySite) int {
			return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.URL, b.URL))
		})
		return sites, nil
	}
}

// begins are the relying parties that have a place to begin at, kept for a second as
// each of them is: everybody's day begins on that page.
func (r *Registry) begins(ctx context.Context) ([]store.Client, error) {
	r.mu.Lock()
	places, fresh := r.places, r.now().Before(r.until)
	r.mu.Unlock()
	if fresh {
		return places, nil
	}
	all, err := r.store.VouchedClients(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range r.file {
		all = append(all, *c)
	}
	all = slices.DeleteFunc(all, func(c store.Client) bool {
		return c.InitiateLoginURI == "" && c.ClientURI == "" || RegisteredItself(&c) || !MayUse(&c, protocol.GrantTypeCode)
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places, r.until = all, r.now().Add(cacheFor)
	return all, nil
}

// beginsAt is where somebody who wants to use a relying party goes; empty: nobody says.
func beginsAt(c *store.Client, issuer string) string {
	if c.InitiateLoginURI == "" {
		return c.ClientURI
	}
	u, err := url.Parse(c.InitiateLoginURI)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("iss", issuer) // OIDC Core §4: who is to log the person in
	u.RawQuery = q.Encode()
	return u.String()
}

// checkInitiateLoginURI: OIDC Registration §2 wants https; http is for sites on this
// machine, as elsewhere.
func checkInitiateLoginURI(c *store.Client) error {
	if c.InitiateLoginURI == "" {
		return nil
	}
	u, err := url.Parse(c.InitiateLoginURI)
	if err != nil || webPage(c.InitiateLoginURI) == "" || u.Fragment != "" || (u.Scheme != "https" && !local(u.Hostname())) {
		return errors.New("initiate_login_uri: want an absolute https URL (http on this machine) without a fragment, with a host name of letters, digits, hyphens and dots")
	}
	return nil
}
