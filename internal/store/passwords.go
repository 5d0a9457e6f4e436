package store

import (
	"context"
	"slices"

	"idp/internal/audit"
	"idp/internal/secret"
	"idp/internal/store/database"
)

// SettingSlowHashes is there when a hash was imported that takes long to check.
const SettingSlowHashes = "slow_hashes"

// ChangePassword is a new password that somebody chose who is logged in.
type ChangePassword struct {
	UserID           string
	OldHash, NewHash string
	SessionID        string // stays, under another secret
	SecretHash       []byte // of that
	EndOthers        bool   // sessions and what was granted in them
	Entry            Entry
}

// ChangePassword sets a password in place of the one that was checked. The session in
// which that happened goes on. ErrNotFound: the password is another by now, the session
// is over, or the user is disabled.
func (s *Store) ChangePassword(ctx context.Context, in ChangePassword) error {
	return s.ending(ctx, func(t database.Tx) (queued int64, err error) {
		now := s.Now()
		n, err := t.Exec(`
			UPDATE users SET password_hash = $1, updated_at = $2 WHERE id = $3 AND password_hash = $4 AND password_hash <> '' AND NOT disabled`,
			in.NewHash, now, in.UserID, in.OldHash)
		if err := found(n, err); err != nil {
			return 0, err
		}
		n, err = t.Exec(`
			UPDATE sessions SET secret_hash = $1 WHERE id = $2 AND user_id = $3 AND expires_at > $4 AND idle_expires_at > $4`,
			in.SecretHash, in.SessionID, in.UserID, now)
		if err := found(n, err); err != nil {
			return 0, err
		}
		if err := dropLinks(t, in.UserID); err != nil {
			return 0, err
		}
		e := in.Entry
		e.Detail = "the other sessions stay"
		if in.EndOthers {
			e.Detail = "the other sessions ended"
			if queued, err = endOthers(t, in.UserID, in.SessionID, now); err != nil {
				return 0, err
			}
		}
		return queued, s.changed(t, n, in.UserID, e, audit.PasswordChanged)
	})
}

// endOthers is endUser for all but one session.
func endOthers(t database.Tx, userID, keep string, now Millis) (queued int64, err error) {
	ids, err := sessionIDs(t, `SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 ORDER BY id`, userID, keep)
	if err != nil {
		return 0, err
	}
	if queued, err = closeSessions(t, ids, now, never); err != nil {
		return 0, err
	}
	_, err = execEach(t, []any{now - inFlight, userID, keep}, // codes first, as in endUser
		`DELETE FROM codes WHERE expires_at > $1 AND user_id = $2 AND session_id <> $3`,
		`DELETE FROM device_codes WHERE expires_at > $1 AND user_id = $2 AND session_id <> $3`)
	if err != nil {
		return 0, err
	}
	_, err = execEach(t, []any{now, userID, keep},
		`UPDATE grants SET revoked_at = $1 WHERE user_id = $2 AND session_id <> $3 AND revoked_at = 0`,
		`UPDATE refresh_families SET revoked_at = $1 WHERE revoked_at = 0
		 AND grant_id IN (SELECT g.id FROM grants g WHERE g.user_id = $2 AND g.session_id <> $3)`)
	return queued, err
}

// ImportUsers adds users, all or none; slow: among their hashes are some that take long
// to check. The error wraps ErrConflict when a name is taken, and tells which.
func (s *Store) ImportUsers(ctx context.Context, users []User, slow bool, e Entry) error {
	users = slices.Clone(users)
	for i := range users {
		users[i].ID, users[i].CreatedAt = secret.ID(), s.Now()
	}
	return s.db.Write(ctx, func(t database.Tx) error {
		for _, u := range users {
			e.Name = u.Name
			if err := s.insertUser(t, u, nil, e); err != nil {
				return &ImportError{u.Name, err}
			}
		}
		if !slow {
			return nil
		}
		_, err := t.Exec(`INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, SettingSlowHashes, []byte("1"))
		return err
	})
}

// ImportError is what is wrong with one of several users.
type ImportError struct {
	Name string
	Err  error
}

func (e *ImportError) Error() string { return e.Name + ": " + e.Err.Error() }

func (e *ImportError) Unwrap() error { return e.Err }
