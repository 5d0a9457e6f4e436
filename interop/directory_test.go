//go:build interop

package interop_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/directory"
	"idp/internal/directory/ldaptest"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest/sambatest"
	"idp/internal/secret"
)

const adBase = "DC=ad,DC=test"

// adDirectory runs the domain's LDAP server until the test ends and is a section of
// the configuration for it, by an account that has no rights of its own.
func adDirectory(t *testing.T, d *sambatest.Domain) directory.Config {
	t.Helper()
	ca := ldaptest.NewAuthority(t)
	stop, err := d.StartLDAP(ca.Issue(sambatest.LDAPHost))
	must(t, err)
	t.Cleanup(stop)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "ca.pem"), ca.PEM, 0o600), os.WriteFile(filepath.Join(dir, "bind.password"), []byte(password+"\n"), 0o600))
	if sid, _ := d.SID("idp-reader"); sid == "" {
		must(t, d.AddUser(sambatest.User{Name: "idp-reader", Password: password}))
	}
	return directory.Config{URL: "ldaps://" + sambatest.LDAPHost, Type: "ad", Base: adBase, BindDN: "idp-reader@ad.test",
		PasswordFile: filepath.Join(dir, "bind.password"), CAFile: filepath.Join(dir, "ca.pem")}
}

func askAD(t *testing.T, c directory.Config, now time.Time) *directory.Directory {
	t.Helper()
	dir, err := directory.New(directory.Options{Config: c, DefaultRealm: "AD.TEST",
		Password: func() (secret.String, error) { return password, nil }, Now: func() time.Time { return now }})
	must(t, err)
	t.Cleanup(dir.Close)
	return dir
}

// TestActiveDirectoryTellsNamesMailAndNestedGroups, by LDAPS and StartTLS, by SID and
// by name.
func TestActiveDirectoryTellsNamesMailAndNestedGroups(t *testing.T) {
	d := domain(t)
	c := adDirectory(t, d)
	must(t, d.AddUser(sambatest.User{Name: "greta", Password: password, Given: "Greta", Family: "Garbo"}),
		d.Tool("user", "setprimarygroup", "greta", "Domain Users"), d.Set("greta", "mail", "greta@example.test"),
		d.AddGroup("d-team", sambatest.Global, "greta"), d.AddGroup("d-dept", sambatest.Universal, "d-team"),
		d.AddGroup("d-local", sambatest.DomainLocal, "d-dept"), d.AddGroup("d-none", sambatest.Global))
	sid, err := d.SID("greta")
	must(t, err)
	c.Groups = map[string]string{"D-Team": "team", "CN=d-dept,CN=Users," + adBase: "department", "d-none": "none"}
	want := &directory.Person{DN: "CN=greta,CN=Users," + adBase, FullName: "Greta Garbo", Email: "greta@example.test", Groups: []string{"department", "team"}}
	for _, url := range []string{"ldaps://" + sambatest.LDAPHost, "ldap://" + sambatest.LDAPHost} {
		for _, a := range []directory.Account{{Realm: "AD.TEST", SID: sid}, {Realm: "AD.TEST", Name: "greta"}, {Realm: "AD.TEST", Name: "GRETA"}} {
			c.URL = url
			p, err := askAD(t, c, time.Now()).Lookup(t.Context(), a)
			must(t, err)
			if diff := cmp.Diff(want, p); diff != "" {
				t.Errorf("%s %+v (-want +got):\n%s", url, a, diff)
			}
		}
	}
	c.AllGroups = true
	p, err := askAD(t, c, time.Now()).Lookup(t.Context(), directory.Account{Realm: "AD.TEST", SID: sid})
	must(t, err)
	if diff := cmp.Diff([]string{"d-local", "department", "team"}, p.Groups); diff != "" {
		t.Errorf("all groups (-want +got):\n%s", diff)
	}
}

