package ticket

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"idp/internal/kerberos/krbtest"
)

// folder is one into which kinit puts tickets of alice and then of bob, by a krb5.conf
// that says so.
func folder(t *testing.T) (r *krbtest.Realm, path, conf string) {
	t.Helper()
	r = krbtest.Start(t, krbtest.Options{Users: map[string]string{"alice": "alice-password", "bob": "bob-password"}})
	path = filepath.Join(t.TempDir(), "cc")
	must(t, r.Client().KinitTo("DIR:"+path, "alice", "alice-password"))
	must(t, r.Client().KinitTo("DIR:"+path, "bob", "bob-password"))
	conf = filepath.Join(t.TempDir(), "krb5.conf")
	must(t, os.WriteFile(conf, []byte("[libdefaults]\ndefault_ccache_name = DIR:"+path+"\n"), 0o600))
	t.Setenv("KRB5CCNAME", "")
	return r, path, conf
}

func TestFolderOfCaches(t *testing.T) {
	r, path, conf := folder(t)
	c, err := readAs(conf, os.Getuid())
	if err != nil || c.client.Components[0] != "bob" {
		t.Fatalf("%+v %v, want the last one that kinit wrote", c, err)
	}
	must(t, r.Client().Run("DIR:"+path, "", "kswitch", "-p", "alice@EXAMPLE.TEST"))
	c, err = readAs(conf, os.Getuid())
	if err != nil || !c.client.Equal(alice) {
		t.Fatalf("%+v %v, want alice, to whom kswitch switched", c, err)
	}
	if all := (dir{path: path, owner: os.Getuid()}).all(); len(all) != 2 {
		t.Errorf("%d caches, want 2", len(all))
	}
	for name, who := range map[string]string{"DIR:" + path: "alice", c.name: "alice", "DIR::" + path + "/tkt": "alice", "DIR:" + path + "/none": "", "DIR:" + conf: "", "DIR::" + conf: ""} {
		t.Setenv("KRB5CCNAME", name)
		got, err := readAs(conf, os.Getuid())
		if (err == nil) != (who != "") || err == nil && got.client.Components[0] != who {
			t.Errorf("%s: %+v %v, want %q", name, got, err, who)
		}
	}
}

// TestHoleFolderOfSomebodyElse: as with a file, nobody may have us log in as themselves
// by a folder, or a cache in it, where ours is expected.
func TestHoleFolderOfSomebodyElse(t *testing.T) {
	_, path, conf := folder(t)
	if _, err := readAs(conf, os.Getuid()+1); err == nil || !strings.Contains(err.Error(), path+" belongs to somebody else") {
		t.Errorf("%v", err)
	}
	if all := (dir{path: path, owner: os.Getuid() + 1}).all(); len(all) != 0 {
		t.Errorf("%d caches of somebody else", len(all))
	}
}

// TestHolePrimaryLeadsElsewhere: the file says which cache of the folder counts, and
// nothing outside.
func TestHolePrimaryLeadsElsewhere(t *testing.T) {
	_, path, conf := folder(t)
	outside, err := os.ReadFile(filepath.Join(path, "tkt"))
	must(t, err)
	must(t, os.Mkdir(filepath.Join(path, "tktdir"), 0o700))
	must(t, os.WriteFile(filepath.Join(path, "..", "tktoutside"), outside, 0o600))
	for _, says := range []string{"../tktoutside\n", "tktdir/../../tktoutside\n", "primary\n", "", "\n", "tkt", strings.Repeat("tkt", 1000) + "\n"} {
		must(t, os.WriteFile(filepath.Join(path, "primary"), []byte(says), 0o600))
		if c, err := readAs(conf, os.Getuid()); err == nil || !strings.Contains(err.Error(), "does not name a credential cache") {
			t.Errorf("%.20q: %+v %v", says, c, err)
		}
	}
	must(t, os.Remove(filepath.Join(path, "primary")))
	if c, err := readAs(conf, os.Getuid()); err != nil || !c.client.Equal(alice) {
		t.Errorf("without it: %+v %v, want tkt", c, err)
	}
}

// TestHolePipeInPlaceOfACache: a pipe without a writer must not have us wait.
func TestHolePipeInPlaceOfACache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tkt")
	must(t, syscall.Mkfifo(path, 0o600))
	t.Setenv("KRB5CCNAME", path)
	if _, err := readAs("", os.Getuid()); err == nil || !strings.Contains(err.Error(), "not a credential cache") {
		t.Error(err)
	}
}

func TestParametersOfKrb5Conf(t *testing.T) {
	t.Setenv("TMPDIR", "/run/tmp")
	me := os.Getuid()
	for in, want := range map[string]string{
		"FILE:/x/%{uid}.%{USERID}": "FILE:/x/7.7", "DIR:%{TEMP}/a%{null}b": "DIR:/run/tmp/ab", "KEYRING:persistent:%{uid}": "KEYRING:persistent:7",
	} {
		if got, err := expand(in, 7); got != want || err != nil {
			t.Errorf("%s: %q %v, want %q", in, got, err, want)
		}
	}
	got, err := expand("FILE:/home/%{username}/cc", me)
	if err != nil || strings.Contains(got, "%") || got == "FILE:/home//cc" {
		t.Errorf("%q %v", got, err)
	}
	if _, err := expand("FILE:%{LIBDIR}/x", me); err == nil || !strings.Contains(err.Error(), "%{LIBDIR}") {
		t.Error(err)
	}
}
