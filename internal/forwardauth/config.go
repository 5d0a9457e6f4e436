package forwardauth

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"idp/internal/authn"
)

// Config is the section forward_auth of the configuration: the protected sites. What
// none of them names is refused.
type Config []Site

// Site is one protected host.
type Site struct {
	Host       string         `yaml:"host"`        // as browsers write it; without a port: whatever the port
	Name       string         `yaml:"name"`        // for people; default: the host
	Groups     []string       `yaml:"groups"`      // the user is in one of them; empty: every user
	ACR        string         `yaml:"acr"`         // what the login must have shown, beside what factors demands; one of authn.ACRLevels
	Networks   []netip.Prefix `yaml:"networks"`    // the client's address is in one of them; empty: wherever it is
	TellGroups []string       `yaml:"tell_groups"` // which of a user's groups the site is told (names or prefix*); empty: all
	Headers    Headers        `yaml:"headers"`
	Passwords  *bool          `yaml:"passwords"` // whether programs may log in by Basic; nil: true
	Rules      []Rule         `yaml:"rules"`     // the first whose path fits decides; none: what stands above
}

// Rule says otherwise for a part of a site. What it does not set is as for the site.
type Rule struct {
	Path     string         `yaml:"path"`  // it and everything below it
	Allow    string         `yaml:"allow"` // AllowAnyone, AllowUsers; empty: who is in Groups
	Groups   []string       `yaml:"groups"`
	ACR      string         `yaml:"acr"`
	Networks []netip.Prefix `yaml:"networks"`
}

// Whom a rule lets in whatever groups they are in.
const (
	AllowAnyone = "anyone" // logged in or not
	AllowUsers  = "users"  // whoever is logged in
)

// Headers are the names under which a site is told who asks. nil: the default; empty:
// it is not told.
type Headers struct {
	User      *string `yaml:"user"`      // default Remote-User
	Name      *string `yaml:"name"`      // default Remote-Name
	Email     *string `yaml:"email"`     // default Remote-Email
	Groups    *string `yaml:"groups"`    // default Remote-Groups
	Assertion *string `yaml:"assertion"` // default Remote-Assertion
}

// Problem is what is wrong with one site, by its index.
type Problem struct {
	Site              int
	Field, Text, Hint string // Field as in rules[2].path
}

// Problems says what is wrong with the section, for an issuer.
func (c Config) Problems(issuer *url.URL) (found []Problem) {
	seen := map[string]int{}
	for i, s := range c {
		add := func(field, text, hint string) { found = append(found, Problem{i, field, text, hint}) }
		s.checkHost(issuer, add)
		if first, twice := seen[hostname(s.Host)]; twice && s.Host != "" {
			add("host", fmt.Sprintf("is the host of forward_auth[%d] too", first), "browsers keep one set of cookies for all ports of a host: one entry, with rules")
		} else {
			seen[hostname(s.Host)] = i
		}
		s.checkHeaders(add)
		checkACR(s.ACR, "acr", add)
		s.covered(add)
		for j, r := range s.Rules {
			r.check(func(field, text, hint string) { add(fmt.Sprintf("rules[%d].%s", j, field), text, hint) })
		}
	}
	return found
}

// Warnings say what is probably not meant as it is written: a site that is told who asks
// under a name that its proxy, as we ship its configuration, passes on from anybody.
func (c Config) Warnings() (found []Problem) {
	for i, s := range c {
		for _, h := range s.Headers.named() {
			if h.name != "" && !slices.Contains(Headers{}.named(), h) {
				found = append(found, Problem{i, "headers." + h.key, fmt.Sprintf("the proxy must overwrite %s, as it does Remote-User: until it does, the header is its client's word", h.name),
					"change the name in the proxy's configuration, too, wherever the other one stands"})
			}
		}
	}
	return found
}

// covered adds what is wrong with rules that never decide: somebody believes in them.
func (s Site) covered(add func(field, text, hint string)) {
	for j, r := range s.Rules {
		if first := slices.IndexFunc(s.Rules[:j], func(before Rule) bool { return below(r.Path, before.Path) }); first >= 0 {
			add(fmt.Sprintf("rules[%d].path", j), fmt.Sprintf("this rule never decides: rules[%d], which comes first, is about all below %s", first, s.Rules[first].Path),
				"the first rule that fits decides: the longer path goes first")
		}
	}
}

