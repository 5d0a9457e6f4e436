package store

import (
	"context"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// Kinds of factors.
const (
	FactorTOTP    = "totp"    // time-based codes (RFC 6238)
	FactorPasskey = "passkey" // WebAuthn
)

// maxFactors bounds the factors of a user.
const maxFactors = 20

// Factor is something that somebody has beside their password or ticket.
type Factor struct {
	ID        string
	UserID    string
	Kind      string // FactorTOTP or FactorPasskey
	Key       []byte // credential id of a passkey; empty when it is added: its ID
	Name      string // what its person calls it
	Data      []byte // the sealed secret of time-based codes, the public key of a passkey
	Counter   int64  // the last time step, or signature count, that was accepted
	CreatedAt Millis
	UsedAt    Millis // 0: never
}

const factorColumns = `f.id, f.user_id, f.kind, f.key, f.name, f.data, f.counter, f.created_at, f.used_at`

func (f *Factor) dest() []any {
	return []any{&f.ID, &f.UserID, &f.Kind, &f.Key, &f.Name, &f.Data, &f.Counter, &f.CreatedAt, &f.UsedAt}
}

// NewFactor is a factor that a user is to have.
type NewFactor struct {
	Factor // its ID is the caller's, who may have sealed something under it
	// First: it must be the user's first. What somebody sets up who has shown one
	// factor only must not come beside what another has set up.
	First bool
	// PasswordHash is of the local password that this somebody typed: it must still be
	// the user's. Empty: none was.
	PasswordHash string
	Entry        Entry
}

// AddFactor adds a factor to a user. ErrConflict: the key is somebody's, or there is
// one already; ErrTooMany: the user has enough of them; ErrNotFound: the user is
// unknown or disabled, or has another password.
//
// Sessions go on: what they have shown is no less than it was.
func (s *Store) AddFactor(ctx context.Context, in NewFactor) error {
	if len(in.Key) == 0 {
		in.Key = []byte(in.ID)
	}
	return s.db.Write(ctx, func(t database.Tx) error {
		// The user's row is locked: of two that come at once, the second sees the first.
		n, err := t.Exec(`
			UPDATE users SET updated_at = $1 WHERE id = $2 AND NOT disabled AND ($3 = '' OR password_hash = $3)`,
			s.Now(), in.UserID, in.PasswordHash)
		if err := found(n, err); err != nil {
			return err
		}
		if err := hasRoom(t, in); err != nil {
			return err
		}
		n, err = t.Exec(`
			INSERT INTO factors (id, user_id, kind, key, name, data, counter, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT DO NOTHING`, in.ID, in.UserID, in.Kind, in.Key, in.Name, in.Data, in.Counter, s.Now())
		if err == nil && n == 0 {
			return ErrConflict
		}
		if err != nil {
			return err
		}
		e := in.Entry
		e.Detail = in.detail()
		return s.changed(t, n, in.UserID, e, audit.FactorAdded)
	})
}

// hasRoom reports whether the user, whose row is locked, may have one more.
func hasRoom(t database.Tx, in NewFactor) error {
	var had int64
	if err := t.QueryRow([]any{&had}, `SELECT COUNT(*) FROM factors WHERE user_id = $1`, in.UserID); err != nil {
		return err
	}
	switch {
	case had > 0 && in.First:
		return ErrConflict
	case had >= maxFactors:
		return ErrTooMany
	}
	return nil
}

// detail names a factor in the audit log.
func (f *Factor) detail() string { return f.Kind + " " + f.ID + ": " + f.Name }

// FactorsOf lists a user's factors, oldest first.
func (s *Store) FactorsOf(ctx context.Context, userID string) ([]Factor, error) {
	return queryAll(ctx, s, (*Factor).dest, `
		SELECT `+factorColumns+` FROM factors f WHERE f.user_id = $1 ORDER BY f.created_at, f.id`, userID)
}

// FactorByKey finds a factor, whosever it is, with its user, who may be disabled.
func (s *Store) FactorByKey(ctx context.Context, kind string, key []byte) (*Factor, *User, error) {
	f, u := &Factor{}, &User{}
	err := s.queryRow(ctx, append(f.dest(), u.dest()...), `
		SELECT `+factorColumns+`, `+userColumns+` FROM factors f JOIN users u ON u.id = f.user_id
		WHERE f.kind = $1 AND f.key = $2`, kind, key)
	if err != nil {
		return nil, nil, err
	}
	return f, u, nil
}

// AcceptFactor moves a factor's counter on: the one statement that decides who may
// use a time step, or a signature count. It only ever grows (RFC 6238 §5.2; WebAuthn
// §7.2 step 22), except that a passkey which does not count says 0 for ever.
// ErrReused: it is not greater; ErrNotFound: the factor is not the user's any more.
// It changes no trust, so there is no audit row: that of the login has it.
func (s *Store) AcceptFactor(ctx context.Context, userID, id string, counter int64) error {
	n, err := s.exec(ctx, `
		UPDATE factors SET counter = $1, used_at = $2
		WHERE id = $3 AND user_id = $4 AND (counter < $1 OR (kind = 'passkey' AND counter = 0 AND $1 = 0))`,
		counter, s.Now(), id, userID)
	if err != nil || n == 1 {
		return err
	}
	var one int64
	if err := s.queryRow(ctx, []any{&one}, `SELECT 1 FROM factors WHERE id = $1 AND user_id = $2`, id, userID); err != nil {
		return err
	}
	return ErrReused
}

// RenameFactor sets what a factor's person calls it. It changes no trust, so there
// is no audit row. ErrNotFound: it is not the user's.
func (s *Store) RenameFactor(ctx context.Context, userID, id, name string) error {
	return s.execOne(ctx, `UPDATE factors SET name = $1 WHERE id = $2 AND user_id = $3`, name, id, userID)
}

// RemoveFactor takes a factor away from a user. Whoever has it, and it is often gone
// with a phone that is logged in, is out: all sessions but the one that asks
// (e.SessionID) end, with what they granted. Recovery codes go with the last factor,
// for alone they are none. ErrNotFound: it is not the user's.
func (s *Store) RemoveFactor(ctx context.Context, userID, id string, e Entry) error {
	return s.ending(ctx, func(t database.Tx) (int64, error) {
		if _, err := t.Exec(`UPDATE users SET updated_at = $1 WHERE id = $2`, s.Now(), userID); err != nil {
			return 0, err
		}
		f := &Factor{}
		err := t.QueryRow(f.dest(), `
			DELETE FROM factors WHERE id = $1 AND user_id = $2
			RETURNING id, user_id, kind, key, name, data, counter, created_at, used_at`, id, userID)
		if err != nil {
			return 0, err
		}
		_, err = t.Exec(`
			DELETE FROM recovery_codes WHERE user_id = $1 AND NOT EXISTS (SELECT 1 FROM factors f WHERE f.user_id = $1)`, userID)
		if err != nil {
			return 0, err
		}
		queued, err := s.endOtherSessions(t, userID, e)
		if err != nil {
			return 0, err
		}
		e.Detail = f.detail()
		return queued, s.changed(t, 1, userID, e, audit.FactorRemoved)
	})
}

// endOtherSessions ends a user's sessions but the one that e names.
func (s *Store) endOtherSessions(t database.Tx, userID string, e Entry) (queued int64, err error) {
	ids, err := sessionIDs(t, `SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 ORDER BY id`, userID, e.SessionID)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		n, err := s.endSession(t, id, Entry{Actor: e.Actor, UserID: userID, Name: e.Name, Address: e.Address, RequestID: e.RequestID})
		if err != nil {
			return 0, err
		}
		queued += n
	}
	return queued, nil
}

