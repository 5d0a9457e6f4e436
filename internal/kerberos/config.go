package kerberos

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"idp/internal/kerberos/wire"
)

// Config is the `kerberos:` section of the configuration file. OfferTo,
// Fallback, BasicRealm, PasswordFromOutside, MaxFailures and Services are read
// by package authn and by the login pages; the rest is read here.
type Config struct {
	Keytabs                    []string          `yaml:"keytabs"`                      // files; any HTTP/ entry is accepted
	Krb5Conf                   string            `yaml:"krb5_conf"`                    // where the KDCs are
	Realms                     []Realm           `yaml:"realms"`                       // trusted; the first is the default
	OfferTo                    []netip.Prefix    `yaml:"offer_to"`                     // client addresses inside the company
	Fallback                   string            `yaml:"fallback"`                     // basic | form
	BasicRealm                 string            `yaml:"basic_realm"`                  // what the prompt shows
	PasswordFromOutside        bool              `yaml:"password_from_outside"`        // may the rest of the world ask the KDC
	MaxFailures                int               `yaml:"max_failures"`                 // per principal in 30 minutes
	ChannelBinding             string            `yaml:"channel_binding"`              // off | allow | require
	ChannelBindingCertificates []string          `yaml:"channel_binding_certificates"` // PEM files, where a proxy ends TLS
	AllowRC4                   bool              `yaml:"allow_rc4"`                    // accept RC4 tickets and passwords
	Services                   map[string]string `yaml:"services"`                     // principals that are not people → user name
}

// Realm is one trusted realm.
type Realm struct {
	Name        string            `yaml:"name"`
	Groups      map[string]string `yaml:"groups"`       // PAC group SID, or the name of a well-known group → group
	Case        string            `yaml:"case"`         // insensitive | exact; empty: insensitive where there is a full PAC
	Transited   string            `yaml:"transited"`    // checked (default) | trusted: Active Directory never sets the flag
	NetBIOS     string            `yaml:"netbios"`      // AD's short name of the domain: AD\alice
	UPNSuffixes []string          `yaml:"upn_suffixes"` // alice@example.com, where that is no realm
	PAC         string            `yaml:"pac"`          // required | optional; empty: required once the realm has told a SID, or has groups, netbios or upn_suffixes
}

// Values of Config.Fallback: what is offered to whoever has no ticket.
const (
	FallbackBasic = "basic" // the browser's prompt
	FallbackForm  = "form"
)

// Values of Config.ChannelBinding, Realm.Transited, Realm.Case and Realm.PAC.
const (
	bindingOff     = "off"
	bindingRequire = "require"
	transitedTrust = "trusted"
	caseExact      = "exact"
	pacRequired    = "required"
)

// RequiresPAC reports whether the configuration says that every person's ticket of
// the realm has a PAC: literally, or by what only Active Directory has.
func (r *Realm) RequiresPAC() bool {
	return r.PAC == pacRequired || r.PAC == "" && (len(r.Groups) > 0 || r.NetBIOS != "" || len(r.UPNSuffixes) > 0)
}

// AllowsNoPAC reports whether the configuration says that tickets without one are
// good beside those with.
func (r *Realm) AllowsNoPAC() bool { return r.PAC == "optional" }

// DefaultConfig is the section when the file does not have it. No realm is
// trusted by default, so nobody is logged in by ticket until one is named.
func DefaultConfig() Config {
	private := []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}
	c := Config{
		Keytabs:        []string{"http.keytab"},
		Krb5Conf:       "/etc/krb5.conf",
		Fallback:       FallbackBasic,
		MaxFailures:    3,
		ChannelBinding: "allow",
	}
	for _, p := range private {
		c.OfferTo = append(c.OfferTo, netip.MustParsePrefix(p))
	}
	return c
}

// ConfigError is one mistake in the section. Path is the YAML path of the value
// ("$.kerberos.realms[0].case"), by which the file's line can be found.
type ConfigError struct{ Path, Problem, Hint string }

// Error implements error.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s: %s (%s)", strings.TrimPrefix(e.Path, "$."), e.Problem, e.Hint)
}

