package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"

	"idp/migrations"
)

// migrationLock is the key of PostgreSQL's advisory lock, any fixed number.
const migrationLock = 7_236_511_904_172

func migratePostgres(ctx context.Context, db *sql.DB, log *slog.Logger) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock)); err != nil {
		return err
	}
	defer func() {
		_, unlock := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(migrationLock))
		err = errors.Join(err, unlock)
	}()
	return migrate(ctx, goose.DialectPostgres, db, migrations.Files, log)
}

func migrateSQLite(ctx context.Context, path, dsn string, log *slog.Logger) (err error) {
	unlock, err := lockFolder(ctx, filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return migrate(ctx, goose.DialectSQLite3, db, migrations.Files, log)
}

// lockFolder keeps other processes from migrating a database in this folder
// until unlock, or until this process ends. The folder and not the file: SQLite's
// own locks on the file would be lost with the closing of any handle to it.
func lockFolder(ctx context.Context, dir string) (unlock func() error, err error) {
	f, err := os.Open(dir) //nolint:gosec // the administrator's path
	if err != nil {
		return nil, err
	}
	wait := time.NewTicker(20 * time.Millisecond)
	defer wait.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		}
	}
}

// migrate applies what is missing; the caller holds the lock. A database that
// is ahead of us stays as it is, provided it still supports this binary.
func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, files fs.FS, log *slog.Logger) error {
	p, err := goose.NewProvider(dialect, db, files)
	if err != nil {
		return err
	}
	version, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	if version > 0 {
		if err := checkLevel(ctx, db); err != nil {
			return err
		}
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migration: %w", err)
	}
	for _, m := range done {
		log.InfoContext(ctx, "database schema changed", "version", m.Source.Version, "took_us", m.Duration.Microseconds())
	}
	return nil
}

func checkLevel(ctx context.Context, db *sql.DB) error {
	var oldest int64
	if err := db.QueryRowContext(ctx, `SELECT oldest_binary FROM schema_support`).Scan(&oldest); err != nil {
		return fmt.Errorf("schema_support: %w", err)
	}
	if oldest > Level {
		return fmt.Errorf("%w (schema wants level %d, this program has %d)", ErrNewerSchema, oldest, Level)
	}
	return nil
}
