package database

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"

	"idp/migrations"
)

// Level is what this binary understands. It is raised, together with
// oldest_binary in a migration, when the schema changes in a way that an older
// binary would get wrong; a schema that only grows leaves both alone, so that
// the nodes of an installation are upgraded one by one.
const Level = 1

// Schema is the state of the tables.
type Schema struct {
	Version   int64 // the newest migration that was applied; 0: there are no tables yet
	Known     int64 // the newest migration of this program
	Supported bool  // whether the tables still support this program
}

// SchemaOf looks at the tables' version.
func SchemaOf(ctx context.Context, db Database) (v Schema, err error) {
	if v.Known, err = newestMigration(); err != nil {
		return v, err
	}
	v.Supported = true
	err = row(ctx, db, []any{&v.Version}, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`)
	if NoTable(err) {
		return v, nil
	}
	if err != nil || v.Version == 0 {
		return v, err
	}
	var oldest int64
	err = row(ctx, db, []any{&oldest}, `SELECT oldest_binary FROM schema_support`)
	v.Supported = oldest <= Level
	return v, err
}

// NoTable reports undefined_table of PostgreSQL, and SQLite's words for it.
func NoTable(err error) bool {
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

// EngineOf asks the database who it is and what time it is there.
func EngineOf(ctx context.Context, db Database, now func() time.Time) (e Engine, err error) {
	if e.Name = db.Name(); e.Name == nameSQLite {
		return e, row(ctx, db, []any{&e.Version}, `SELECT sqlite_version()`)
	}
	if err := row(ctx, db, []any{&e.Version}, `SELECT current_setting('server_version')`); err != nil {
		return e, err
	}
	var there int64
	asked := now()
	err = row(ctx, db, []any{&there}, `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`)
	answered := now()
	e.Ahead = time.UnixMilli(there).Sub(asked.Add(answered.Sub(asked) / 2)).Round(time.Millisecond)
	return e, err
}

func row(ctx context.Context, db Database, dest []any, query string) error {
	return db.Read(ctx, func(t Tx) error { return t.QueryRow(dest, query) })
}
