package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLDAPSection(t *testing.T) {
	c, problems := load(t, `ldap:
  url: ldaps://dc1.example.com ldap://dc2.example.com
  type: ad
  base: dc=example,dc=com
  bind_dn: idp@example.com
  password_file: none.password
  ca_file: none.pem
  timeout: 1500ms
  groups: {finance-team: finance}
`, "IDP_LDAP_TYPE=ldap")
	dir := filepath.Dir(c.Path)
	if c.LDAP.PasswordFile != filepath.Join(dir, "none.password") || c.LDAP.CAFile != filepath.Join(dir, "none.pem") || time.Duration(c.LDAP.Timeout) != 1500*time.Millisecond ||
		c.LDAP.Type != "ldap" || len(c.LDAP.URLs()) != 2 || c.LDAP.Groups["finance-team"] != "finance" {
		t.Errorf("%+v", c.LDAP)
	}
	for i, want := range []struct {
		line int
		key  string
	}{{6, "ldap.password_file"}, {7, "ldap.ca_file"}} {
		if len(problems) != 2 || problems[i].Line != want.line || problems[i].Key != want.key {
			t.Fatalf("%v, want the two files that are not there", problems)
		}
	}
	_, problems = load(t, "ldap:\n  url: http://dc1\n  type: oracle\n  base: example.com\n  bindDN: idp\n  timeout: 1m\n")
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Key)
		if p.Hint == "" || p.Line == 0 {
			t.Errorf("no line, or no way to mend: %+v", p)
		}
	}
	if got := strings.Join(keys, " "); got != "ldap.url ldap.type ldap.base ldap.bindDN ldap.timeout" {
		t.Errorf("%s\n%v", got, problems)
	}
	if _, problems = load(t, "ldap: {}\n"); len(problems) > 0 {
		t.Errorf("an empty section: %v", problems)
	}
}

// TestLDAPFilesAreTheFoldersOwn: relative names, and a file that is there.
func TestLDAPFilesAreTheFoldersOwn(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"p": "secret\n", "idp.yaml": "ldap: {url: ldaps://a, type: ldap, base: 'dc=a', bind_dn: 'cn=a', password_file: p}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(filepath.Join(dir, "idp.yaml"), nil); err != nil {
		t.Error(err)
	}
}
