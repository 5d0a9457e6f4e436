// Package mail sends what the database holds of mail that waits: links for a first or
// a new password, and notices of every change of how somebody logs in.
//
// A mail is a row, written by the transaction of what it tells of (package store), so
// that there is neither a change without its notice nor a notice of what did not
// happen. Every node takes rows that are due, each by one conditional statement and for
// the time of a lease, and sends them by SMTP (RFC 5321) over TLS, with go-mail. What
// failed for reasons that may pass is tried again, later each time, until the mail is
// of no use any more. All mails are plain text: nothing in them has to be clicked but a
// link that somebody waits for.
package mail

import (
	"net/mail"
	"net/netip"
	"os"
	"strings"
)

// How the connection to the mail server is encrypted.
const (
	STARTTLS = "starttls" // RFC 3207, and no mail without it
	Implicit = "implicit" // from the first byte (RFC 8314)
	NoTLS    = "none"     // to this machine only
)

// Config is the section smtp of the configuration file.
type Config struct {
	Host         string `yaml:"host"`          // empty: no mail is sent
	Port         int    `yaml:"port"`          // 0: 587, with implicit TLS 465, without TLS 25
	TLS          string `yaml:"tls"`           // starttls (default), implicit, or none on this machine
	CAFile       string `yaml:"ca_file"`       // PEM; empty: the system's certificates are believed
	Username     string `yaml:"username"`      // empty: no login there
	PasswordFile string `yaml:"password_file"` // its first line
	From         string `yaml:"from"`          // sso@example.com, or a name and <sso@example.com>
}

// On reports whether mail is sent at all.
func (c Config) On() bool { return c.Host != "" }

func (c Config) port() int {
	switch {
	case c.Port != 0:
		return c.Port
	case c.TLS == Implicit:
		return 465
	case c.TLS == NoTLS:
		return 25
	}
	return 587
}

// Problem is something wrong with a key of the section.
type Problem struct{ Key, Text, Hint string }

// Problems returns everything that is wrong with the section, files apart.
func (c Config) Problems() (found []Problem) {
	add := func(key, text, hint string) { found = append(found, Problem{key, text, hint}) }
	if !c.On() {
		if c != (Config{}) {
			add("host", "is missing", "the name of the mail server: mail.example.com")
		}
		return found
	}
	if strings.ContainsAny(c.Host, ":/@ ") {
		add("host", "is not a name or an address", "without port; that is smtp.port")
	}
	if c.Port < 0 || c.Port > 65535 {
		add("port", "is no port", "587 for starttls, 465 for implicit TLS")
	}
	switch c.TLS {
	case "", STARTTLS, Implicit:
	case NoTLS:
		if !local(c.Host) {
			add("tls", "none is for a mail server on this machine only", "mail holds links for passwords: starttls, or implicit")
		}
	default:
		add("tls", "is none of starttls, implicit, none", "")
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		add("from", "is no mail address", "an address that people may see, and answer: sso@example.com")
	}
	if (c.Username == "") != (c.PasswordFile == "") {
		add("username", "needs password_file, and that needs username", "")
	}
	return found
}

func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

// hello is what we call ourselves to the mail server.
func hello(issuerHost string) string {
	if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") {
		return name
	}
	return issuerHost
}
