package doctor_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"idp/internal/config"
	"idp/internal/doctor"
	"idp/internal/doctor/report"
	"idp/internal/keys"
	"idp/internal/server"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// filled is an installation whose server has run once, and closed.
func filled(t *testing.T, database string) *installation {
	t.Helper()
	in := newInstallation(t)
	if database != "" {
		in.Database = database
	}
	in.withStore(func(*store.Store, *config.Config) {})
	return in
}

// withStore opens the database as the server does.
func (in *installation) withStore(work func(*store.Store, *config.Config)) {
	in.t.Helper()
	c := config.Default()
	c.Database, c.SecretKeyFile = in.Database, in.SecretKeyFile
	log := slog.New(slog.DiscardHandler)
	st, ring, err := server.OpenStore(in.t.Context(), c, log)
	if err != nil {
		in.t.Fatal(err)
	}
	if _, err := server.OpenKeys(in.t.Context(), c, st, ring, log, time.Now); err != nil {
		in.t.Error(err)
	}
	work(st, c)
	if err := st.Close(); err != nil {
		in.t.Error(err)
	}
}

func TestBeforeTheFirstStart(t *testing.T) {
	in := newInstallation(t)
	wants(t, in.say("database"), "ok idp.db is not there yet")
	wants(t, in.say("secret_key"), "ok idp.key is not there yet")
	wants(t, in.say("signing_keys"), "ok none yet")
	in.write("idp.key", []byte(strings.Repeat("A", 43)+"\n"), 0o600)
	wants(t, in.say("secret_key"), "ok the first start takes it")
	in.Database = storetest.Postgres(t)
	wants(t, in.say("database"), "ok empty; the first start makes the tables")
	wants(t, in.say("signing_keys"), "ok none yet")
	if files, err := os.ReadDir(in.dir); err != nil || len(files) != 1 {
		t.Errorf("looking has made something: %v, %v", files, err)
	}
}

func TestDatabase(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, database string) {
		in := filled(t, database)
		wants(t, in.say("database"), "ok , schema ")
		wants(t, in.say("secret_key"), "ok idp.key fits the database (mode 0600, of ")
		next := time.Now().Add(90 * 24 * time.Hour).UTC().Format("2006-01-02")
		wants(t, in.say("signing_keys"), "ok RS256 signs since ", "ok next key on "+next)
		wants(t, in.say("clients"), "ok 0 in the file, 0 in the database")
		in.withStore(func(st *store.Store, _ *config.Config) { // beside a server that has it open
			if err := st.AddClient(t.Context(), store.Client{ClientID: "wiki"}, store.Entry{}); err != nil {
				t.Fatal(err)
			}
			in.Clients = []string{"site", "wiki"}
			wants(t, in.say("clients"), "failed wiki: in the file and in the database")
			wants(t, in.say("database"), "ok , schema ")
			in.Store = st // the server looks at itself
			wants(t, in.say("database"), "ok , schema ")
			if err := st.Ping(t.Context()); err != nil {
				t.Errorf("looking has closed the server's database: %v", err)
			}
			in.Store = nil
		})
	})
}

func TestSQLiteFiles(t *testing.T) {
	in := filled(t, "")
	before := folder(t, in.dir)
	wants(t, in.say("database"), "ok idp.db: SQLite 3.")
	if after := folder(t, in.dir); after != before {
		t.Errorf("looking has changed the folder from\n%s to\n%s", before, after)
	}
	if err := os.Chmod(in.path("idp.db"), 0o644); err != nil {
		t.Fatal(err)
	}
	wants(t, in.say("database"), "ok schema", "warning idp.db (mode 0644, of ")
	in.write("idp.db", []byte(strings.Repeat("no database ", 1000)), 0o600)
	wants(t, in.say("database"), "failed file is not a database")
	wants(t, in.say("secret_key"), "warning cannot be compared with the database")
	wants(t, in.say("signing_keys"))
	in.Database = "sqlite:" + in.path("none/idp.db")
	wants(t, in.say("database"), "failed there is no folder ")
}

// folder lists files with their sizes and times.
func folder(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(f + info.ModTime().String() + info.Mode().String() + "\n")
	}
	return b.String()
}

// TestFilesOfSeveralOwners: what a command run as root leaves behind. Root gives
// a file away; anybody else names one of root's.
func TestFilesOfSeveralOwners(t *testing.T) {
	in := filled(t, "")
	if os.Getuid() != 0 {
		in.SecretKeyFile = "/etc/hostname"
	} else if err := os.Chown(in.path("idp.key"), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	wants(t, in.say("database"), "ok schema", "warning idp.db belongs to ")
}

func TestPostgresThatDoesNotAnswer(t *testing.T) {
	in := newInstallation(t)
	in.Database = "postgres://idp:hunter2@127.0.0.1:1/idp?sslmode=disable"
	wants(t, in.say("database"), "failed connection refused")
	var all bytes.Buffer
	if err := report.PrintJSON(&all, doctor.Run(t.Context(), in.Config)); err != nil || strings.Contains(all.String(), "hunter2") {
		t.Errorf("a password is shown, or %v:\n%s", err, all.String())
	}
	u, err := url.Parse(storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/missing"
	in.Database = u.String()
	wants(t, in.say("database"), `failed database "missing" does not exist`)
}

func TestSecretKeyFile(t *testing.T) {
	in := filled(t, "")
	good, err := os.ReadFile(in.SecretKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Repeat("A", 43) + "\n"
	in.write("idp.key", []byte(other), 0o600)
	wants(t, in.say("secret_key"), "failed does not fit this database")
	wants(t, in.say("signing_keys"), "ok RS256", "ok ES256") // that they cannot be opened is said once
	in.write("idp.key", append([]byte(other), good...), 0o600)
	wants(t, in.say("secret_key"), "ok fits")
	in.write("idp.key", good, 0o644)
	wants(t, in.say("secret_key"), "failed can be read by everybody")
	in.write("idp.key", []byte("x"), 0o600)
	wants(t, in.say("secret_key"), "failed want 32 bytes in base64url")
	if err := os.Remove(in.SecretKeyFile); err != nil {
		t.Fatal(err)
	}
	wants(t, in.say("secret_key"), "failed is missing, and the database is not empty")
}

func TestSigningKeys(t *testing.T) {
	in := filled(t, "")
	in.Now = func() time.Time { return time.Now().Add(92 * 24 * time.Hour) }
	wants(t, in.say("signing_keys"), "warning RS256 signs since", "warning ES256 signs since")
	in.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	wants(t, in.say("signing_keys"), "failed no RS256 key signs now", "failed no ES256 key signs now")
	in.Now = nil
	in.withStore(func(st *store.Store, c *config.Config) {
		_, ring, err := server.OpenStore(t.Context(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		k, err := keys.New(context.Background(), keys.Config{Store: st, Ring: ring})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Rotate(t.Context(), store.Entry{}); err != nil {
			t.Fatal(err)
		}
	})
	today := time.Now().Add(10 * time.Minute).UTC().Format("2006-01-02")
	wants(t, in.say("signing_keys"), "ok next key on "+today, "ok next key on "+today)
}
