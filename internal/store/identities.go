package store

import "context"

func (s *Store) insertIdentity(t tx, i Identity) error {
	n, err := t.Exec(`
		INSERT INTO identities (source, key, user_id, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, i.Source, i.Key, i.UserID, s.Now())
	if err == nil && n == 0 {
		return ErrConflict
	}
	return err
}

// UserByIdentity finds the user an outside source knows by key.
func (s *Store) UserByIdentity(ctx context.Context, source, key string) (*User, error) {
	u := &User{}
	err := s.queryRow(ctx, u.dest(), `
		SELECT `+userColumns+` FROM identities i JOIN users u ON u.id = i.user_id
		WHERE i.source = $1 AND i.key = $2`, source, key)
	if err != nil {
		return nil, err
	}
	return u, nil
}
