package clients

import (
	"cmp"
	"context"

	"idp/internal/store"
	"idp/internal/web"
)

// Site shows the client of an id on a page, as SiteOf does. Nil when there is none.
func (r *Registry) Site(ctx context.Context, id, redirect string) *web.Site {
	if id == "" {
		return nil
	}
	client, err := r.ByID(ctx, id)
	if err != nil {
		return nil
	}
	return SiteOf(client, redirect)
}

// SiteOf shows a client on a page: its name, whether anybody has vouched for it, and
// where it is, which is where redirect leads, the redirect URI of the request that the
// page is about. Without a request (redirect is empty) it is the one place that all
// of the client's lead to, as far as that can be believed.
func SiteOf(c *store.Client, redirect string) *web.Site {
	s := &web.Site{Name: cmp.Or(c.ClientName, c.ClientID), Host: leadsTo(redirect), Unchecked: RegisteredItself(c)}
	if redirect == "" {
		s.Host = ownPlace(c)
	}
	return s
}

// About are the pages that a relying party has on itself (RFC 7591 §2). Of one that
// registered itself they are shown beside a request alone, and those at the host that
// the answer goes to: others would lend it the good name of whoever is there.
func (r *Registry) About(ctx context.Context, id, redirect string) []web.SiteLink {
	client, err := r.ByID(ctx, id)
	if err != nil {
		return nil
	}
	var links []web.SiteLink
	for _, l := range []web.Link{
		{Text: "About the site", URL: client.ClientURI},
		{Text: "What it does with what it learns", URL: client.PolicyURI},
		{Text: "Its terms", URL: client.TOSURI},
	} {
		if host := webPage(l.URL); host != "" && (!client.Registered || sameSite(redirect, l.URL)) {
			links = append(links, web.SiteLink{Text: l.Text, URL: l.URL, Host: host})
		}
	}
	return links
}
