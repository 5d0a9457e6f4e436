package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode/utf8"
)

var (
	// ErrNotFound: no row that the caller may have: unknown, expired, used up,
	// or a condition of the statement does not hold.
	ErrNotFound = errors.New("not found")
	// ErrConflict: a name or id is taken, or a row was changed since it was read.
	ErrConflict = errors.New("already exists")
	// ErrReused: what counts once came a second time. What a code, device code or
	// refresh token gave has been revoked; a pushed request gives no second code.
	ErrReused = errors.New("used a second time")
	// ErrTooMany: a bound on rows of one kind is reached.
	ErrTooMany = errors.New("too many")
	// ErrConsent: the user has not allowed the relying party all that it is to get.
	ErrConsent = errors.New("the user has not consented")
	// ErrNewerSchema: the schema no longer supports a binary this old.
	ErrNewerSchema = errors.New("the database needs a newer version of this program")
	// ErrText: a text holds a NUL or invalid UTF-8, or is longer than a
	// mebibyte. PostgreSQL cannot store the first two, and SQLite would. A
	// lookup with such a text also matches ErrNotFound: no row can have it.
	ErrText = errors.New("text is not valid")
	// ErrClosed: the store is closed.
	ErrClosed = errors.New("database is closed")
)

// maxText bounds every text and blob, in bytes.
const maxText = 1 << 20

// checkArgs is the gate in front of every statement. It accepts the types both
// databases treat alike and nothing else: a named string type (a secret, say)
// is refused, and a nil blob is the empty one, for no column is nullable.
func checkArgs(args []any) error {
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			if len(v) > maxText || strings.IndexByte(v, 0) >= 0 || !utf8.ValidString(v) {
				return fmt.Errorf("argument %d: %w", i+1, ErrText)
			}
		case []byte:
			if len(v) > maxText {
				return fmt.Errorf("argument %d: %w", i+1, ErrText)
			}
			if v == nil {
				args[i] = []byte{}
			}
		case int64, bool:
		default:
			return fmt.Errorf("argument %d: type %T cannot be stored", i+1, arg)
		}
	}
	return nil
}

// noRow is what a lookup answers to text that no row can have.
func noRow(err error) error {
	if errors.Is(err, ErrText) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// protect runs op and turns a panic into an error: one operation must not end
// the writer, and its half-done work has to be rolled back.
func protect(t tx, op func(tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a database operation: %v\n%s", p, debug.Stack())
		}
	}()
	return op(t)
}
