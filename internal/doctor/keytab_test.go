package doctor_test

import (
	"os"
	"testing"
	"time"

	"idp/internal/kerberos"
	"idp/internal/kerberos/krbtest"
)

// TestKeytabs: what a real KDC exports, healthy and not.
func TestKeytabs(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{Services: []string{"HTTP/sso.example.com"}, Enctypes: "aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha256-128:normal"})
	if err := r.Kadmin("addprinc -e arcfour-hmac:normal -randkey HTTP/old.example.com\naddprinc -randkey host/sso.example.com\n"); err != nil {
		t.Fatal(err)
	}
	export := func(name string) []byte {
		path := t.TempDir() + "/kt"
		if err := r.ExportKeytab(path, name); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	aes, rc4, host := export("HTTP/sso.example.com"), export("HTTP/old.example.com"), export("host/sso.example.com")
	realms := []kerberos.Realm{{Name: r.Name}}
	for _, c := range []struct {
		name   string
		text   []byte
		mode   os.FileMode
		change func(*kerberos.Config)
		want   []string
	}{
		{"healthy", aes, 0o400, nil, []string{"ok http.keytab: HTTP/sso.example.com@EXAMPLE.TEST kvno 1, aes256 aes128-sha2; 12 days old"}},
		{"read by everybody", aes, 0o644, nil, []string{"ok kvno 1", "warning http.keytab (mode 0644, of "}},
		{"RC4 only", rc4, 0o400, nil, []string{"failed HTTP/old.example.com@EXAMPLE.TEST kvno 1, rc4 (not accepted); 12 days old: no AES key"}},
		{"RC4 allowed", rc4, 0o400, func(c *kerberos.Config) { c.AllowRC4 = true }, []string{"warning rc4; 12 days old: accepted because allow_rc4 is set"}},
		{"a realm that is not trusted", aes, 0o400, func(c *kerberos.Config) { c.Realms = []kerberos.Realm{{Name: "OTHER.TEST"}} }, []string{"warning its realm is not trusted"}},
		{"no HTTP/ entry", host, 0o400, nil, []string{"failed http.keytab holds no HTTP/ entry"}},
		{"garbage", []byte("[libdefaults]"), 0o400, nil, []string{"failed http.keytab is not a keytab"}},
		{"not there", nil, 0, nil, []string{"failed http.keytab is not there"}},
		{"none named", aes, 0o400, func(c *kerberos.Config) { c.Keytabs = nil }, []string{"failed no keytab is named"}},
		{"mistakes elsewhere in the section", aes, 0o400, func(c *kerberos.Config) { c.Fallback = "x" }, []string{"ok kvno 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newInstallation(t)
			t.Chdir(in.dir)
			k := in.withKerberos()
			k.Realms, k.Keytabs = realms, []string{"http.keytab"}
			if c.change != nil {
				c.change(k)
			}
			if c.text != nil {
				path := in.write("http.keytab", c.text, c.mode)
				then := time.Now().Add(-12*24*time.Hour - time.Minute)
				if err := os.Chtimes(path, then, then); err != nil {
					t.Fatal(err)
				}
			}
			wants(t, in.say("keytab"), c.want...)
		})
	}
}

// TestARolledKeytabShowsBothVersions: the newest first.
func TestARolledKeytabShowsBothVersions(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{Services: []string{"HTTP/sso.example.com"}, Enctypes: "aes256-cts-hmac-sha1-96:normal"})
	if err := r.Kadmin("cpw -keepold -randkey HTTP/sso.example.com\n"); err != nil {
		t.Fatal(err)
	}
	if err := r.ExportKeytab(r.Keytab, "HTTP/sso.example.com"); err != nil {
		t.Fatal(err)
	}
	in := newInstallation(t)
	in.withKerberos().Keytabs = []string{r.Keytab}
	wants(t, in.say("keytab"), "ok HTTP/sso.example.com@EXAMPLE.TEST kvno 2, aes256; kvno 1, aes256; 0 minutes old")
}

func TestWithoutKerberos(t *testing.T) {
	in := newInstallation(t)
	wants(t, in.say("keytab"), "ok no kerberos section")
	for _, check := range []string{"spn", "realms", "offer_to", "password", "channel_binding"} {
		wants(t, in.say(check))
	}
}
