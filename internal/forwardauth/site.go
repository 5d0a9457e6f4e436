package forwardauth

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"idp/internal/authn"
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

// gate is what one rule of a site demands, with what it has from the site.
type gate struct {
	anyone   bool
	groups   []string // empty: every user
	acr      string
	networks []netip.Prefix
}

// gateOf is what a rule demands; that of a site itself is the one of the empty rule.
func (s *Site) gateOf(r Rule) gate {
	g := gate{anyone: r.Allow == AllowAnyone, groups: s.Groups, acr: s.ACR, networks: s.Networks}
	if r.Allow != "" {
		g.groups = nil
	}
	if len(r.Groups) > 0 {
		g.groups = r.Groups
	}
	if r.ACR != "" {
		g.acr = r.ACR
	}
	if len(r.Networks) > 0 {
		g.networks = r.Networks
	}
	return g
}

// gates are those that a request for a path has to pass, every one of them: mostly one,
// and several where the path can be read in several ways. Not ok: it cannot be told.
func (s *Site) gates(raw string) (list []gate, ok bool) {
	if len(s.Rules) == 0 {
		return []gate{s.gateOf(Rule{})}, true
	}
	paths, ok := readings(raw)
	if !ok {
		return nil, false
	}
	var seen []int
	for _, p := range paths {
		for _, i := range s.rulesFor(p) {
			if slices.Contains(seen, i) {
				continue
			}
			seen = append(seen, i)
			rule := Rule{}
			if i >= 0 {
				rule = s.Rules[i]
			}
			list = append(list, s.gateOf(rule))
		}
	}
	return list, true
}

// rulesFor is the index of the first rule that a path falls under, -1 for none; and that
// of the first one in the eyes of a program that does not tell capitals from small
// letters.
func (s *Site) rulesFor(p string) []int {
	small := smallLetters(p)
	return []int{
		slices.IndexFunc(s.Rules, func(r Rule) bool { return below(p, r.Path) }),
		slices.IndexFunc(s.Rules, func(r Rule) bool { return below(small, strings.ToLower(r.Path)) }),
	}
}

// smallLetters of capitals: a dotless ı becomes an I, and that an i.
func smallLetters(p string) string {
	small := strings.ToLower(p)
	if strings.ContainsFunc(small, func(c rune) bool { return c > unicode.MaxASCII }) {
		small = strings.ToLower(strings.ToUpper(small))
	}
	return small
}

func (g gate) admits(u *store.User) bool {
	return len(g.groups) == 0 || slices.ContainsFunc(g.groups, func(name string) bool { return slices.Contains(u.Groups, name) })
}

func (g gate) reachableFrom(from authn.From) bool {
	return len(g.networks) == 0 || authn.Inside(g.networks, from)
}

// told are the groups of a user that the site is told.
func (s *Site) told(groups []string) []string {
	if len(s.TellGroups) == 0 {
		return groups
	}
	var told []string
	for _, g := range groups {
		if slices.ContainsFunc(s.TellGroups, func(pattern string) bool {
			prefix, wild := strings.CutSuffix(pattern, "*")
			return g == pattern || wild && strings.HasPrefix(g, prefix)
		}) {
			told = append(told, g)
		}
	}
	return told
}

// everyone who passes some gate of the site: the groups that may log in there; empty:
// every user.
func (s *Site) loginGroups() (groups []string) {
	for _, r := range append([]Rule{{}}, s.Rules...) {
		g := s.gateOf(r)
		if g.anyone {
			continue
		}
		if len(g.groups) == 0 {
			return nil
		}
		groups = append(groups, g.groups...)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// Origin is where browsers find the site, such as https://reports.example.com; on this
// machine it is http where the issuer is.
func (s *Site) Origin(issuer *url.URL) string {
	if local(hostname(s.Host)) && issuer.Scheme == "http" {
		return "http://" + s.Host
	}
	return "https://" + s.Host
}

// OpenToAnyone reports whether nobody has to be logged in for a path.
func (s *Site) OpenToAnyone(path string) bool {
	gates, ok := s.gates(path)
	return ok && !slices.ContainsFunc(gates, func(g gate) bool { return !g.anyone })
}

// Hosts are the host names of the sites.
func (c Config) Hosts() (names []string) {
	for _, s := range c {
		names = append(names, hostname(s.Host))
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
		if local(hostname(s.Host)) {
			uris = append(uris, "http://"+s.Host+PathCallback)
		}
		list = append(list, store.Client{
			ClientID: s.Host, ClientName: s.Name, ClientURI: s.Origin(issuer) + "/", RedirectURIs: uris, AnyPort: hostname(s.Host) == strings.Trim(s.Host, "[]"),
			Scope: "openid profile", AllowGroups: s.loginGroups(), FromFile: true,
		})
	}
	return list
}

// local are the hosts that plain http reaches without leaving this machine.
func local(name string) bool {
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && addr.IsLoopback()
}

// origin of a protected site as a browser sees it, such as https://reports.example.com.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }
