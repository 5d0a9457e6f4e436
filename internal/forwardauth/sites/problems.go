package sites

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"idp/internal/policy"
)

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
		if first, twice := seen[Hostname(s.Host)]; twice && s.Host != "" {
			add("host", fmt.Sprintf("is the host of forward_auth[%d] too", first), "browsers keep one set of cookies for all ports of a host: one entry, with rules")
		} else {
			seen[Hostname(s.Host)] = i
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
		for _, h := range s.Headers.Named() {
			if h.Name != "" && !slices.Contains(Headers{}.Named(), h) {
				found = append(found, Problem{i, "headers." + h.Key, fmt.Sprintf("the proxy must overwrite %s, as it does Remote-User: until it does, the header is its client's word", h.Name),
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
	name := Hostname(s.Host)
	switch {
	case s.Host == "":
		add("host", "is missing", hint)
	case strings.ToLower(s.Host) != s.Host || !spelt(s.Host):
		add("host", fmt.Sprintf("%q is not a host name in lower case, with or without a port", s.Host), hint)
	case strings.HasSuffix(s.Host, ":443"): // of https, which all sites are but those of this machine
		add("host", fmt.Sprintf("%q has the port that browsers leave out, so nobody comes by this name", s.Host), "without :443 it is every port's")
	case name == issuer.Hostname():
		add("host", "is the issuer's own host", "a protected site has a host of its own: what is logged in here must not depend on what runs there")
	}
}

func (s Site) checkHeaders(add func(field, text, hint string)) {
	seen := map[string]bool{}
	for _, h := range s.Headers.Named() {
		name := strings.ToLower(h.Name)
		switch {
		case name == "":
			continue
		case strings.ContainsFunc(name, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' }):
			add("headers."+h.Key, fmt.Sprintf("%q is no name for a header here", h.Name), "letters, digits and hyphens: an underscore would be taken for a hyphen by some programs and not by others")
		case slices.Contains(takenHeaders, name), strings.HasPrefix(name, "sec-"), strings.HasPrefix(name, "idp-"):
			add("headers."+h.Key, fmt.Sprintf("%q has a meaning of its own", h.Name), "a name of its own, such as X-Forwarded-User")
		case seen[name]:
			add("headers."+h.Key, fmt.Sprintf("%q is there twice", h.Name), "")
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
	if acr != "" && !slices.Contains(policy.ACRLevels, acr) {
		add(field, fmt.Sprintf("%q is no level", acr), "one of "+strings.Join(policy.ACRLevels, ", "))
	}
}
