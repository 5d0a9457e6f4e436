package krbtest

import (
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// Trust lets the people of two realms get tickets for each other's services: a
// cross-realm key for either direction (RFC 4120 §1.2), and each other's KDC in
// both krb5.conf. Realms reached through the other one are made known as well,
// but Path says that they may be gone through.
func (r *Realm) Trust(other *Realm) error {
	key := quote(rand.Text())
	for _, k := range []*Realm{r, other} {
		commands := fmt.Sprintf("addprinc -pw %[1]s krbtgt/%[2]s@%[3]s\naddprinc -pw %[1]s krbtgt/%[3]s@%[2]s\n", key, r.Name, other.Name)
		if err := k.Kadmin(commands); err != nil {
			return err
		}
	}
	all := append([]*Realm{r, other}, append(slices.Clone(r.trusted), other.trusted...)...)
	for _, k := range all {
		for _, o := range all {
			if o != k && !slices.Contains(k.trusted, o) {
				k.trusted = append(k.trusted, o)
			}
		}
		if err := k.writeKrb5Conf(); err != nil {
			return err
		}
	}
	return nil
}

// Path tells this realm's programs, its KDC among them, that people of a realm
// may come to another through a third: [capaths] of krb5.conf(5).
func (r *Realm) Path(from, through, to *Realm) error {
	r.path = fmt.Sprintf("[capaths]\n    %s = {\n        %s = %s\n    }\n", from.Name, to.Name, through.Name)
	if err := r.writeKrb5Conf(); err != nil {
		return err
	}
	r.Stop()
	return r.StartKDC()
}

// Refer has the realm's KDC refer those who look for a service of a domain to another
// realm, RFC 6806 §8, by [domain_realm] of its krb5.conf.
func (r *Realm) Refer(t testing.TB, domain, to string) {
	t.Helper()
	text, err := os.ReadFile(r.Krb5Conf)
	if err != nil {
		t.Fatal(err)
	}
	conf, _, _ := strings.Cut(string(text), "[domain_realm]")
	conf += fmt.Sprintf("[domain_realm]\n    %[1]s = %[2]s\n    .%[1]s = %[2]s\n", domain, to)
	if err := os.WriteFile(r.Krb5Conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Stop()
	if err := r.StartKDC(); err != nil {
		t.Fatal(err)
	}
}

// writeKrb5Conf writes krb5.conf for clients of the realm.
func (r *Realm) writeKrb5Conf() error {
	var realms strings.Builder
	for _, k := range append([]*Realm{r}, r.trusted...) {
		fmt.Fprintf(&realms, "    %s = {\n", k.Name)
		for _, kdc := range k.kdcs {
			fmt.Fprintf(&realms, "        kdc = %s\n", kdc)
		}
		realms.WriteString("    }\n")
	}
	return os.WriteFile(r.Krb5Conf, []byte(Krb5Conf(r.Name, realms.String())+r.path), 0o600)
}

// Krb5Conf is a krb5.conf that takes names of services as they are and looks
// nothing up; realms is its section of that name.
func Krb5Conf(realm, realms string) string {
	return fmt.Sprintf(`[libdefaults]
    default_realm = %[1]s
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
[realms]
%[2]s[domain_realm]
    localhost = %[1]s
    .localhost = %[1]s
`, realm, realms)
}
