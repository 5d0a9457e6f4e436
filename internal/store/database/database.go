// Package database runs one text of SQL on two databases: PostgreSQL, for more than one
// node, and SQLite, one file without a server. It knows no table; package store does.
//
// An operation is a function over a Tx. Its statements are constants with $1 placeholders,
// their arguments only of the types that both databases treat alike. Whoever asks is looked
// at before an operation and not during it: a browser that goes away in the middle must
// disturb nobody, neither those whose work is committed together with its own nor the pool
// of connections.
//
// On SQLite there are many readers, and one writer, which commits waiting operations in
// groups (writer.go): a commit has to reach the disk, and that costs more than all the rest.
// PostgreSQL runs at READ COMMITTED, and an operation that lost a deadlock is run again: it
// sets what it hands out anew each time. Neither keeps what an operation has read from
// changing before it writes.
//
// Opening brings the schema up to date, under a lock that other nodes respect. A release
// and the one before it run beside each other, so a schema says which is the oldest program
// that it supports.
package database

import (
	"context"
	"errors"
	"log/slog"
	"strings"
)

// Database is an open database, of either kind. Safe for concurrent use.
type Database interface {
	// Read gives op single SELECTs, each with a snapshot of its own.
	Read(ctx context.Context, op func(Tx) error) error
	// Write runs op in one transaction, again when it lost a race inside the
	// database: op must set what it hands out anew each time.
	Write(ctx context.Context, op func(Tx) error) error
	// Single is Write for an op of exactly one statement, which needs no
	// transaction around it.
	Single(ctx context.Context, op func(Tx) error) error
	// Close waits for operations that have started.
	Close() error
	// Name is SQLite or PostgreSQL.
	Name() string
}

// Tx is all an operation sees of the database. Its statements run under the
// database's own context. Query and QueryRow have closed their rows when they
// return, so that an operation cannot leave any open.
type Tx interface {
	// Exec returns the number of rows that changed.
	Exec(query string, args ...any) (int64, error)
	// Query calls each for every row.
	Query(each func(scan Scan) error, query string, args ...any) error
	// QueryRow scans the first row into dest; ErrNotFound without one.
	QueryRow(dest []any, query string, args ...any) error
}

// Scan reads one row into dest, as sql.Rows does.
type Scan = func(dest ...any) error

// Open opens a database by its URL, "sqlite:PATH" or "postgres://…", creating the file of
// SQLite with mode 0600, and brings its schema up to date. It fails with ErrNewerSchema
// when the schema no longer supports this binary. log gets a line when the schema changes.
func Open(ctx context.Context, url string, log *slog.Logger) (Database, error) {
	switch kind, path, _ := strings.Cut(url, ":"); kind {
	case "sqlite":
		return openSQLite(ctx, path, log)
	case "postgres", "postgresql":
		return openPostgres(ctx, url, log)
	}
	return nil, errNoKind
}

// Look opens a database to look at it: no file is made, the schema stays as it is, every
// write fails with ErrReadOnly. Others may be using the database meanwhile, or nobody. A
// SQLite file that is not there is fs.ErrNotExist; PostgreSQL is asked at the first read
// only.
func Look(url string) (Database, error) {
	switch kind, path, _ := strings.Cut(url, ":"); kind {
	case "sqlite":
		return lookAtSQLite(path)
	case "postgres", "postgresql":
		return lookAtPostgres(url)
	}
	return nil, errNoKind
}

var errNoKind = errors.New("want sqlite:PATH or postgres://…")
