package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"idp/migrations"
)

// ErrReadOnly: the store was opened by OpenReadOnly.
var ErrReadOnly = errors.New("the database was opened to look at it only")

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
	switch kind, rest, _ := strings.Cut(cfg.URL, ":"); kind {
	case "sqlite":
		s.db, err = lookAtSQLite(rest)
	case "postgres", "postgresql":
		s.db, err = lookAtPostgres(cfg.URL)
	default:
		err = errors.New("want sqlite:PATH or postgres://…")
	}
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return s, nil
}

// readOnly is a backend whose writes fail.
type readOnly struct{ backend }

func (readOnly) write(context.Context, func(tx) error) error  { return ErrReadOnly }
func (readOnly) single(context.Context, func(tx) error) error { return ErrReadOnly }

func lookAtPostgres(url string) (backend, error) {
	cfg, err := postgresConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["default_transaction_read_only"] = "on"
	cfg.DialFunc = impatient(cfg.DialFunc)
	return readOnly{&postgres{db: stdlib.OpenDB(*cfg)}}, nil
}

// lookAtSQLite opens the file and nothing else. Where no -wal lies beside it
// nobody has it open, and SQLite is told that the file does not change
// (immutable): it then neither makes nor locks the files beside it.
func lookAtSQLite(path string) (backend, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	dsn := "file:" + uriPath(path) + "?mode=ro&_pragma=busy_timeout(2000)&_pragma=query_only(ON)&_pragma=trusted_schema(OFF)"
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		dsn += "&immutable=1"
	}
	s := &sqliteLook{}
	if s.db, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	s.stmts = &stmts{prepare: s.db.PrepareContext}
	return readOnly{s}, nil
}

// sqliteLook is a SQLite file without a writer.
type sqliteLook struct {
	backend // nil: readOnly answers for it
	db      *sql.DB
	stmts   *stmts
}

func (s *sqliteLook) read(ctx context.Context, op func(tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return op(s.stmts)
}

func (s *sqliteLook) close() error {
	s.stmts.close()
	return s.db.Close()
}

// Schema is the state of the tables.
type Schema struct {
	Version   int64 // the newest migration that was applied; 0: there are no tables yet
	Known     int64 // the newest migration of this program
	Supported bool  // whether the tables still support this program
}

// Schema looks at the tables' version.
func (s *Store) Schema(ctx context.Context) (v Schema, err error) {
	if v.Known, err = newestMigration(); err != nil {
		return v, err
	}
	v.Supported = true
	err = s.queryRow(ctx, []any{&v.Version}, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`)
	if noTable(err) {
		return v, nil
	}
	if err != nil || v.Version == 0 {
		return v, err
	}
	var oldest int64
	err = s.queryRow(ctx, []any{&oldest}, `SELECT oldest_binary FROM schema_support`)
	v.Supported = oldest <= binaryLevel
	return v, err
}

// noTable: undefined_table of PostgreSQL, and SQLite's words for it.
func noTable(err error) bool {
	var pg *pgconn.PgError
	return err != nil && (errors.As(err, &pg) && pg.Code == "42P01" || strings.Contains(err.Error(), "no such table"))
}

func newestMigration() (newest int64, err error) {
	files, err := fs.Glob(migrations.Files, "*.sql")
	for _, name := range files {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		newest = max(newest, n)
	}
	return newest, err
}

// Engine is the program behind the database.
type Engine struct {
	Name    string // SQLite or PostgreSQL
	Version string
	Ahead   time.Duration // how far its clock is ahead of ours; 0 for SQLite, which uses ours
}

// Engine asks the database who it is and what time it is there.
func (s *Store) Engine(ctx context.Context) (e Engine, err error) {
	if _, ok := s.inner().(*postgres); !ok {
		e.Name = "SQLite"
		return e, s.queryRow(ctx, []any{&e.Version}, `SELECT sqlite_version()`)
	}
	e.Name = "PostgreSQL"
	if err := s.queryRow(ctx, []any{&e.Version}, `SELECT current_setting('server_version')`); err != nil {
		return e, err
	}
	var there Millis
	asked := s.now()
	err = s.queryRow(ctx, []any{&there}, `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`)
	answered := s.now()
	e.Ahead = time.UnixMilli(there).Sub(asked.Add(answered.Sub(asked) / 2)).Round(time.Millisecond)
	return e, err
}

func (s *Store) inner() backend {
	if r, ok := s.db.(readOnly); ok {
		return r.backend
	}
	return s.db
}
