package database

import "errors"

var (
	// ErrNotFound: there is no row.
	ErrNotFound = errors.New("not found")
	// ErrNewerSchema: the schema no longer supports a binary this old.
	ErrNewerSchema = errors.New("the database needs a newer version of this program")
	// ErrText: a text holds a NUL or invalid UTF-8, or is longer than a
	// mebibyte. PostgreSQL cannot store the first two, and SQLite would. A
	// lookup with such a text also matches ErrNotFound: no row can have it.
	ErrText = errors.New("text is not valid")
	// ErrClosed: Close was called before the operation.
	ErrClosed = errors.New("database is closed")
	// ErrReadOnly: the database was opened by Look.
	ErrReadOnly = errors.New("the database was opened to look at it only")
)
