// Package store is the database: everything that a second node, or the next
// start, needs to know. It is the only package with a database driver.
//
// One text of SQL runs on PostgreSQL (more than one node) and on SQLite (one
// file, no server), so there is no dialect layer and no second model: the row
// types are the domain types of types.go, and every function shows the one
// statement it stands for. What keeps this possible: the column types TEXT,
// BIGINT, BOOLEAN and BYTEA only, every column NOT NULL, times as integer
// milliseconds (0 is never), lists as JSON text.
//
// PostgreSQL runs at READ COMMITTED, so each invariant (a code is redeemed
// once, a refresh token rotates once, a guess has a slot) rests on ONE
// conditional statement or a unique key, never on a read before a write. SQLite
// has many readers and one writer, which commits waiting operations in groups;
// see writer.go. Functions that change who is trusted take an audit Entry and
// write it in the same transaction.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
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
	db      backend
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

// backend is what differs between the two databases.
type backend interface {
	// read gives op single SELECTs, each with a snapshot of its own.
	read(ctx context.Context, op func(tx) error) error
	// write runs op in one transaction, again when it lost a race inside the
	// database: op must set what it hands out anew each time.
	write(ctx context.Context, op func(tx) error) error
	// single is write for an op of exactly one statement, which needs no
	// transaction around it.
	single(ctx context.Context, op func(tx) error) error
	close() error
}

// tx is all an operation sees of the database. Its statements run under the
// database's own context. Query and QueryRow have closed their rows when they
// return, so that an operation cannot leave any open.
type tx interface {
	// Exec returns the number of rows that changed.
	Exec(query string, args ...any) (int64, error)
	// Query calls each for every row.
	Query(each func(scan scanFunc) error, query string, args ...any) error
	// QueryRow scans the first row into dest; ErrNotFound without one.
	QueryRow(dest []any, query string, args ...any) error
}

type scanFunc = func(dest ...any) error

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
	switch kind, rest, _ := strings.Cut(cfg.URL, ":"); kind {
	case "sqlite":
		s.db, err = openSQLite(ctx, rest, s.log)
	case "postgres", "postgresql":
		s.db, err = openPostgres(ctx, cfg.URL, s.log)
	default:
		err = errors.New("want sqlite:PATH or postgres://…")
	}
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if s.mail {
		s.db = waking{s.db, s}
	}
	return s, nil
}

// Close waits for operations that have started and closes the database.
func (s *Store) Close() error { return s.db.close() }

// Now is the store's clock.
func (s *Store) Now() Millis { return s.now().UnixMilli() }

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
	return s.db.read(ctx, func(t tx) error { return t.QueryRow(dest, query, args...) })
}

// queryAll reads every row of a query into values of one type.
func queryAll[T any](ctx context.Context, s *Store, dest func(*T) []any, query string, args ...any) ([]T, error) {
	var all []T
	err := s.db.read(ctx, func(t tx) error {
		all = nil
		return t.Query(func(scan scanFunc) error {
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
	err = s.db.single(ctx, func(t tx) error {
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
