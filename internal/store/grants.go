package store

import (
	"context"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// grantColumns of grants AS g, in the order of (*Grant).dest.
const grantColumns = `g.id, g.client_id, g.user_id, g.session_id, g.offline, g.scope, g.resource, g.claims, g.jkt, g.amr, g.acr,
	g.auth_time, g.created_at, g.expires_at, g.revoked_at, g.device, g.address`

func (g *Grant) dest() []any {
	return []any{&g.ID, &g.ClientID, &g.UserID, &g.SessionID, &g.Offline, &g.Scope, &g.Resource, &g.Claims, &g.JKT, (*textList)(&g.AMR), &g.ACR,
		&g.AuthTime, &g.CreatedAt, &g.ExpiresAt, &g.RevokedAt, &g.Device, &g.Address}
}

// liveGrant selects a grant that still counts, with its standing: it is not
// revoked, the user may log in, and the session is there unless the grant
// outlives it, or rests on none. $1 is now, $2 the id of the grant.
const liveGrant = `
	FROM grants g JOIN users u ON u.id = g.user_id LEFT JOIN sessions s ON s.id = g.session_id
	LEFT JOIN clients k ON k.client_id = g.client_id LEFT JOIN consents n ON n.user_id = g.user_id AND n.client_id = g.client_id
	WHERE g.id = $2 AND g.revoked_at = 0 AND g.expires_at > $1 AND NOT u.disabled
	AND (g.offline OR g.session_id = '' OR (s.id IS NOT NULL AND s.expires_at > $1 AND s.idle_expires_at > $1))`

func insertGrant(t database.Tx, g Grant, f *RefreshFamily) error {
	_, err := t.Exec(`
		INSERT INTO grants (id, client_id, user_id, session_id, offline, scope, resource, claims, jkt, amr, acr, auth_time, created_at, expires_at, device, address)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		g.ID, g.ClientID, g.UserID, g.SessionID, g.Offline, g.Scope, g.Resource, g.Claims, g.JKT, encodeList(g.AMR), g.ACR,
		g.AuthTime, g.CreatedAt, g.ExpiresAt, g.Device, g.Address)
	if err != nil || f == nil {
		return err
	}
	_, err = t.Exec(`
		INSERT INTO refresh_families (id, grant_id, client_id, generation, rotated_at, idle_expires_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		f.ID, g.ID, g.ClientID, f.Generation, f.RotatedAt, f.IdleExpiresAt, f.ExpiresAt)
	return err
}

// Grant reads a grant, a revoked one included.
func (s *Store) Grant(ctx context.Context, id string) (*Grant, error) {
	g := &Grant{}
	if err := s.queryRow(ctx, g.dest(), `SELECT `+grantColumns+` FROM grants g WHERE g.id = $1`, id); err != nil {
		return nil, err
	}
	return g, nil
}

// RevokeGrant revokes a grant and its refresh tokens. Revoking one that is
// unknown or revoked is no error and leaves no trace.
func (s *Store) RevokeGrant(ctx context.Context, id string, e Entry) error {
	return s.revoking(ctx, func(t database.Tx) error { return s.revokeGrant(t, id, e, audit.GrantRevoked, s.Now()) })
}

func (s *Store) revokeGrant(t database.Tx, id string, e Entry, event string, now Millis) error {
	n, err := t.Exec(`UPDATE grants SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0`, now, id)
	if err != nil || n == 0 {
		return err
	}
	_, err = t.Exec(`UPDATE refresh_families SET revoked_at = $1 WHERE grant_id = $2 AND revoked_at = 0`, now, id)
	if err != nil {
		return err
	}
	return s.writeEntry(t, e, event)
}

// revokeGrantsOfSession revokes what lives by a session; grants that outlive it
// (offline_access) stay. The user leads to the rows, there is no index on sessions.
func revokeGrantsOfSession(t database.Tx, userID, sessionID string, now Millis) error {
	_, err := t.Exec(`
		UPDATE grants SET revoked_at = $1 WHERE user_id = $2 AND session_id = $3 AND NOT offline AND revoked_at = 0`,
		now, userID, sessionID)
	if err != nil {
		return err
	}
	_, err = t.Exec(`
		UPDATE refresh_families SET revoked_at = $1 WHERE revoked_at = 0
		AND grant_id IN (SELECT g.id FROM grants g WHERE g.user_id = $2 AND g.session_id = $3 AND NOT g.offline)`,
		now, userID, sessionID)
	return err
}

func revokeGrantsOfUser(t database.Tx, userID string, now Millis) error {
	_, err := t.Exec(`UPDATE grants SET revoked_at = $1 WHERE user_id = $2 AND revoked_at = 0`, now, userID)
	if err != nil {
		return err
	}
	_, err = t.Exec(`
		UPDATE refresh_families SET revoked_at = $1 WHERE revoked_at = 0
		AND grant_id IN (SELECT g.id FROM grants g WHERE g.user_id = $2)`, now, userID)
	return err
}
