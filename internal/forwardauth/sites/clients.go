package sites

import (
	"net/url"
	"strings"

	"idp/internal/store"
)

// Paths of ours on a protected site; nothing else of it comes to us.
const (
	PathOurs     = "/.idp/"
	PathStart    = "/.idp/start"
	PathCallback = "/.idp/callback"
	PathSignOut  = "/.idp/sign-out"
	PathDenied   = "/.idp/denied"
)

// Origin is where browsers find the site, such as https://reports.example.com; on this
// machine it is http where the issuer is.
func (s *Site) Origin(issuer *url.URL) string {
	if Local(s.Host) && issuer.Scheme == "http" {
		return "http://" + s.Host
	}
	return "https://" + s.Host
}

// Hosts are the host names of the sites.
func (c Config) Hosts() (names []string) {
	for _, s := range c {
		names = append(names, Hostname(s.Host))
	}
	return names
}

// Clients are the sites as relying parties: a login there is one at a relying party
// whose client_id is the host, so that all rules about relying parties hold. None of
// them has a secret: the token endpoint is not for them.
func (c Config) Clients(issuer *url.URL) []store.Client {
	list := make([]store.Client, 0, len(c))
	for _, s := range c {
		uris := []string{"https://" + s.Host + PathCallback}
		if Local(s.Host) {
			uris = append(uris, "http://"+s.Host+PathCallback)
		}
		list = append(list, store.Client{
			ClientID: s.Host, ClientName: s.Name, ClientURI: s.Origin(issuer) + "/", RedirectURIs: uris, AnyPort: Hostname(s.Host) == strings.Trim(s.Host, "[]"),
			Scope: "openid profile", AllowGroups: s.loginGroups(), FromFile: true,
		})
	}
	return list
}