// TestActiveDirectoryTellsWhoIsDisabled, and a lock-out is none.
func TestActiveDirectoryTellsWhoIsDisabled(t *testing.T) {
	d := domain(t)
	c := adDirectory(t, d)
	state := func(name string) string {
		t.Helper()
		p, err := askAD(t, c, time.Now()).Lookup(t.Context(), directory.Account{Realm: "AD.TEST", Name: name})
		must(t, err)
		return p.Disabled
	}
	for _, name := range []string{"d-fine", "d-disabled", "d-ended", "d-locked"} {
		must(t, d.AddUser(sambatest.User{Name: name, Password: password}))
	}
	must(t, d.Disable("d-disabled"), d.ExpireAccount("d-ended"), d.Set("d-locked", "lockoutTime", "134000000000000000"))
	for name, want := range map[string]string{"d-fine": "", "d-disabled": "userAccountControl", "d-ended": "accountExpires", "d-locked": ""} {
		if got := state(name); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestActiveDirectoryIsNotInjected: names that are filters find nobody, and an account
// made anew under an old name is not the old one's.
func TestActiveDirectoryIsNotInjected(t *testing.T) {
	d := domain(t)
	dir := askAD(t, adDirectory(t, d), time.Now())
	must(t, d.AddUser(sambatest.User{Name: "d-anna", Password: password}))
	old, err := d.SID("d-anna")
	must(t, err)
	for _, a := range []directory.Account{{Name: "*"}, {Name: "d-an*"}, {Name: "d-anna)(objectClass=*"}, {Name: "*)(|(a=b"}, {Name: "d-anna\x00"}, {Name: `\2a`},
		{Name: "d-ánna"}, {SID: "*"}, {SID: "S-1-5-21-1-2-3-500"}, {SID: old + ")(a=*"}} {
		a.Realm = "AD.TEST"
		if p, err := dir.Lookup(t.Context(), a); !errors.Is(err, directory.ErrAbsent) {
			t.Errorf("%+v: %+v, %v", a, p, err)
		}
	}
	must(t, d.Delete("d-anna"), d.AddUser(sambatest.User{Name: "d-anna", Password: password}))
	if p, err := dir.Lookup(t.Context(), directory.Account{Realm: "AD.TEST", SID: old, Name: "d-anna"}); !errors.Is(err, directory.ErrAbsent) {
		t.Errorf("the old account: %+v, %v", p, err)
	}
}

// TestDomainTicketWithADirectory: what LDAP says of a ticket's owner wins over its PAC,
// and who is disabled there is out although the ticket is good.
func TestDomainTicketWithADirectory(t *testing.T) {
	d := domain(t)
	c := adDirectory(t, d)
	must(t, d.AddUser(sambatest.User{Name: "d-hilda", Password: password, Given: "Hilda", Family: "Old"}), d.AddGroup("d-hildas", sambatest.Global, "d-hilda"))
	ticket := domainTicket(t, d, "d-hilda")
	must(t, d.Set("d-hilda", "displayName", "Hilda New"))
	yaml := fmt.Sprintf("ldap: {url: %s, type: ad, base: %q, bind_dn: %s, password_file: %s, ca_file: %s, groups: {d-hildas: hildas}}\n", c.URL, c.Base, c.BindDN, c.PasswordFile, c.CAFile)
	start := func() *idptest.Server {
		return idptest.Start(t, idptest.Options{YAML: domainYAML(d, d.Keytab, "") + yaml})
	}
	who := byTicket(t, start(), ticket)
	who.Sub = ""
	if diff := cmp.Diff(person{Name: "d-hilda", FullName: "Hilda New", Groups: []string{"hildas"}, method: []string{"wia"}}, who, cmp.AllowUnexported(person{})); diff != "" {
		t.Errorf("by ticket (-want +got):\n%s", diff)
	}
	must(t, d.Disable("d-hilda"))
	refused(t, start(), idptest.Negotiate(t, ticket), "USER_DISABLED")
}
