package database

import (
	"context"
	"database/sql"
	"sync"
)

// stmts is a Tx over prepared statements, for SQLite: parsing and planning cost
// several times what running a statement does. Every text is a constant of this
// package, so the cache is bounded. prepare is DB.PrepareContext (readers) or
// Conn.PrepareContext (the writer).
type stmts struct {
	prepare func(context.Context, string) (*sql.Stmt, error)
	cache   sync.Map // text → *sql.Stmt
}

func (c *stmts) get(query string) (*sql.Stmt, error) {
	if st, ok := c.cache.Load(query); ok {
		return st.(*sql.Stmt), nil
	}
	st, err := c.prepare(context.Background(), query)
	if err != nil {
		return nil, err
	}
	if prev, taken := c.cache.LoadOrStore(query, st); taken {
		_ = st.Close()
		return prev.(*sql.Stmt), nil
	}
	return st, nil
}

func (c *stmts) close() {
	c.cache.Range(func(_, st any) bool {
		_ = st.(*sql.Stmt).Close()
		return true
	})
}

// Exec implements Tx.
func (c *stmts) Exec(query string, args ...any) (int64, error) {
	if err := checkArgs(args); err != nil {
		return 0, err
	}
	st, err := c.get(query)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Query implements Tx.
func (c *stmts) Query(each func(Scan) error, query string, args ...any) error {
	if err := checkArgs(args); err != nil {
		return err
	}
	st, err := c.get(query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(context.Background(), args...)
	return eachRow(rows, err, each)
}

// QueryRow implements Tx.
func (c *stmts) QueryRow(dest []any, query string, args ...any) error {
	if err := checkArgs(args); err != nil {
		return noRow(err)
	}
	st, err := c.get(query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(context.Background(), args...)
	return oneRow(rows, err, dest)
}

// direct is a Tx over a PostgreSQL pool or transaction; the driver keeps its
// own cache of prepared statements.
type direct struct {
	ctx context.Context
	db  interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	}
}

// Exec implements Tx.
func (d direct) Exec(query string, args ...any) (int64, error) {
	if err := checkArgs(args); err != nil {
		return 0, err
	}
	res, err := d.db.ExecContext(d.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Query implements Tx.
func (d direct) Query(each func(Scan) error, query string, args ...any) error {
	if err := checkArgs(args); err != nil {
		return err
	}
	rows, err := d.db.QueryContext(d.ctx, query, args...)
	return eachRow(rows, err, each)
}

// QueryRow implements Tx.
func (d direct) QueryRow(dest []any, query string, args ...any) error {
	if err := checkArgs(args); err != nil {
		return noRow(err)
	}
	rows, err := d.db.QueryContext(d.ctx, query, args...)
	return oneRow(rows, err, dest)
}

func eachRow(rows *sql.Rows, err error, each func(Scan) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err below has the error
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// oneRow scans the first row. Unlike sql.Row it reads to the end: a statement
// that writes and returns a row commits, and may fail, only there.
func oneRow(rows *sql.Rows, err error, dest []any) error {
	found := false
	err = eachRow(rows, err, func(scan Scan) error {
		if found {
			return nil
		}
		found = true
		return scan(dest...)
	})
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}
