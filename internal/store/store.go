// Package store is the database: everything that a second node, or the next
// start, needs to know: the tables, a file for each thing that is done with them.
//
// One text of SQL runs on PostgreSQL (more than one node) and on SQLite (one
// file, no server; package database runs it), so there is no dialect layer and no
// second model: the row types are the domain types of types.go, and every function shows the one
// statement it stands for. What keeps this possible: the column types TEXT,
// BIGINT, BOOLEAN and BYTEA only, every column NOT NULL, times as integer
// milliseconds (0 is never), lists as JSON text.
//
// PostgreSQL runs at READ COMMITTED, so each invariant (a code is redeemed
// once, a refresh token rotates once, a guess has a slot) rests on ONE
// conditional statement or a unique key, never on a read before a write. Functions that change who is trusted take an audit Entry and
// write it in the same transaction.
package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"idp/internal/store/database"
)

// Config says which database to open.
type Config struct {
	// URL is "sqlite:PATH" or "postgres://…" (libpq's form; the password
	// belongs into PGPASSFILE).
	URL string
	// Log gets a line when the schema changes and when sweeping fails; nil: slog.Default.
	Log *slog.Logger
	// Now is the clock of every expiry; nil: time.Now.
	Now func() time.Time
	// Mail: there is a mail server, and people are told of what concerns them.
	Mail bool
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	db      database.Database
	revoked atomic.Uint64 // changes with every revocation on this node
	tokens  answers[tokenKey, tokenAnswer]
	sites   answers[siteKey, *SiteSession]
	logouts chan struct{} // see LogoutsQueued
	mail    bool
	mails   chan struct{} // see MailsQueued
	mailed  atomic.Int64  // mails that operations have queued
	log     *slog.Logger
	now     func() time.Time
}

// Open opens the database, creating the file of SQLite with mode 0600, and
// brings its schema up to date under a lock that other nodes respect. It fails
// with ErrNewerSchema when the schema no longer supports this binary.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{log: cfg.Log, now: cfg.Now, logouts: make(chan struct{}, 1), mail: cfg.Mail, mails: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.db, err = database.Open(ctx, cfg.URL, s.log); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if s.mail {
		s.db = waking{s.db, s}
	}
	return s, nil
}

// OpenReadOnly opens a database to look at it: no file is made, the schema stays
// as it is, every write fails. A server may be using the database meanwhile, or
// nobody. A SQLite file that is not there is fs.ErrNotExist; PostgreSQL is asked
// at the first read only.
func OpenReadOnly(cfg Config) (*Store, error) {
	s := &Store{log: cfg.Log, now: cfg.Now}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.db, err = database.Look(cfg.URL); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return s, nil
}

// Close waits for operations that have started and closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Now is the store's clock.
func (s *Store) Now() Millis { return s.now().UnixMilli() }

// Schema looks at the tables' version.
func (s *Store) Schema(ctx context.Context) (database.Schema, error) {
	return database.SchemaOf(ctx, s.db)
}

// Engine asks the database who it is and what time it is there.
func (s *Store) Engine(ctx context.Context) (database.Engine, error) {
	return database.EngineOf(ctx, s.db, s.now)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int64
	return s.queryRow(ctx, []any{&one}, `SELECT 1`)
}

// Empty reports whether nothing is in the database that needs an existing
// secret_key_file: no signing key and no user.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	var n int64
	err := s.queryRow(ctx, []any{&n}, `
		SELECT (SELECT COUNT(*) FROM (SELECT kid FROM signing_keys LIMIT 1) k)
		     + (SELECT COUNT(*) FROM (SELECT id FROM users LIMIT 1) u)`)
	return n == 0, err
}

// queryRow reads one row; ErrNotFound without one.
func (s *Store) queryRow(ctx context.Context, dest []any, query string, args ...any) error {
	return s.db.Read(ctx, func(t database.Tx) error { return t.QueryRow(dest, query, args...) })
}

// queryAll reads every row of a query into values of one type.
func queryAll[T any](ctx context.Context, s *Store, dest func(*T) []any, query string, args ...any) ([]T, error) {
	var all []T
	err := s.db.Read(ctx, func(t database.Tx) error {
		all = nil
		return t.Query(func(scan database.Scan) error {
			var v T
			if err := scan(dest(&v)...); err != nil {
				return err
			}
			all = append(all, v)
			return nil
		}, query, args...)
	})
	return all, err
}

// exec runs one statement and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = s.db.Single(ctx, func(t database.Tx) error {
		n, err = t.Exec(query, args...)
		return err
	})
	return n, err
}

// execOne is exec for a statement that has to find its row; ErrNotFound else.
func (s *Store) execOne(ctx context.Context, query string, args ...any) error {
	n, err := s.exec(ctx, query, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
