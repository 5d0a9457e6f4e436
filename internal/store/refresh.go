package store

import (
	"context"
	"errors"
	"time"

	"idp/internal/audit"
	"idp/internal/store/database"
)

const familyColumns = `id, grant_id, client_id, generation, rotated_at, idle_expires_at, expires_at, revoked_at`

func (f *RefreshFamily) dest() []any {
	return []any{&f.ID, &f.GrantID, &f.ClientID, &f.Generation, &f.RotatedAt, &f.IdleExpiresAt, &f.ExpiresAt, &f.RevokedAt}
}

// RefreshFamily reads a family as it is, a revoked or expired one included, for
// introspection and revocation.
func (s *Store) RefreshFamily(ctx context.Context, id string) (*RefreshFamily, error) {
	f := &RefreshFamily{}
	if err := s.queryRow(ctx, f.dest(), `SELECT `+familyColumns+` FROM refresh_families WHERE id = $1`, id); err != nil {
		return nil, err
	}
	return f, nil
}

// Rotate is one try to use a refresh token, whose MAC the caller has checked,
// by the client it was given to.
type Rotate struct {
	Family        string
	ClientID      string
	Generation    int64 // of the token presented
	Now           Millis
	IdleExpiresAt Millis        // of the successor
	Grace         time.Duration // the token before the current one still yields the current one for so long
	Keep          bool          // the token stays the current one: it is used, and not rotated
	// Check may refuse for the caller's own reasons; its error is returned as it
	// is, and the token stays unused. It runs inside the transaction: no I/O, no
	// crypto. nil: nothing more to check.
	Check func(Grant, Standing) error
	Entry Entry // address, request id … of the audit row for a reuse
}

// rotation is what an operation found out.
type rotation struct {
	family RefreshFamily
	grant  Grant
	now    Standing
	reused bool
}

// RotateRefresh makes the next generation of a refresh token (RFC 9700 §4.14.2).
// The token before the current one, within the grace period, yields the same
// successor again: answers get lost, and browsers ask twice. An older one is
// ErrReused, and family and grant are revoked. ErrNotFound: unknown, expired or
// revoked, the user is disabled, or the session the grant lives by has ended.
// Whatever is refused, Check's own refusals included, uses nothing up.
func (s *Store) RotateRefresh(ctx context.Context, r Rotate) (*RefreshFamily, *Grant, *User, error) {
	var out rotation
	err := s.db.Write(ctx, func(t database.Tx) error {
		out = rotation{}
		err := rotate(t, r, &out.family)
		if errors.Is(err, ErrNotFound) {
			err = s.repeated(t, r, &out)
		}
		if err != nil || out.reused {
			return err
		}
		err = t.QueryRow(append(append(out.grant.dest(), out.now.dest()...), &out.now.TicketEnd),
			`SELECT `+grantColumns+`, `+standingColumns+`, COALESCE(s.ticket_end, 0)`+liveGrant,
			r.Now, out.family.GrantID)
		if err != nil || r.Check == nil {
			return err
		}
		return r.Check(out.grant, out.now)
	})
	if err == nil && out.reused {
		s.revoked.Add(1)
		err = ErrReused
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return &out.family, &out.grant, &out.now.User, nil
}

// rotate is the one statement that decides which of two uses comes first. That
// the grant still counts is asked afterwards, in the same transaction.
func rotate(t database.Tx, r Rotate, f *RefreshFamily) error {
	step := int64(1)
	if r.Keep {
		step = 0
	}
	return t.QueryRow(f.dest(), `
		UPDATE refresh_families SET generation = generation + $6, rotated_at = $1, idle_expires_at = $2
		WHERE id = $3 AND client_id = $4 AND generation = $5 AND revoked_at = 0 AND expires_at > $1 AND idle_expires_at > $1
		RETURNING `+familyColumns, r.Now, r.IdleExpiresAt, r.Family, r.ClientID, r.Generation, step)
}

// repeated decides about a token that is not the current one.
func (s *Store) repeated(t database.Tx, r Rotate, out *rotation) error {
	f := &out.family
	err := t.QueryRow(f.dest(), `
		SELECT `+familyColumns+` FROM refresh_families
		WHERE id = $1 AND client_id = $2 AND revoked_at = 0 AND expires_at > $3`, r.Family, r.ClientID, r.Now)
	if err != nil {
		return err
	}
	switch {
	case r.Generation >= f.Generation: // the current one, idle for too long; or none of ours
		return ErrNotFound
	case r.Generation == f.Generation-1 && f.RotatedAt+r.Grace.Milliseconds() > r.Now && f.IdleExpiresAt > r.Now:
		return nil
	}
	out.reused = true
	e := r.Entry
	e.ClientID = r.ClientID
	return s.revokeGrant(t, f.GrantID, e, audit.RefreshReused, r.Now)
}
