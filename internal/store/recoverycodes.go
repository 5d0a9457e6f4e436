package store

import (
	"context"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// PutRecoveryCodes gives a user new recovery codes, by their keyed hashes, in place of
// all there were. ErrNotFound: the user is unknown or disabled.
func (s *Store) PutRecoveryCodes(ctx context.Context, userID string, hashes [][]byte, e Entry) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		now := s.Now()
		n, err := t.Exec(`UPDATE users SET updated_at = updated_at WHERE id = $1 AND NOT disabled`, userID)
		if err := found(n, err); err != nil {
			return err
		}
		if _, err := t.Exec(`DELETE FROM recovery_codes WHERE user_id = $1`, userID); err != nil {
			return err
		}
		for _, hash := range hashes {
			if _, err := t.Exec(`INSERT INTO recovery_codes (user_id, hash, created_at) VALUES ($1, $2, $3)`, userID, hash, now); err != nil {
				return err
			}
		}
		return s.changed(t, n, userID, e, audit.RecoveryCodesMade)
	})
}

// UseRecoveryCode uses up a recovery code of a user, by one conditional statement.
// ErrReused: it was used before; ErrNotFound: it is none of the user's, or good for
// nothing, for the user has no factor.
func (s *Store) UseRecoveryCode(ctx context.Context, userID string, hash []byte, e Entry) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		n, err := t.Exec(`UPDATE recovery_codes SET used_at = $1 WHERE user_id = $2 AND hash = $3 AND used_at = 0`, s.Now(), userID, hash)
		if err != nil {
			return err
		}
		if n == 0 {
			var one int64
			if err := t.QueryRow([]any{&one}, `SELECT 1 FROM recovery_codes WHERE user_id = $1 AND hash = $2`, userID, hash); err != nil {
				return err
			}
			return ErrReused
		}
		return s.changed(t, n, userID, e, audit.RecoveryCodeUsed)
	})
}

// RecoveryCodesLeft counts the recovery codes of a user that are not used up.
func (s *Store) RecoveryCodesLeft(ctx context.Context, userID string) (int64, error) {
	var n int64
	err := s.queryRow(ctx, []any{&n}, `SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1 AND used_at = 0`, userID)
	return n, err
}

// HasRecoveryCode reports whether a user has a recovery code, used up or not.
func (s *Store) HasRecoveryCode(ctx context.Context, userID string, hash []byte) (bool, error) {
	var n int64
	err := s.queryRow(ctx, []any{&n}, `SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1 AND hash = $2`, userID, hash)
	return n > 0, err
}