// ResetFactors takes all factors and recovery codes away from a user who has lost
// them, and ends all that the user's logins gave: who asks for it is no session of
// theirs. It returns how many factors there were.
func (s *Store) ResetFactors(ctx context.Context, userID string, e Entry) (removed int64, err error) {
	err = s.ending(ctx, func(t database.Tx) (int64, error) {
		now := s.Now()
		n, err := t.Exec(`UPDATE users SET updated_at = $1 WHERE id = $2`, now, userID)
		if err := found(n, err); err != nil {
			return 0, err
		}
		if removed, err = t.Exec(`DELETE FROM factors WHERE user_id = $1`, userID); err != nil {
			return 0, err
		}
		if _, err = t.Exec(`DELETE FROM recovery_codes WHERE user_id = $1`, userID); err != nil {
			return 0, err
		}
		queued, err := endUser(t, userID, now)
		if err != nil {
			return 0, err
		}
		return queued, s.changed(t, n, userID, e, audit.FactorsReset)
	})
	return removed, err
}

// stillTheFactor locks the row of the factor that was shown: one that is taken away
// meanwhile is either seen here, or finds the session that it started, and ends it.
func stillTheFactor(t database.Tx, in StartSession) error {
	if in.FactorID == "" {
		return nil
	}
	n, err := t.Exec(`UPDATE factors SET used_at = used_at WHERE id = $1 AND user_id = $2`, in.FactorID, in.Session.UserID)
	return found(n, err)
}

// ResealFactor replaces what a factor holds by the same, sealed under another key;
// nothing happens when another node has done it.
func (s *Store) ResealFactor(ctx context.Context, id string, old, sealed []byte) error {
	_, err := s.exec(ctx, `UPDATE factors SET data = $1 WHERE id = $2 AND data = $3`, sealed, id, old)
	return err
}

// FactorsOfKind lists everybody's factors of a kind by their ids, starting after one;
// at most 1,000.
func (s *Store) FactorsOfKind(ctx context.Context, kind, after string) ([]Factor, error) {
	return queryAll(ctx, s, (*Factor).dest, `
		SELECT `+factorColumns+` FROM factors f WHERE f.kind = $1 AND f.id > $2 ORDER BY f.id LIMIT 1000`, kind, after)
}
