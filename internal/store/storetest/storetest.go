// Package storetest gives tests real databases: a new SQLite file, or a new
// database on a real PostgreSQL server that belongs to the test binary.
//
// The server listens on a socket in its own folder only and runs as an
// unprivileged user, for it refuses to be root. A small shell looks after it and
// waits for the end of its standard input, which the system closes when the test
// binary ends in whatever way, killed included; then server and folder go.
//
// A machine without PostgreSQL fails these tests; they never skip themselves.
package storetest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"idp/internal/store"
)

// SQLite returns the URL of a new database in a folder of the test's own.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "idp.db")
}

// Open opens a store that is closed at the end of the test. Without a Log it
// logs to the test.
func Open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s, err := store.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// Each runs a test on both databases, each of them empty.
func Each(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { test(t, Open(t, store.Config{URL: url})) })
}

// EachURL is Each for tests that open the store themselves.
func EachURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}
