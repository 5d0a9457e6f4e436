package doctor_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"idp/internal/doctor"
	"idp/internal/doctor/report"
	"idp/internal/kerberos"
	"idp/internal/secret"
	"idp/internal/server"
	"idp/internal/store"
)

// installation is a folder with a configuration that has nothing wrong but what
// a test breaks.
type installation struct {
	doctor.Config
	t   *testing.T
	dir string
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	in := &installation{t: t, dir: t.TempDir()}
	in.Config = doctor.Config{
		File: "idp.yaml", Version: "idp test", Issuer: "http://localhost:8080", Listen: "127.0.0.1:8080",
		Database: "sqlite:" + in.path("idp.db"), SecretKeyFile: in.path("idp.key"),
	}
	in.ReadRing = func(ctx context.Context, st *store.Store) (*secret.Ring, error) {
		return server.ReadRing(ctx, st, in.SecretKeyFile)
	}
	return in
}

// withKerberos adds the section as the file has it by default, with a realm.
func (in *installation) withKerberos() *kerberos.Config {
	c := kerberos.DefaultConfig()
	c.Realms = []kerberos.Realm{{Name: "EXAMPLE.TEST"}}
	c.Keytabs = []string{in.path("http.keytab")}
	in.Kerberos = &c
	return &c
}

func (in *installation) path(name string) string { return filepath.Join(in.dir, name) }

func (in *installation) write(name string, text []byte, mode os.FileMode) string {
	in.t.Helper()
	if err := os.WriteFile(in.path(name), text, mode); err != nil {
		in.t.Fatal(err)
	}
	if err := os.Chmod(in.path(name), mode); err != nil { // whatever the umask
		in.t.Fatal(err)
	}
	return in.path(name)
}

// say runs the doctor and returns the lines of one check as Print writes them,
// level first, without the check's name.
func (in *installation) say(check string) []string {
	in.t.Helper()
	var out []string
	for _, r := range doctor.Run(in.t.Context(), in.Config) {
		if r.Check == check {
			out = append(out, string(r.Level)+" "+r.Text)
		}
		if r.Level != report.LevelOK && r.Check == check && r.Hint == "" {
			in.t.Errorf("no way to mend: %s %s", r.Check, r.Text)
		}
	}
	return out
}

// hint is what the only line of a check that is not ok says to do.
func (in *installation) hint(check string) string {
	in.t.Helper()
	var found []string
	for _, r := range doctor.Run(in.t.Context(), in.Config) {
		if r.Check == check && r.Level != report.LevelOK {
			found = append(found, r.Hint)
		}
	}
	if len(found) != 1 {
		in.t.Fatalf("%s has not one hint: %q", check, found)
	}
	return found[0]
}

// wants compares lines with texts that each has to contain, its level at the
// start, in order.
func wants(t *testing.T, got []string, want ...string) {
	t.Helper()
	same := len(got) == len(want)
	for i := 0; same && i < len(want); i++ {
		level, text, _ := strings.Cut(want[i], " ")
		same = strings.HasPrefix(got[i], level+" ") && strings.Contains(got[i], text)
	}
	if !same {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}
