// Package config reads the one YAML file of idp. The struct is the manual: a key
// of the file is a field here or in the Config of the package that uses it.
//
// Reading is strict and complete: an unknown key, a value of the wrong kind, a
// file that is not there are all reported at once, each with its line, and a
// configuration with any problem starts nothing and, at a reload, replaces
// nothing. Every key has a default that works, so that an old file always starts
// a new binary. Secrets are only ever named by the file that holds them. Scalars
// can be set from the environment too: IDP_LISTEN, IDP_KERBEROS_FALLBACK.
package config

import (
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"idp/internal/authn"
	"idp/internal/directory"
	"idp/internal/forwardauth/sites"
	"idp/internal/kerberos"
	"idp/internal/mail"
	"idp/internal/policy"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/upstream"
	"idp/internal/user"
)

// Config is the configuration file.
type Config struct {
	Issuer         string              `yaml:"issuer"`          // the one public URL, no path; never taken from a request
	Listen         string              `yaml:"listen"`          // host:port
	TLS            TLS                 `yaml:"tls"`             // absent: plain HTTP, on loopback or behind a proxy
	Database       string              `yaml:"database"`        // sqlite:FILE or postgres://…
	SecretKeyFile  string              `yaml:"secret_key_file"` // made with an empty database
	TrustedProxies []netip.Prefix      `yaml:"trusted_proxies"` // whose Forwarded and X-Forwarded-* are believed
	MetricsListen  string              `yaml:"metrics_listen"`  // host:port of /metrics; empty: nothing is counted
	Brand          Brand               `yaml:"brand"`
	Lifetimes      Lifetimes           `yaml:"lifetimes"`
	Kerberos       kerberos.Config     `yaml:"kerberos"`
	Passwords      user.PasswordConfig `yaml:"passwords"` // new ones of local users
	Users          []User              `yaml:"users"`     // seeds for tests and demos
	Upstreams      []upstream.Config   `yaml:"upstreams"` // OpenID providers that people may log in with
	LDAP           directory.Config    `yaml:"ldap"`
	SMTP           mail.Config         `yaml:"smtp"`
	Factors        policy.Rules        `yaml:"factors"`   // who must show how much; the first rule that fits decides
	Limits         authn.Limits        `yaml:"limits"`    // how many wrong passwords an address may send
	Sessions       session.Rules       `yaml:"sessions"`  // how long logins last; the first rule that fits decides, else lifetimes
	Clients        []store.Client      `yaml:"clients"`   // relying parties this file owns
	Resources      []store.Resource    `yaml:"resources"` // whom access tokens can be made for
	Registration   Registration        `yaml:"registration"`
	ForwardAuth    sites.Config        `yaml:"forward_auth"` // sites behind a proxy that asks us; needs trusted_proxies

	// Path is the file this came from; empty when there is none.
	Path string `yaml:"-"`
	// HasKerberos tells whether there is a kerberos section at all, in the file or
	// by IDP_KERBEROS_… variables.
	HasKerberos bool `yaml:"-"`

	lines   map[string]int  // YAML path → line, for the problems found later
	fromEnv map[string]bool // the variables that set something
}

// TLS names a certificate and its key, PEM; both are read again when changed.
type TLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// Brand is how pages look.
type Brand struct {
	Name     string     `yaml:"name"`
	Logo     string     `yaml:"logo"`      // SVG or PNG file
	LogoDark string     `yaml:"logo_dark"` // the same for dark pages; empty: logo
	Accent   string     `yaml:"accent"`    // #rrggbb
	Help     string     `yaml:"help"`      // URL of the company's help page
	Texts    BrandTexts `yaml:"texts"`
}

// BrandTexts are the company's own words, plain text; empty: ours, or none.
type BrandTexts struct {
	LoginTitle string `yaml:"login_title"` // in place of "Log in"
	LoginIntro string `yaml:"login_intro"` // below it
	Footer     string `yaml:"footer"`      // at the foot of every page
	Support    string `yaml:"support"`     // beside the reference of an error: whom to read it to
}

// Lifetimes are how long things live.
type Lifetimes struct {
	Code            Duration `yaml:"code"`
	AccessToken     Duration `yaml:"access_token"`
	IDToken         Duration `yaml:"id_token"`
	RefreshIdle     Duration `yaml:"refresh_idle"`
	SessionIdle     Duration `yaml:"session_idle"`
	SessionAbsolute Duration `yaml:"session_absolute"`
	Invitation      Duration `yaml:"invitation"` // a link for somebody's first password
	Reset           Duration `yaml:"reset"`      // a link for a new one
}

// Duration is written as in Go: 90s, 5m, 8h.
type Duration = session.Duration

// User is a local user made at start where the name is free; never changed and
// never deleted by the file.
type User struct {
	Name          string           `yaml:"name"` // what is typed to log in
	PasswordFile  string           `yaml:"password_file"`
	FullName      string           `yaml:"full_name"` // the claim name
	Email         string           `yaml:"email"`
	EmailVerified bool             `yaml:"email_verified"`
	Groups        []string         `yaml:"groups"`
	Claims        store.UserClaims `yaml:"claims"` // the other standard claims
}

