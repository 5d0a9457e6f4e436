package store

import (
	"context"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// KnownAs is what an outside source knows a user by, and whether the directory has
// ever had that account.
type KnownAs struct {
	Source      string
	Key         string
	InDirectory bool
}

// KnownAs lists by what outside sources know a user, oldest first.
func (s *Store) KnownAs(ctx context.Context, userID string) ([]KnownAs, error) {
	return queryAll(ctx, s, func(k *KnownAs) []any { return []any{&k.Source, &k.Key, &k.InDirectory} }, `
		SELECT source, key, in_directory FROM identities WHERE user_id = $1 ORDER BY created_at, source, key`, userID)
}

// SetInDirectory notes that the directory has an account. That alone changes nobody's
// trust, so there is no audit row.
func (s *Store) SetInDirectory(ctx context.Context, source, key string) error {
	_, err := s.exec(ctx, `UPDATE identities SET in_directory = TRUE WHERE source = $1 AND key = $2 AND NOT in_directory`, source, key)
	return err
}

// UserOfGrant reads the user of a grant of a client, whatever has become of it.
// ErrNotFound: the client has no such grant.
func (s *Store) UserOfGrant(ctx context.Context, grantID, clientID string) (*User, error) {
	u := &User{}
	err := s.queryRow(ctx, u.dest(), `
		SELECT `+userColumns+` FROM grants g JOIN users u ON u.id = g.user_id WHERE g.id = $1 AND g.client_id = $2`, grantID, clientID)
	if err != nil {
		return nil, err
	}
	return u, nil
}

// EndUser ends all sessions and grants of a user whom the directory does not vouch
// for any more. The user may log in again when it does. Where there is nothing to
// end, it leaves no trace.
func (s *Store) EndUser(ctx context.Context, userID string, e Entry) error {
	return s.ending(ctx, func(t database.Tx) (queued int64, err error) {
		now, some := s.Now(), false
		err = t.QueryRow([]any{&some}, `
			SELECT EXISTS (SELECT 1 FROM sessions WHERE user_id = $1 AND expires_at > $2)
			OR EXISTS (SELECT 1 FROM grants WHERE user_id = $1 AND revoked_at = 0 AND expires_at > $2)`, userID, now)
		if err != nil || !some {
			return 0, err
		}
		if queued, err = endUser(t, userID, now); err != nil {
			return 0, err
		}
		e.UserID = userID
		return queued, s.writeEntry(t, e, audit.DirectoryDisabled)
	})
}
