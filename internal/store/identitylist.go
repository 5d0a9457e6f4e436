package store

import "context"

// IdentitiesBetween lists by what outside sources know the users whose names come
// behind one name and up to another: those of a page of Users.
func (s *Store) IdentitiesBetween(ctx context.Context, after, last string) ([]Identity, error) {
	return queryAll(ctx, s, (*Identity).dest, `
		SELECT i.source, i.key, i.user_id, i.label, i.used_at, i.created_at FROM identities i JOIN users u ON u.id = i.user_id
		WHERE u.name > $1 AND u.name <= $2 ORDER BY u.name, i.created_at, i.source, i.key`, after, last)
}