// Registration lets relying parties register themselves (RFC 7591).
type Registration struct {
	InitialAccessTokenFile string `yaml:"initial_access_token_file"` // who holds what is in it may; empty: nobody
}

// Default is the configuration without a file: a local server to look at.
func Default() *Config {
	return &Config{
		Issuer: "http://localhost:8080", Listen: "127.0.0.1:8080",
		Database: "sqlite:idp.db", SecretKeyFile: "idp.key",
		Brand: Brand{Name: "idp", Accent: "#0b5fff"},
		Lifetimes: Lifetimes{
			Code: Duration(time.Minute), AccessToken: Duration(5 * time.Minute), IDToken: Duration(5 * time.Minute),
			RefreshIdle: Duration(8 * time.Hour), SessionIdle: Duration(8 * time.Hour), SessionAbsolute: Duration(12 * time.Hour),
			Invitation: Duration(24 * time.Hour), Reset: Duration(time.Hour),
		},
		Kerberos: kerberos.DefaultConfig(),
		Limits:   authn.DefaultLimits(),
	}
}

// Find returns the path of the configuration file: the one named, else idp.yaml
// here or in /etc/idp, else "" for none.
func Find(named string) string {
	if named != "" {
		return named
	}
	for _, path := range []string{"idp.yaml", "/etc/idp/idp.yaml"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// Load reads the file at path ("" for none), applies the environment and checks
// the result. The error is Problems when anything is wrong with it. The Config
// comes with them, so that more can be found in it, but must not be used; it is
// nil when the file cannot be read at all.
func Load(path string, environ []string) (*Config, error) {
	c := Default()
	c.Path = path
	var problems Problems
	if path != "" {
		text, err := os.ReadFile(path) //nolint:gosec // the admin names the file
		if err != nil {
			return nil, Problems{{File: path, Text: err.Error(), Hint: "name the file with --config, or run without one to try idp on localhost"}}
		}
		c.lines, problems = decode(text, c)
		_, c.HasKerberos = c.lines["$.kerberos"]
		for i := range problems {
			problems[i].File = path
		}
	}
	problems = append(problems, c.environment(environ)...)
	c.resolvePaths()
	problems = problems.With(c.check())
	if len(problems) > 0 {
		return c, problems.sorted()
	}
	return c, nil
}

// Problem is something wrong with the value at path ("$.clients[0].scope"), said
// where it was set: by a variable, or in the file, whose line is that of the
// value or, when it is missing, of what it should be in.
func (c *Config) Problem(path, text, hint string) Problem {
	name := "IDP_" + strings.ToUpper(strings.ReplaceAll(key(path), ".", "_"))
	if c.fromEnv[name] {
		return Problem{Key: name, Text: text, Hint: hint}
	}
	p := Problem{File: c.Path, Key: key(path), Text: text, Hint: hint}
	for at := path; p.Line == 0 && at != "$" && at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		p.Line = c.lines[at]
	}
	return p
}

// IssuerURL is the parsed issuer; check has seen that it parses.
func (c *Config) IssuerURL() *url.URL {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// resolvePaths makes every file name relative to the configuration file's folder.
func (c *Config) resolvePaths() {
	base := filepath.Dir(c.Path)
	if c.Path == "" {
		base = "."
	}
	abs := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
	if file, ok := sqliteFile(c.Database); ok {
		abs(&file)
		c.Database = "sqlite:" + file
	}
	for _, p := range []*string{&c.SecretKeyFile, &c.TLS.Certificate, &c.TLS.Key, &c.Brand.Logo, &c.Brand.LogoDark, &c.Registration.InitialAccessTokenFile, &c.Passwords.BlocklistFile, &c.SMTP.PasswordFile, &c.SMTP.CAFile,
		&c.LDAP.PasswordFile, &c.LDAP.CAFile} {
		abs(p)
	}
	if _, set := c.lines["$.kerberos.krb5_conf"]; set {
		abs(&c.Kerberos.Krb5Conf)
	}
	for i := range c.Kerberos.Keytabs {
		abs(&c.Kerberos.Keytabs[i])
	}
	for i := range c.Kerberos.ChannelBindingCertificates {
		abs(&c.Kerberos.ChannelBindingCertificates[i])
	}
	for i := range c.Users {
		abs(&c.Users[i].PasswordFile)
	}
	for i := range c.Upstreams {
		abs(&c.Upstreams[i].ClientSecretFile)
		abs(&c.Upstreams[i].ClientKeyFile)
	}
	for i := range c.Clients {
		abs(&c.Clients[i].ClientSecretFile)
		abs(&c.Clients[i].NextClientSecretFile)
		abs(&c.Clients[i].JWKSFile)
	}
}
