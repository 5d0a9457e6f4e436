package store_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"idp/internal/store"
	"idp/internal/store/database"
	"idp/internal/store/storetest"
)

// TestReadOnly: what is opened to be looked at sees what a running server wrote,
// and changes nothing.
func TestReadOnly(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		running := storetest.Open(t, store.Config{URL: url})
		if err := running.PutSetting(t.Context(), "name", []byte("value")); err != nil {
			t.Fatal(err)
		}
		look := lookAt(t, url, nil)
		if v, err := look.Setting(t.Context(), "name"); err != nil || string(v) != "value" {
			t.Errorf("%q, %v", v, err)
		}
		if err := look.PutSetting(t.Context(), "name", []byte("x")); !errors.Is(err, database.ErrReadOnly) {
			t.Errorf("one statement: %v", err)
		}
		if err := look.AddClient(t.Context(), store.Client{ClientID: "x"}, store.Entry{}); !errors.Is(err, database.ErrReadOnly) {
			t.Errorf("a transaction: %v", err)
		}
		raise := func(t store.Tx) error {
			_, err := t.Exec(`UPDATE schema_support SET oldest_binary = 99`)
			return err
		}
		if err := look.Read(t.Context(), raise); err == nil || !strings.Contains(err.Error(), "read") {
			t.Errorf("the database itself lets a write through: %v", err)
		}
		s, err := look.Schema(t.Context())
		if err != nil || s.Version == 0 || s.Version != s.Known || !s.Supported {
			t.Errorf("schema %+v, %v", s, err)
		}
		if err := running.Write(t.Context(), raise); err != nil {
			t.Fatal(err)
		}
		if s, err := look.Schema(t.Context()); err != nil || s.Supported {
			t.Errorf("schema for newer programs: %+v, %v", s, err)
		}
	})
}

func lookAt(t *testing.T, url string, now func() time.Time) *store.Store {
	t.Helper()
	s, err := store.OpenReadOnly(store.Config{URL: url, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestReadOnlyMakesNothing(t *testing.T) {
	url := storetest.SQLite(t)
	if _, err := store.OpenReadOnly(store.Config{URL: url}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	path := strings.TrimPrefix(url, "sqlite:")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{url, storetest.Postgres(t)} {
		if s, err := lookAt(t, url, nil).Schema(t.Context()); err != nil || s.Version != 0 || s.Known == 0 {
			t.Errorf("an empty database: %+v, %v", s, err)
		}
		if s, err := lookAt(t, url, nil).Schema(t.Context()); err != nil || s.Version != 0 {
			t.Errorf("looking has made tables: %+v, %v", s, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("looking has filled the file: %v, %v", info, err)
	}
	if _, err := store.OpenReadOnly(store.Config{URL: "mysql:x"}); err == nil {
		t.Error("mysql: is opened")
	}
}

// TestEngineClock: the distance of the clocks is the database's less ours.
func TestEngineClock(t *testing.T) {
	slow := func() time.Time { return time.Now().Add(-time.Hour) }
	e, err := lookAt(t, storetest.Postgres(t), slow).Engine(t.Context())
	if err != nil || e.Name != "PostgreSQL" || e.Version == "" || (e.Ahead-time.Hour).Abs() > time.Minute {
		t.Errorf("%+v, %v", e, err)
	}
	url := storetest.SQLite(t)
	storetest.Open(t, store.Config{URL: url})
	e, err = lookAt(t, url, nil).Engine(t.Context())
	if err != nil || e.Name != "SQLite" || !strings.HasPrefix(e.Version, "3.") || e.Ahead != 0 {
		t.Errorf("%+v, %v", e, err)
	}
}
