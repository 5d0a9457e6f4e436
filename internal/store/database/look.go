package database

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/stdlib"
)

// readOnly is a database whose writes fail.
type readOnly struct{ Database }

func (readOnly) Write(context.Context, func(Tx) error) error  { return ErrReadOnly }
func (readOnly) Single(context.Context, func(Tx) error) error { return ErrReadOnly }

func lookAtPostgres(url string) (Database, error) {
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
func lookAtSQLite(path string) (Database, error) {
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
	Database // nil: readOnly answers for it
	db       *sql.DB
	stmts    *stmts
}

func (s *sqliteLook) Read(ctx context.Context, op func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return op(s.stmts)
}

func (s *sqliteLook) Close() error {
	s.stmts.close()
	return s.db.Close()
}

// Name implements Database.
func (*sqliteLook) Name() string { return nameSQLite }