func (s Site) checkHost(issuer *url.URL, add func(field, text, hint string)) {
	const hint = "as browsers show it: reports.example.com, or reports.example.com:8443 for one port only"
	name := hostname(s.Host)
	switch {
	case s.Host == "":
		add("host", "is missing", hint)
	case strings.ToLower(s.Host) != s.Host || !spelt(s.Host):
		add("host", fmt.Sprintf("%q is not a host name in lower case, with or without a port", s.Host), hint)
	case name == issuer.Hostname():
		add("host", "is the issuer's own host", "a protected site has a host of its own: what is logged in here must not depend on what runs there")
	}
}

// plainHost: letters, digits, hyphens and dots, or an address; everything else would be
// read in one way here and in another by the proxy.
func plainHost(name string) bool {
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Zone() == ""
	}
	odd := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' }
	return name != "" && len(name) <= 253 && !strings.ContainsFunc(name, odd) &&
		!strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".") && !strings.Contains(name, "..")
}

func plainPort(host string) bool {
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return hostname(host) != "" && !strings.HasSuffix(host, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port[0] != '0'
}

// hostname is a host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// bracketed is a host name as a URL has it (RFC 3986 §3.2.2).
func bracketed(name string) string {
	if strings.Contains(name, ":") {
		return "[" + name + "]"
	}
	return name
}

// spelt reports whether a host is written in its only way, with or without a port.
func spelt(host string) bool {
	name := hostname(host)
	rest, ok := strings.CutPrefix(host, bracketed(name))
	if addr, err := netip.ParseAddr(name); err == nil && addr.String() != name {
		return false
	}
	return ok && plainHost(name) && (rest == "" || rest[0] == ':') && plainPort(host)
}

func (s Site) checkHeaders(add func(field, text, hint string)) {
	seen := map[string]bool{}
	for _, h := range s.Headers.named() {
		name := strings.ToLower(h.name)
		switch {
		case name == "":
			continue
		case strings.ContainsFunc(name, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' }):
			add("headers."+h.key, fmt.Sprintf("%q is no name for a header here", h.name), "letters, digits and hyphens: an underscore would be taken for a hyphen by some programs and not by others")
		case slices.Contains(takenHeaders, name), strings.HasPrefix(name, "sec-"), strings.HasPrefix(name, "idp-"):
			add("headers."+h.key, fmt.Sprintf("%q has a meaning of its own", h.name), "a name of its own, such as X-Forwarded-User")
		case seen[name]:
			add("headers."+h.key, fmt.Sprintf("%q is there twice", h.name), "")
		}
		seen[name] = true
	}
}

// takenHeaders say something else between a proxy and a site.
var takenHeaders = []string{"authorization", "connection", "content-length", "content-type", "cookie", "host", "location", "set-cookie", "transfer-encoding", "upgrade", "www-authenticate",
	"date", "cache-control", "te", "trailer", "refresh", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-uri", "x-forwarded-method", "x-real-ip", "content-security-policy"}

func (r Rule) check(add func(field, text, hint string)) {
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "?#%*\\;") || strings.Contains(r.Path, "//") || !sameSegments(r.Path) {
		add("path", fmt.Sprintf("%q is no path", r.Path), "begin with /, written as people read it, without escapes, dots, queries and patterns: /admin/ is everything below it")
	}
	switch {
	case r.Allow != "" && r.Allow != AllowAnyone && r.Allow != AllowUsers:
		add("allow", fmt.Sprintf("%q lets in nobody we know", r.Allow), AllowAnyone+" or "+AllowUsers+", or groups instead")
	case r.Allow != "" && len(r.Groups) > 0:
		add("allow", "stands beside groups", "one of them: who is let in?")
	case r.Allow == AllowAnyone && r.ACR != "":
		add("acr", "is asked of nobody: anyone is let in", "")
	}
	checkACR(r.ACR, "acr", add)
}

func checkACR(acr, field string, add func(field, text, hint string)) {
	if acr != "" && !slices.Contains(authn.ACRLevels, acr) {
		add(field, fmt.Sprintf("%q is no level", acr), "one of "+strings.Join(authn.ACRLevels, ", "))
	}
}

// header is one of Headers, by its key in the configuration.
type header struct{ key, name string }

func (h Headers) named() []header {
	or := func(name *string, otherwise string) string {
		if name == nil {
			return otherwise
		}
		return *name
	}
	return []header{
		{"user", or(h.User, "Remote-User")}, {"name", or(h.Name, "Remote-Name")}, {"email", or(h.Email, "Remote-Email")},
		{"groups", or(h.Groups, "Remote-Groups")}, {"assertion", or(h.Assertion, "Remote-Assertion")},
	}
}
