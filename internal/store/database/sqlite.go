package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	modernc "modernc.org/sqlite" // pure Go, no cgo; registers the driver "sqlite"
)

// sqlite is the embedded database: a pool of connections that only read, and
// the writer.
type sqlite struct {
	readers *sql.DB
	stmts   *stmts
	writer  *writer
}

// pragmas of every connection. busy_timeout is for other processes (the
// command line) that write the same file; FULL makes a commit survive a power
// cut; the WAL file shrinks back to 64 MiB after a burst.
const pragmas = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
	"&_pragma=foreign_keys(ON)&_pragma=journal_size_limit(67108864)&_pragma=temp_store(MEMORY)" +
	"&_pragma=cache_size(-16384)&_pragma=trusted_schema(OFF)"

func openSQLite(ctx context.Context, path string, log *slog.Logger) (*sqlite, error) {
	if path == "" || strings.Contains(path, ":memory:") {
		return nil, errors.New("sqlite: needs the path of a file")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	// As durable as fsync for a file whose size it also writes, and cheaper: the
	// time stamps need not reach the disk. Only Linux and the BSDs have it.
	if _, err := modernc.Fdatasync(true); err != nil {
		log.DebugContext(ctx, "sqlite syncs with fsync", "err", err)
	}
	dsn := "file:" + uriPath(path) + "?" + pragmas
	if err := migrateSQLite(ctx, path, dsn, log); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := &sqlite{}
	if s.writer, err = openWriter(ctx, dsn); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.readers, err = sql.Open("sqlite", dsn+"&_pragma=query_only(ON)"); err != nil {
		return nil, errors.Join(err, s.writer.close())
	}
	s.readers.SetMaxOpenConns(max(4, 2*runtime.GOMAXPROCS(0)))
	s.readers.SetMaxIdleConns(max(4, 2*runtime.GOMAXPROCS(0)))
	s.stmts = &stmts{prepare: s.readers.PrepareContext}
	return s, nil
}

// uriPath escapes what ends the path of a file: URI.
func uriPath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// createPrivate makes a new database file with mode 0600, which the files
// beside it (-wal, -shm) inherit. It never opens an existing file: closing it
// again would drop the locks this process has on it.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the administrator's path
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// read implements Database. A read takes microseconds, so the caller's context
// is looked at before it and not during it.
func (s *sqlite) Read(ctx context.Context, op func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return op(s.stmts)
}

func (s *sqlite) Write(ctx context.Context, op func(Tx) error) error {
	return s.writer.do(ctx, op, false)
}

func (s *sqlite) Single(ctx context.Context, op func(Tx) error) error {
	return s.writer.do(ctx, op, true)
}

func (s *sqlite) Close() error {
	err := s.writer.close()
	s.stmts.close()
	return errors.Join(err, s.readers.Close())
}

const nameSQLite = "SQLite"

// Name implements Database.
func (*sqlite) Name() string { return nameSQLite }
