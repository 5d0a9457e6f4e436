package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"idp/internal/audit"
	"idp/internal/secret"
	"idp/internal/store/database"
)

// maxField bounds one field of an audit entry, in bytes: names and addresses
// in it come from anybody.
const maxField = 1024

const entryColumns = `id, at, event, reason, actor, user_id, name, client_id, session_id, address, request_id, detail, agent`

func (e *Entry) dest() []any {
	return []any{&e.ID, &e.At, &e.Event, &e.Reason, &e.Actor, &e.UserID, &e.Name, &e.ClientID, &e.SessionID,
		&e.Address, &e.RequestID, &e.Detail, &e.Agent}
}

// Filter says which audit entries to read, newest first.
type Filter struct {
	UserID string // empty: of everybody
	Event  string // empty: every event
	Before string // id of the last entry of the page before; empty: from the newest
	Limit  int    // 1 to 1,000; 0: 100
}

// Audit adds an entry for something that changed no row (a failed login): the
// only one whose event the caller names.
func (s *Store) Audit(ctx context.Context, e Entry) error {
	op := func(t database.Tx) error { return s.writeEntry(t, e, e.Event) }
	if audit.Told(e.Event) {
		return s.db.Write(ctx, op) // a mail is a second statement
	}
	return s.db.Single(ctx, op)
}

// Entries reads the audit log.
func (s *Store) Entries(ctx context.Context, f Filter) ([]Entry, error) {
	before := f.Before
	if before == "" {
		before = "g" // sorts after every hexadecimal digit, in every collation
	}
	if f.UserID == "" {
		return queryAll(ctx, s, (*Entry).dest, `
			SELECT `+entryColumns+` FROM audit
			WHERE id < $1 AND ($2 = '' OR event = $2) ORDER BY id DESC LIMIT $3`, before, f.Event, pageSize(f.Limit))
	}
	return queryAll(ctx, s, (*Entry).dest, `
		SELECT `+entryColumns+` FROM audit
		WHERE user_id = $1 AND id < $2 AND ($3 = '' OR event = $3) ORDER BY id DESC LIMIT $4`,
		f.UserID, before, f.Event, pageSize(f.Limit))
}

func pageSize(limit int) int64 {
	if limit <= 0 {
		return 100
	}
	return int64(min(limit, 1000))
}

// writeEntry adds e to the audit log in the transaction of the change it tells
// of. The event is the function's own, whatever the caller says: there is no way
// to change trust without a trace, or under another name. A login that failed is of
// the user whose name was tried, if there is one: their account shows it.
func (s *Store) writeEntry(t database.Tx, e Entry, event string) error {
	e.Event = event
	if e.At == 0 {
		e.At = s.Now()
	}
	e.ID = entryID(e.At)
	_, err := t.Exec(`
		INSERT INTO audit (`+entryColumns+`)
		VALUES ($1, $2, $3, $4, $5, CASE WHEN $6 = '' AND $3 = '`+audit.LoginFailed+`' THEN COALESCE((SELECT u.id FROM users u WHERE u.name = $7), '') ELSE $6 END,
			$7, $8, $9, $10, $11, $12, $13)`,
		e.ID, e.At, field(e.Event), field(e.Reason), field(e.Actor), field(e.UserID), field(e.Name), field(e.ClientID),
		field(e.SessionID), field(e.Address), field(e.RequestID), field(e.Detail), field(e.Agent))
	if err != nil {
		return err
	}
	return s.tell(t, e)
}

// entryID sorts by time: 12 hexadecimal digits of milliseconds, 16 at random.
func entryID(at Millis) string {
	return idAt(at) + hex.EncodeToString(secret.Bytes(8))
}

// idAt is less than the id of every entry of that moment, and greater than those of
// earlier ones.
func idAt(at Millis) string { return fmt.Sprintf("%012x", at) }

// field makes any text storable. Refusing it would let whoever types a NUL into
// the name field fail to log in without a trace.
func field(text string) string {
	if len(text) > maxField {
		text = text[:maxField]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD")
}
