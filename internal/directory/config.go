package directory

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Config is the section ldap of the configuration file.
type Config struct {
	URL          string            `yaml:"url"`           // ldaps://… or ldap://… (then with StartTLS); several, separated by spaces: asked in this order. Empty: no directory
	Type         string            `yaml:"type"`          // ad: Active Directory, Samba; ldap: OpenLDAP, FreeIPA, 389
	BindDN       string            `yaml:"bind_dn"`       // who idp is there; empty: nobody (anonymous)
	PasswordFile string            `yaml:"password_file"` // its password
	Base         string            `yaml:"base"`          // people and groups are below it
	CAFile       string            `yaml:"ca_file"`       // PEM, whose certificates are believed; empty: the system's
	Realms       []string          `yaml:"realms"`        // whose people it knows; empty: the default realm
	Filter       string            `yaml:"filter"`        // who counts as a person; empty: as the type has it
	Attributes   Attributes        `yaml:"attributes"`    // what is read of a person; empty: as the type has it
	Groups       map[string]string `yaml:"groups"`        // group there, by its DN or name → group here
	AllGroups    bool              `yaml:"all_groups"`    // the other groups count too, by the names they have there
	Timeout      Duration          `yaml:"timeout"`       // all that one question may take
}

// Attributes name what is read of a person.
type Attributes struct {
	Login string `yaml:"login"` // the name of the principal, without realm
	Name  string `yaml:"name"`  // full name
	Email string `yaml:"email"`
}

// Duration is written as in Go: 2s, 500ms.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// The types of directories.
const (
	typeAD   = "ad"
	typeLDAP = "ldap"
)

// Bounds of timeout: somebody waits for it.
const (
	defaultTimeout = 2 * time.Second
	maxTimeout     = 10 * time.Second
)

// Configured reports whether there is a directory.
func (c *Config) Configured() bool { return c.URL != "" }

// TellsGroups reports whether the groups of people come from the directory.
func (c *Config) TellsGroups() bool { return c.AllGroups || len(c.Groups) > 0 }

// URLs are the servers, in the order in which they are asked.
func (c *Config) URLs() []string { return strings.Fields(c.URL) }

// Problem is one mistake in the section: what is wrong with a field, and what mends it.
type Problem struct{ Field, Text, Hint string }

// Problems returns every mistake in the section. Files are looked at by New.
func (c *Config) Problems() (found []Problem) {
	add := func(field, text, hint string) { found = append(found, Problem{field, text, hint}) }
	if !c.Configured() {
		if c.Base != "" || c.BindDN != "" || c.Type != "" {
			add("url", "is missing", "ldaps://dc1.example.com ldaps://dc2.example.com")
		}
		return found
	}
	for _, text := range c.URLs() {
		if _, err := parseURL(text); err != nil {
			add("url", err.Error(), "ldaps://dc1.example.com, or ldap://dc1.example.com for StartTLS; several are separated by spaces")
		}
	}
	if c.Type != typeAD && c.Type != typeLDAP {
		add("type", fmt.Sprintf("is %q", c.Type), "ad for Active Directory and Samba, ldap for OpenLDAP, FreeIPA and others")
	}
	if dn, err := ldap.ParseDN(c.Base); err != nil || len(dn.RDNs) == 0 {
		add("base", fmt.Sprintf("%q is not a DN", c.Base), "below which people and groups are: dc=example,dc=com")
	}
	switch {
	case c.BindDN != "" && c.PasswordFile == "":
		add("password_file", "is missing", "a file with the password of bind_dn on its first line")
	case c.BindDN == "" && c.PasswordFile != "":
		add("bind_dn", "is missing", "whose password is in password_file: cn=idp,ou=services,dc=example,dc=com")
	case c.BindDN == "" && c.Type == typeAD:
		add("bind_dn", "is missing", "Active Directory tells strangers nothing: idp@example.com, an account without any rights of its own")
	}
	if d := time.Duration(c.Timeout); d < 0 || d > maxTimeout {
		add("timeout", "is not between 0 and 10s", "somebody who logs in waits for it; 2s is the default")
	}
	return append(found, c.readingProblems()...)
}

// readingProblems are those of what is read.
func (c *Config) readingProblems() (found []Problem) {
	add := func(field, text, hint string) { found = append(found, Problem{field, text, hint}) }
	if c.Filter != "" {
		if _, err := ldap.CompileFilter(c.Filter); err != nil {
			add("filter", fmt.Sprintf("%q is not a filter (RFC 4515)", c.Filter), "(&(objectClass=person)(employeeType=staff))")
		}
	}
	for field, name := range map[string]string{"login": c.Attributes.Login, "name": c.Attributes.Name, "email": c.Attributes.Email} {
		if name != "" && !attributeName.MatchString(name) {
			add("attributes."+field, fmt.Sprintf("%q is not the name of an attribute", name), "letters, digits and hyphens")
		}
	}
	for there, here := range c.Groups {
		switch {
		case !usableGroup(here):
			add("groups", fmt.Sprintf("%q: %q is not the name of a group", there, here), "what sites are told")
		case strings.Contains(there, "="):
			if _, err := ldap.ParseDN(there); err != nil {
				add("groups", fmt.Sprintf("%q is neither a name nor a DN", there), "cn=finance,ou=groups,dc=example,dc=com")
			}
		}
	}
	return found
}

var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

// parseURL takes a server's URL apart. There is no way to ask without TLS, on this
// machine neither: what comes back decides who may log in and who is an
// administrator, and whoever forwards a port from here can forward one with TLS.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "ldaps" && u.Scheme != "ldap"):
		return nil, fmt.Errorf("%q is not ldaps://HOST or ldap://HOST", text)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q has more than scheme, host and port", u.Redacted())
	}
	if u.Port() == "" {
		u.Host = strings.TrimSuffix(u.Host, ":") + map[string]string{"ldaps": ":636", "ldap": ":389"}[u.Scheme]
	}
	return u, nil
}
