package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"idp/internal/config"
	"idp/internal/server"
)

// TestCheckOfTheDirectory: what is wrong with the files it names, and whom it would
// never be asked about.
func TestCheckOfTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("empty", "\n")
	write("ca.pem", "no certificate\n")
	write("http.keytab", "")
	said := func(yaml string) string {
		t.Helper()
		write("idp.yaml", yaml)
		c, err := config.Load(filepath.Join(dir, "idp.yaml"), nil)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, p := range append(server.Check(c), server.Warnings(c)...) {
			all = append(all, p.Key+": "+p.Text)
		}
		return strings.Join(all, "\n")
	}
	const section = "ldap: {url: ldaps://a, type: ldap, base: 'dc=a', "
	realm := "kerberos: {realms: [{name: A.TEST}]}\n"
	for _, c := range []struct{ yaml, want string }{
		{realm + section + "bind_dn: 'cn=a', password_file: empty}\n", "ldap.password_file: "},
		{realm + section + "ca_file: ca.pem}\n", "ldap.ca_file: "},
		{section + "}\n", "ldap: is asked about people whom Kerberos names"},
		{realm + section + "realms: [A.TEST, B.TEST]}\n", `ldap.realms[1]: "B.TEST" is not in kerberos.realms`},
		{realm + section + "}\n", ""},
	} {
		if got := said(c.yaml); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s\nsays %q, want %q", c.yaml, got, c.want)
		}
	}
}
