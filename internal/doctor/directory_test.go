package doctor_test

import (
	"strings"
	"testing"
	"time"

	"idp/internal/directory"
	"idp/internal/directory/ldaptest"
	"idp/internal/secret"
)

// asking is an installation with a directory; change makes of its section another.
func asking(t *testing.T, s *ldaptest.Server, change func(*directory.Config)) *installation {
	t.Helper()
	in := newInstallation(t)
	o := directory.Options{Config: s.Config(), Password: func() (secret.String, error) { return ldaptest.Password, nil }}
	if change != nil {
		change(&o.Config)
	}
	in.Directory = &o
	return in
}

func TestDirectory(t *testing.T) {
	s := ldaptest.Start(t)
	addr := strings.TrimPrefix(s.LDAPS, "ldaps://")
	wants(t, asking(t, s, nil).say("directory"), "failed "+addr+": no person is to be seen below "+ldaptest.Base)
	s.AddPerson("alice")
	wants(t, asking(t, s, nil).say("directory"), "ok "+addr+" answers")
	wants(t, newInstallation(t).say("directory"))

	hangs, other := ldaptest.Silent(t), ldaptest.NoTLS(t)
	wants(t, asking(t, s, func(c *directory.Config) { c.URL = "ldaps://" + hangs.Addr + " ldap://" + other.Addr + " " + s.LDAP }).say("directory"),
		"warning "+hangs.Addr+": TLS: no answer in time", "warning "+other.Addr+": StartTLS: ", "ok "+strings.TrimPrefix(s.LDAP, "ldap://")+" answers")
	wants(t, asking(t, s, func(c *directory.Config) { c.Filter = "(uid=nobody)" }).say("directory"), "failed "+addr+": no person is to be seen")
	wants(t, asking(t, s, func(c *directory.Config) { c.Base = "dc=elsewhere" }).say("directory"), "failed "+addr+": search: ")
	wants(t, asking(t, s, func(c *directory.Config) { c.CAFile = s.Dir + "/none.pem" }).say("directory"), "failed none.pem")
	wants(t, asking(t, s, func(c *directory.Config) { c.Base = "" }).say("directory")) // the line about config has it
	wants(t, asking(t, s, func(c *directory.Config) { c.URL = strings.Replace(s.LDAPS, "127.0.0.1", "localhost", 1) }).say("directory"), "ok localhost:")

	in := asking(t, s, nil)
	in.Now = func() time.Time { return time.Now().Add(80 * 24 * time.Hour) }
	wants(t, in.say("directory"), "warning its certificate is good until")
	in = asking(t, s, nil)
	in.Directory.Password = func() (secret.String, error) { return "wrong", nil }
	in.Directory.URL = s.LDAPS + " " + s.LDAP
	wants(t, in.say("directory"), "failed "+addr+": bind: ") // and not once more at the other
}
