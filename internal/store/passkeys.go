package store

import "context"

// SetFactorData keeps what a factor has said of itself since it was added: that a
// passkey is backed up, say. ErrNotFound: it is not the user's any more.
func (s *Store) SetFactorData(ctx context.Context, userID, id string, data []byte) error {
	return s.execOne(ctx, `UPDATE factors SET data = $1 WHERE id = $2 AND user_id = $3`, data, id, userID)
}
