// Package sites is what the configuration says of the sites that forward auth protects:
// which hosts they are, whom each page lets in, and what a site is told of them. It knows
// no HTTP and no login.
//
// A rule is about a path and all below it, and the first that fits decides. But who reads
// a path? The proxy resolves dots, a framework decodes escapes, once or twice, Java cuts
// off what follows a semicolon, Windows takes a backslash for a slash. Each of them sees
// another page in /public/..;/admin/, and which of them stands behind us we do not know.
// So a path is read in all the ways in which one of them might (readings), the rules are
// asked about each, and a request has to pass every gate that they name. A path that can
// be read in too many ways, or in one that no program agrees on, is for nobody.
//
// The host decides which rules these are, so it has one spelling (RFC 3986 §3.2.2).
package sites

import "net/netip"

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

// TakesPasswords reports whether programs may log in by Basic.
func (s *Site) TakesPasswords() bool { return s.Passwords == nil || *s.Passwords }

// Headers are the names under which a site is told who asks. nil: the default; empty:
// it is not told.
type Headers struct {
	User      *string `yaml:"user"`      // default Remote-User
	Name      *string `yaml:"name"`      // default Remote-Name
	Email     *string `yaml:"email"`     // default Remote-Email
	Groups    *string `yaml:"groups"`    // default Remote-Groups
	Assertion *string `yaml:"assertion"` // default Remote-Assertion
}

// Header is one of Headers, by its key in the configuration.
type Header struct{ Key, Name string }

// Named are the headers, the user first; an empty name: the site is not told.
func (h Headers) Named() []Header {
	or := func(name *string, otherwise string) string {
		if name == nil {
			return otherwise
		}
		return *name
	}
	return []Header{
		{"user", or(h.User, "Remote-User")}, {"name", or(h.Name, "Remote-Name")}, {"email", or(h.Email, "Remote-Email")},
		{"groups", or(h.Groups, "Remote-Groups")}, {"assertion", or(h.Assertion, "Remote-Assertion")},
	}
}
