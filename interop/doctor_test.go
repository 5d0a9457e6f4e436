//go:build interop

package interop_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"idp/internal/doctor"
	"idp/internal/kerberos"
	"idp/internal/kerberos/krbtest"
)

// TestDoctorInADomain: what the checks that ask a KDC say about Active Directory's
// ways, where only accounts log in and a service's names are aliases of one.
func TestDoctorInADomain(t *testing.T) {
	d := domain(t)
	must(t, d.AddService("http-doctor", "HTTP/doctor.localhost", "HTTP/alias.localhost"))
	keytab := filepath.Join(t.TempDir(), "http.keytab")
	krb5conf, realm := d.Krb5Conf, d.Name
	look := func(host string) map[string]string {
		k := kerberos.DefaultConfig()
		k.Keytabs, k.Krb5Conf, k.Realms = []string{keytab}, krb5conf, []kerberos.Realm{{Name: realm}}
		lines := map[string]string{}
		for _, r := range doctor.Run(t.Context(), doctor.Config{Issuer: "http://" + host + ":1", Listen: "127.0.0.1:1", Database: "sqlite:" + t.TempDir() + "/idp.db", Kerberos: &k}) {
			lines[r.Check] += string(r.Level) + " " + r.Text + "\n"
		}
		return lines
	}
	wants := func(what, got string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %q in\n%s", what, w, got)
			}
		}
	}

	must(t, d.ExportKeytab(keytab, "HTTP/doctor.localhost"))
	lines := look("doctor.localhost")
	wants("the KDC", lines["kdc"], "ok AD.TEST: "+d.Addr+" answers over UDP and TCP", "ok AD.TEST: "+d.KpasswdAddr)
	wants("its clock", lines["clock"], "ok less than a second off")
	wants("a service's name logs in nobody", lines["key_version"], "warning AD.TEST: the KDC logs in no name of the keytab")

	must(t, d.ExportKeytab(keytab, "HTTP/doctor.localhost", "http-doctor"))
	lines = look("doctor.localhost")
	wants("with the account's own name", lines["key_version"], "ok HTTP/doctor.localhost@AD.TEST", "opens with the keytab")
	lines = look("alias.localhost")
	wants("an alias", lines["key_version"], "opens with the key of HTTP/doctor.localhost@AD.TEST")
	wants("an alias", lines["spn"], "the KDC knows it as an alias")
	wants("a name of nobody", look("nobody.localhost")["key_version"], "failed the KDC does not know HTTP/nobody.localhost@AD.TEST")

	must(t, d.Tool("user", "setpassword", "http-doctor", "--newpassword="+password+"2"))
	wants("a new password", look("doctor.localhost")["key_version"], "failed the KDC of AD.TEST does not take the keytab's key of http-doctor@AD.TEST")
	bad, err := d.BadPasswords("http-doctor")
	must(t, err)
	if bad > 1 {
		t.Errorf("one run was %d wrong passwords of the account", bad)
	}

	krb5conf, realm = filepath.Join(t.TempDir(), "krb5.conf"), "OTHER.TEST"
	must(t, os.WriteFile(krb5conf, []byte(krbtest.Krb5Conf(realm, "    OTHER.TEST = {\n        kdc = "+d.Addr+"\n    }\n")), 0o600))
	wants("another realm's KDC", look("doctor.localhost")["kdc"], "failed OTHER.TEST: "+d.Addr+" is a KDC, but of another realm")
}
