// Package directory asks an LDAP directory for names, mail addresses and groups of
// people that Kerberos only names, and whether their accounts are still enabled.
package directory

// Config is the section ldap of the configuration file.
type Config struct {
	URL string `yaml:"url"` // ldaps://… or ldap://… (with StartTLS); empty: no directory
}