// Problems returns every mistake in the section, each a *ConfigError. A keytab
// that cannot be used is not among them: it must not keep the server from
// starting, so Acceptor.Ready and Acceptor.Status report it.
func (c *Config) Problems() []error {
	var out []error
	add := func(path, problem, hint string) {
		out = append(out, &ConfigError{Path: "$.kerberos." + path, Problem: problem, Hint: hint})
	}
	oneOf := func(path, value string, allowed ...string) {
		for _, a := range append(allowed, "") {
			if value == a {
				return
			}
		}
		add(path, fmt.Sprintf("unknown value %q", value), "use one of: "+strings.Join(allowed, ", "))
	}
	oneOf("fallback", c.Fallback, FallbackBasic, FallbackForm)
	oneOf("channel_binding", c.ChannelBinding, bindingOff, "allow", bindingRequire)
	if c.MaxFailures < 0 {
		add("max_failures", "is negative", "3 is the default; a KDC counts our guesses against the account's own lock-out")
	}
	if strings.ContainsAny(c.BasicRealm, "\"\\\r\n\x00") {
		add("basic_realm", "holds a quote, backslash or line break", "it is sent in a header; use plain text")
	}
	c.realmProblems(add, oneOf)
	for principal, user := range c.Services {
		if name, realm, ok := strings.Cut(principal, "@"); !ok || name == "" || realm == "" || user == "" {
			add("services", fmt.Sprintf("%q: %q is not a mapping", principal, user), "write HTTP/robot.example.com@EXAMPLE.COM: robot")
		}
	}
	if _, err := certificateBindings(c.ChannelBindingCertificates); err != nil {
		add("channel_binding_certificates", err.Error(), "name PEM files that hold the certificate clients see")
	}
	return out
}

func (c *Config) realmProblems(add func(path, problem, hint string), oneOf func(path, value string, allowed ...string)) {
	seen := map[string]bool{}
	for i, r := range c.Realms {
		path := fmt.Sprintf("realms[%d]", i)
		if wire.CheckName(r.Name) != nil {
			add(path+".name", fmt.Sprintf("%q is no realm name", r.Name), "usually the domain in capitals: EXAMPLE.COM")
		} else if seen[r.Name] {
			add(path+".name", fmt.Sprintf("%q is listed twice", r.Name), "remove one")
		}
		seen[r.Name] = true
		oneOf(path+".case", r.Case, "insensitive", caseExact)
		oneOf(path+".pac", r.PAC, pacRequired, "optional")
		oneOf(path+".transited", r.Transited, "checked", transitedTrust)
		for sid := range r.Groups {
			if !strings.HasPrefix(sid, "S-1-") && !isWellKnown(sid) {
				add(path+".groups", fmt.Sprintf("%q is no SID", sid), "S-1-5-21-…: `Get-ADGroup finance` shows it; or a well-known group such as Domain Users")
			}
		}
	}
	c.aliasProblems(add)
}

// aliasProblems are those of what people type instead of a realm: each may mean
// one realm only.
func (c *Config) aliasProblems(add func(path, problem, hint string)) {
	seen := map[string]bool{}
	for _, r := range c.Realms {
		seen[strings.ToLower(r.Name)] = true
	}
	alias := func(path, text string) {
		switch folded := strings.ToLower(text); {
		case strings.ContainsAny(text, `@\/ `) || wire.CheckName(text) != nil:
			add(path, fmt.Sprintf("%q cannot stand before or after a name", text), `write AD for AD\alice, example.com for alice@example.com`)
		case seen[folded]:
			add(path, fmt.Sprintf("%q means another realm already", text), "remove one")
		default:
			seen[folded] = true
		}
	}
	for i, r := range c.Realms {
		if r.NetBIOS != "" {
			alias(fmt.Sprintf("realms[%d].netbios", i), r.NetBIOS)
		}
		for k, suffix := range r.UPNSuffixes {
			alias(fmt.Sprintf("realms[%d].upn_suffixes[%d]", i, k), suffix)
		}
	}
}

// PromptRealm is what a prompt for a name and a password shows (RFC 7617 §2).
func (c Config) PromptRealm() string {
	if c.BasicRealm == "" && len(c.Realms) > 0 {
		return c.Realms[0].Name
	}
	return cmp.Or(c.BasicRealm, "idp")
}
