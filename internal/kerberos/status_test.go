package kerberos

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"idp/internal/kerberos/keytab"
	"idp/internal/reason"
)

func TestReadySaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	writeKeytab(t, path("good"), ourSPN, "p", 1, 18)
	writeKeytab(t, path("ldap"), "ldap/idp.localhost", "p", 1, 18)
	writeKeytab(t, path("rc4"), ourSPN, "p", 1, 23)
	must(t, os.WriteFile(path("garbage"), []byte("not a keytab"), 0o600))
	must(t, os.WriteFile(path("empty"), nil, 0o600))
	must(t, os.WriteFile(path("huge"), make([]byte, maxFile+1), 0o600))
	must(t, os.Mkdir(path("directory"), 0o700))
	realm := []Realm{{Name: ourRealm}}
	for _, c := range []struct {
		what    string
		keytabs []string
		realms  []Realm
		want    reason.Code
		hint    string
	}{
		{"good", []string{"good"}, realm, "", ""},
		{"one of two is good", []string{"missing", "good"}, realm, "", ""},
		{"no realm", []string{"good"}, nil, reason.Realm, "kerberos.realms"},
		{"none configured", nil, realm, reason.NoKeytab, "export one"},
		{"missing", []string{"missing"}, realm, reason.NoKeytab, "no such file"},
		{"no HTTP/ entry", []string{"ldap"}, realm, reason.NoKeytab, "holds no HTTP/ entry"},
		{"garbage", []string{"garbage"}, realm, reason.NoKeytab, "is not a keytab"},
		{"empty", []string{"empty"}, realm, reason.NoKeytab, "is not a keytab"},
		{"huge", []string{"huge"}, realm, reason.NoKeytab, "at most 1 MB"},
		{"directory", []string{"directory"}, realm, reason.NoKeytab, "not a file"},
		{"only RC4", []string{"rc4"}, realm, reason.Etype, "rc4-hmac"},
	} {
		conf := Config{Realms: c.realms}
		for _, k := range c.keytabs {
			conf.Keytabs = append(conf.Keytabs, path(k))
		}
		a, err := New(Options{Config: conf, Seen: (&replays{}).Seen, Log: quiet()})
		must(t, err)
		err = a.Ready()
		if other := Check(conf); (other == nil) != (err == nil) {
			t.Errorf("%s: Check says %v", c.what, other)
		}
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), c.hint) {
			t.Errorf("%s: %v does not say %q", c.what, err, c.hint)
		}
	}
}

func TestUnreadableKeytabIsNoReasonNotToStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing")
	a, err := New(Options{Config: Config{Keytabs: []string{path}, Realms: []Realm{{Name: ourRealm}}}, Seen: (&replays{}).Seen, Log: quiet()})
	must(t, err)
	s := a.Status()
	if len(s.Keytabs) != 1 || s.Keytabs[0].Err == nil || len(s.Realms) != 1 {
		t.Errorf("status = %+v", s)
	}
	writeKeytab(t, path, ourSPN, "service-password", ourKVNO, 18)
	a.keytabs.Reload()
	if err := a.Ready(); err != nil {
		t.Errorf("after the file appeared: %v", err)
	}
	k := a.Status().Keytabs[0].Keys
	if len(k) != 1 || k[0].Made.Unix() != 1_700_000_000 || k[0] != (keytab.KeyStatus{Principal: ourSPN + "@" + ourRealm, KVNO: ourKVNO, Made: k[0].Made, Etype: "aes256-cts-hmac-sha1-96", Allowed: true}) {
		t.Errorf("keys = %+v", k)
	}
	expect(t, a, "a ticket", forge(a, 18).token(t), "")
}

func TestRunEndsWithItsContext(t *testing.T) {
	a := forgeAcceptor(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("without Seen: no error")
	}
	if _, err := New(Options{Seen: (&replays{}).Seen, Config: Config{Fallback: "digest"}}); err == nil {
		t.Error("unknown fallback: no error")
	}
}
