package database

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode/utf8"
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
func protect(t Tx, op func(Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a database operation: %v\n%s", p, debug.Stack())
		}
	}()
	return op(t)
}
