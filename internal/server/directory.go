package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"idp/internal/authn"
	"idp/internal/config"
	"idp/internal/directory"
	"idp/internal/kerberos"
	"idp/internal/secret"
	"idp/internal/store"
)

// directoryOptions are those of the section ldap.
func directoryOptions(c *config.Config) directory.Options {
	return directory.Options{Config: c.LDAP, DefaultRealm: defaultRealm(c),
		Password: func() (secret.String, error) { return config.ReadSecret(c.LDAP.PasswordFile) }}
}

// directory is nil without a section ldap. One that does not answer does not stop the
// server: logins go on without it.
func (s *Server) directory(c *config.Config) (*directory.Directory, error) {
	if !c.LDAP.Configured() {
		return nil, nil //nolint:nilnil // no section, no directory
	}
	o := directoryOptions(c)
	o.Log, o.Now = s.log, s.now
	if s.metrics != nil {
		o.Count = s.metrics.Directory
	}
	return directory.New(o)
}

// asks is what sessions and the provider ask about users; nil: nobody is asked.
func asks(a *authn.Authn) func(context.Context, *store.User) (*store.User, bool, error) {
	if a.Directory == nil {
		return nil
	}
	return a.AskDirectory
}

// checkDirectory: what package config does not see of the section ldap.
func checkDirectory(c *config.Config) config.Problems {
	if !c.LDAP.Configured() || len(c.LDAP.Problems()) > 0 {
		return nil
	}
	if c.LDAP.BindDN != "" {
		if _, err := config.ReadSecret(c.LDAP.PasswordFile); err != nil && !isMissing(err) {
			return config.Problems{c.Problem("$.ldap.password_file", err.Error(), "a file with the password of bind_dn on its first line")}
		}
	}
	d, err := directory.New(directoryOptions(c))
	if err == nil {
		d.Close()
	}
	if err == nil || isMissing(err) {
		return nil
	}
	return config.Problems{c.Problem("$.ldap.ca_file", err.Error(), "the PEM certificate of the authority that signed the directory's")}
}

// isMissing: whether files are there, config has looked.
func isMissing(err error) bool {
	var missing *fs.PathError
	return errors.As(err, &missing)
}

// directoryWarnings: people of whom nobody will ask.
func directoryWarnings(c *config.Config) (warnings config.Problems) {
	if !c.LDAP.Configured() {
		return nil
	}
	if len(c.Kerberos.Realms) == 0 {
		return config.Problems{c.Problem("$.ldap", "is asked about people whom Kerberos names, and no realm is trusted", "see kerberos.realms")}
	}
	for i, realm := range c.LDAP.Realms {
		if !slices.ContainsFunc(c.Kerberos.Realms, func(r kerberos.Realm) bool { return r.Name == realm }) {
			warnings = append(warnings, c.Problem(fmt.Sprintf("$.ldap.realms[%d]", i), fmt.Sprintf("%q is not in kerberos.realms", realm), ""))
		}
	}
	return warnings
}
