package store

import (
	"context"

	"idp/internal/audit"
	"idp/internal/store/database"
)

func (k *SigningKey) dest() []any {
	return []any{&k.Kid, &k.Algorithm, &k.Sealed, &k.CreatedAt, &k.ActiveAt, &k.RetiredAt, &k.ExpiresAt}
}

// SigningKeys lists all signing keys, the oldest first. Those of the algorithms
// that the previous release does not know are in a table of their own, which a
// schema that OpenReadOnly finds may lack.
func (s *Store) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	all, err := queryAll(ctx, s, (*SigningKey).dest, `
		SELECT kid, algorithm, sealed, created_at, active_at, retired_at, expires_at FROM signing_keys UNION ALL
		SELECT kid, algorithm, sealed, created_at, active_at, retired_at, expires_at FROM optional_signing_keys
		ORDER BY created_at, kid`)
	if database.NoTable(err) {
		return queryAll(ctx, s, (*SigningKey).dest, `
			SELECT kid, algorithm, sealed, created_at, active_at, retired_at, expires_at FROM signing_keys ORDER BY created_at, kid`)
	}
	return all, err
}

// AddSigningKey adds a sealed key; ErrConflict when its kid is taken.
func (s *Store) AddSigningKey(ctx context.Context, k SigningKey, e Entry) error {
	insert := `
		INSERT INTO optional_signing_keys (kid, algorithm, sealed, created_at, active_at, retired_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`
	if k.Algorithm == "RS256" || k.Algorithm == "ES256" { // what the previous release knows
		insert = `
		INSERT INTO signing_keys (kid, algorithm, sealed, created_at, active_at, retired_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`
	}
	return s.db.Write(ctx, func(t database.Tx) error {
		n, err := t.Exec(insert, k.Kid, k.Algorithm, k.Sealed, k.CreatedAt, k.ActiveAt, k.RetiredAt, k.ExpiresAt)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrConflict
		}
		return s.keyChanged(t, k.Kid, e, audit.KeyAdded)
	})
}

// RetireSigningKey says until when a key signs and until when it is published.
func (s *Store) RetireSigningKey(ctx context.Context, kid string, retiredAt, expiresAt Millis, e Entry) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		n, err := both(t,
			`UPDATE signing_keys SET retired_at = $1, expires_at = $2 WHERE kid = $3`,
			`UPDATE optional_signing_keys SET retired_at = $1, expires_at = $2 WHERE kid = $3`, retiredAt, expiresAt, kid)
		if err := found(n, err); err != nil {
			return err
		}
		return s.keyChanged(t, kid, e, audit.KeyRetired)
	})
}

// ResealSigningKey replaces the sealed form of an unchanged key; nothing happens
// when another node has replaced it meanwhile. It changes no trust, so there is
// no audit row.
func (s *Store) ResealSigningKey(ctx context.Context, kid string, old, sealed []byte) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		_, err := both(t,
			`UPDATE signing_keys SET sealed = $1 WHERE kid = $2 AND sealed = $3`,
			`UPDATE optional_signing_keys SET sealed = $1 WHERE kid = $2 AND sealed = $3`, sealed, kid, old)
		return err
	})
}

func (s *Store) keyChanged(t database.Tx, kid string, e Entry, event string) error {
	if e.Name == "" {
		e.Name = kid
	}
	return s.writeEntry(t, e, event)
}

// DeleteSigningKeys deletes the keys that are not published any more since
// before; a key whose end is undecided stays.
func (s *Store) DeleteSigningKeys(ctx context.Context, expiredBefore Millis) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		_, err := both(t,
			`DELETE FROM signing_keys WHERE expires_at > 0 AND expires_at < $1`,
			`DELETE FROM optional_signing_keys WHERE expires_at > 0 AND expires_at < $1`, expiredBefore)
		return err
	})
}

// both changes the two tables of signing keys, and returns how many rows it
// changed; a kid is in one of them at most.
func both(t database.Tx, always, optional string, args ...any) (int64, error) {
	n, err := t.Exec(always, args...)
	if err != nil {
		return 0, err
	}
	m, err := t.Exec(optional, args...)
	return n + m, err
}
