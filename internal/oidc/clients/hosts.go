package clients

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/fetch"
	"idp/internal/store"
)

// Where a relying party is, people are shown where they decide, and no name says it
// as well as a host. It is proven by nothing but the redirect that follows: whoever
// names a host that is not theirs gets no code. So who registers itself has one
// host, which is nobody else's, and what has no redirect shows none (SiteOf).

// leadsTo is where a URI leads, as people are shown it: a host, or an app by its
// scheme (RFC 8252 §7.1), which may look like a host and is none.
func leadsTo(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return ""
	case u.Scheme != "https" && u.Scheme != "http":
		return "the app " + u.Scheme
	case !fetch.PlainHost(u):
		return ""
	}
	return strings.ToLower(u.Host)
}

// ownPlace is where all of a client's redirect URIs lead; empty where they lead to
// several places, and for who registered itself and can do without a redirect, which
// would prove it.
func ownPlace(c *store.Client) string {
	if c.Registered && MayUse(c, protocol.GrantTypeDeviceCode) {
		return ""
	}
	var places []string
	for _, uri := range c.RedirectURIs {
		places = append(places, leadsTo(uri))
	}
	if places = slices.Compact(slices.Sorted(slices.Values(places))); len(places) != 1 {
		return ""
	}
	return places[0]
}

// owner is what a URI belongs to: a host name, whatever its port and scheme; on this
// machine, where each port is another program's, with the port; of an app its scheme.
func owner(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || uri == "" {
		return ""
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return u.Scheme + ":"
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if !local(host) {
		return host
	}
	port := u.Port()
	switch {
	case port == "" && u.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	if !strings.HasSuffix(host, ".localhost") {
		host = "localhost" // by its name or its address
	}
	return host + ":" + port
}

// ownMachine: the redirect URI of a native app on its user's own machine (RFC 8252
// §7.3), which says nothing of whose it is.
func ownMachine(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "http" && local(u.Hostname())
}

// redirects are all addresses that browsers are sent to for a client, each behind
// the name of its member.
func redirects(c *store.Client) (all [][2]string) {
	for _, uri := range c.RedirectURIs {
		all = append(all, [2]string{"redirect_uris", uri})
	}
	for _, uri := range c.PostLogoutRedirectURIs {
		all = append(all, [2]string{"post_logout_redirect_uris", uri})
	}
	return all
}

// checkOneHost: browsers are sent to one host, beside apps, for who registered itself.
func checkOneHost(c *store.Client) error {
	host := ""
	for _, r := range redirects(c) {
		own := owner(r[1])
		if ownMachine(r[1]) || !strings.HasPrefix(r[1], "http") { // an app's scheme has a dot in it: none begins so
			continue
		}
		if host != "" && own != host {
			return fmt.Errorf("%s: %q: want all of a relying party that registers itself at one host, as others are at %s", r[0], r[1], host)
		}
		host = own
	}
	return nil
}

// errClaimed: a newcomer names what is somebody else's.
type errClaimed struct{ error }

// IsClaimed reports whether an error of CheckNewcomer is the newcomer's.
func IsClaimed(err error) bool {
	var c errClaimed
	return errors.As(err, &c)
}

// CheckNewcomer refuses who registers itself at the host of this server, or at that
// of a relying party that an administrator has written down or trusts. Others that
// have registered themselves are in nobody's way: software does so anew whenever it
// likes, and else a stranger could keep a host from its owner.
func (r *Registry) CheckNewcomer(ctx context.Context, c *store.Client, issuer string) error {
	known, err := r.known(ctx)
	if err != nil {
		return err
	}
	for _, uri := range redirects(c) {
		own := owner(uri[1])
		switch {
		case own == owner(issuer):
			return errClaimed{fmt.Errorf("%s: %q: is this server's own host", uri[0], uri[1])}
		case known[own] && !ownMachine(uri[1]):
			return errClaimed{fmt.Errorf("%s: %q: another relying party is known to be there; the administrator can add more", uri[0], uri[1])}
		}
	}
	return nil
}

// known are the owners of the URIs of relying parties that somebody here vouches for.
func (r *Registry) known(ctx context.Context) (map[string]bool, error) {
	all, err := r.store.Clients(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range r.file {
		all = append(all, *c)
	}
	known := map[string]bool{}
	for i := range all {
		if c := &all[i]; !RegisteredItself(c) {
			for _, uri := range append([][2]string{{"client_uri", c.ClientURI}}, redirects(c)...) {
				known[owner(uri[1])] = true
			}
		}
	}
	delete(known, "")
	return known, nil
}
