package store

import (
	"context"
	"slices"

	"idp/internal/audit"
	"idp/internal/store/database"
)

func (s *Store) insertIdentity(t database.Tx, i Identity) error {
	n, err := t.Exec(`
		INSERT INTO identities (source, key, user_id, created_at, label, groups) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING`, i.Source, i.Key, i.UserID, s.Now(), i.Label, encodeList(i.Groups))
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

// HasIdentity reports whether a source knows anybody by a key in [from, to). The
// bounds must differ in letters: databases order punctuation in several ways.
func (s *Store) HasIdentity(ctx context.Context, source, from, to string) (bool, error) {
	var n int64
	err := s.queryRow(ctx, []any{&n}, `
		SELECT COUNT(*) FROM (SELECT 1 FROM identities WHERE source = $1 AND key >= $2 AND key < $3 LIMIT 1) one`, source, from, to)
	return n > 0, err
}

// RekeyIdentity changes the key an outside source knows a user by: the first
// ticket that tells a SID makes it the key. ErrNotFound: the source knows nobody
// by the old key; ErrConflict: it knows somebody by the new one.
func (s *Store) RekeyIdentity(ctx context.Context, source, from, to string, e Entry) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		err := t.QueryRow([]any{&e.UserID}, `
			UPDATE identities SET key = $1
			WHERE source = $2 AND key = $3 AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.source = $2 AND i.key = $1)
			RETURNING user_id`, to, source, from)
		if err != nil {
			return err
		}
		return s.writeEntry(t, e, audit.IdentityLinked)
	})
}

// LinkIdentity lets who an outside source knows by a key log in as a user.
// ErrConflict: the key is somebody's already.
func (s *Store) LinkIdentity(ctx context.Context, i Identity, e Entry) error {
	e.UserID = i.UserID
	return s.db.Write(ctx, func(t database.Tx) error {
		if err := s.insertIdentity(t, i); err != nil {
			return err
		}
		return s.writeEntry(t, e, audit.IdentityLinked)
	})
}

// UnlinkIdentity takes a key away from a user, whose sessions and grants end.
// ErrNotFound: it is not the user's.
func (s *Store) UnlinkIdentity(ctx context.Context, i Identity, e Entry) error {
	e.UserID = i.UserID
	return s.ending(ctx, func(t database.Tx) (int64, error) {
		if err := s.takeGroups(t, i, e); err != nil {
			return 0, err
		}
		n, err := t.Exec(`DELETE FROM identities WHERE source = $1 AND key = $2 AND user_id = $3`, i.Source, i.Key, i.UserID)
		if err := found(n, err); err != nil {
			return 0, err
		}
		queued, err := endUser(t, i.UserID, s.Now())
		if err != nil {
			return 0, err
		}
		return queued, s.writeEntry(t, e, audit.IdentityUnlinked)
	})
}

// takeGroups takes from a user the groups that an identity of theirs has given, and no
// other one gives: what it vouched for ends with it. ErrNotFound: it is not the user's.
func (s *Store) takeGroups(t database.Tx, i Identity, e Entry) error {
	var gave, has []string
	err := t.QueryRow([]any{(*textList)(&gave), (*textList)(&has)}, `
		SELECT i.groups, u.groups FROM identities i JOIN users u ON u.id = i.user_id
		WHERE i.source = $1 AND i.key = $2 AND i.user_id = $3`, i.Source, i.Key, i.UserID)
	if err != nil || len(gave) == 0 {
		return err
	}
	err = t.Query(func(scan database.Scan) error {
		var others []string
		err := scan((*textList)(&others))
		gave = slices.DeleteFunc(gave, func(g string) bool { return slices.Contains(others, g) })
		return err
	}, `SELECT groups FROM identities WHERE user_id = $3 AND (source <> $1 OR key <> $2)`, i.Source, i.Key, i.UserID)
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(has), func(g string) bool { return slices.Contains(gave, g) })
	if len(kept) == len(has) {
		return nil
	}
	n, err := t.Exec(`UPDATE users SET groups = $1, updated_at = $2 WHERE id = $3`, encodeList(kept), s.Now(), i.UserID)
	if err != nil {
		return err
	}
	if e.Detail, err = profileDetail(User{Groups: has}, User{Groups: kept}); err != nil {
		return err
	}
	return s.changed(t, n, i.UserID, e, audit.UserChanged)
}

// IdentitiesOf lists by what outside sources know a user, oldest first.
func (s *Store) IdentitiesOf(ctx context.Context, userID string) ([]Identity, error) {
	return queryAll(ctx, s, (*Identity).dest, `
		SELECT source, key, user_id, label, used_at, created_at FROM identities WHERE user_id = $1 ORDER BY created_at, source, key`, userID)
}

func (i *Identity) dest() []any {
	return []any{&i.Source, &i.Key, &i.UserID, &i.Label, &i.UsedAt, &i.CreatedAt}
}
