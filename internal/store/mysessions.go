package store

import (
	"context"
	"errors"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// What somebody ends of their own logins. Each statement asks for the user, so that
// nobody ends another's; what is not there, or is another's, is no error and leaves no
// trace.

// EndedFromElsewhere is the detail of the audit row of a session that its person ended
// from another one.
const EndedFromElsewhere = "from another session"

// HeldGrant is a grant that its person may want to end by itself: of a device
// (RFC 8628), or one that outlives the session (offline_access). UsedAt is when it was
// last refreshed.
type HeldGrant struct {
	Grant
	UsedAt Millis
}

func (g *HeldGrant) dest() []any { return append(g.Grant.dest(), &g.UsedAt) }

// HeldGrants lists those of a user that still count, the newest first.
func (s *Store) HeldGrants(ctx context.Context, userID string) ([]HeldGrant, error) {
	return queryAll(ctx, s, (*HeldGrant).dest, `
		SELECT `+grantColumns+`, CASE WHEN f.rotated_at > g.created_at THEN f.rotated_at ELSE g.created_at END
		FROM grants g LEFT JOIN refresh_families f ON f.grant_id = g.id LEFT JOIN sessions s ON s.id = g.session_id
		WHERE g.user_id = $2 AND g.revoked_at = 0 AND g.expires_at > $1 AND (g.offline OR g.device)
		AND (g.offline OR (s.id IS NOT NULL AND s.expires_at > $1 AND s.idle_expires_at > $1))
		AND (f.id IS NULL OR (f.revoked_at = 0 AND f.expires_at > $1 AND f.idle_expires_at > $1))
		ORDER BY g.created_at DESC, g.id`, s.Now(), userID)
}

// Visit is a relying party that one of a user's sessions gave a code to.
type Visit struct{ SessionID, ClientID string }

func (v *Visit) dest() []any { return []any{&v.SessionID, &v.ClientID} }

// VisitsOf lists the relying parties that a user's sessions visited.
func (s *Store) VisitsOf(ctx context.Context, userID string) ([]Visit, error) {
	return queryAll(ctx, s, (*Visit).dest, `
		SELECT c.session_id, c.client_id FROM session_clients c JOIN sessions s ON s.id = c.session_id
		WHERE s.user_id = $1 ORDER BY c.session_id, c.created_at, c.client_id`, userID)
}

// EndSessionOf is EndSession for a session that must be the user's.
func (s *Store) EndSessionOf(ctx context.Context, userID, id string, e Entry) (ended bool, err error) {
	err = s.ending(ctx, func(t database.Tx) (int64, error) {
		ended = false
		err := lockSession(t, userID, id)
		if errors.Is(err, ErrNotFound) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		ended = true
		return s.endSession(t, id, e)
	})
	return ended && err == nil, err
}

// lockSession finds a session of a user and holds its row until it is ended.
func lockSession(t database.Tx, userID, id string) error {
	n, err := t.Exec(`UPDATE sessions SET seen_at = seen_at WHERE id = $1 AND user_id = $2`, id, userID)
	return found(n, err)
}

// EndGrantOf is RevokeGrant for a grant that must be the user's.
func (s *Store) EndGrantOf(ctx context.Context, userID, id string, e Entry) (ended bool, err error) {
	err = s.revoking(ctx, func(t database.Tx) error {
		e, now := e, s.Now()
		ended = false
		err := t.QueryRow([]any{&e.ClientID, &e.SessionID}, `
			UPDATE grants SET address = address WHERE id = $1 AND user_id = $2 AND revoked_at = 0 AND expires_at > $3
			RETURNING client_id, session_id`, id, userID, now)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		ended, e.UserID = true, userID
		return s.revokeGrant(t, id, e, audit.GrantRevoked, now)
	})
	return ended && err == nil, err
}

// EndedLogins counts what EndLogins ended, beside what ends with a session.
type EndedLogins struct{ Sessions, Grants int64 }

// EndLogins ends all that a user's logins gave, on every device: but for the session
// keep, and what lives by it in its own browser; empty: all of it.
func (s *Store) EndLogins(ctx context.Context, userID, keep string, e Entry) (ended EndedLogins, err error) {
	err = s.ending(ctx, func(t database.Tx) (queued int64, err error) {
		now := s.Now()
		ids, err := sessionIDs(t, `
			SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 AND expires_at > $3 AND idle_expires_at > $3 ORDER BY id`, userID, keep, now)
		if err != nil {
			return 0, err
		}
		ended = EndedLogins{Sessions: int64(len(ids))}
		if queued, err = closeSessions(t, ids, now, never); err != nil {
			return 0, err
		}
		if ended.Grants, err = revokeElsewhere(t, userID, keep, now); err != nil {
			return 0, err
		}
		if ended == (EndedLogins{}) {
			return 0, nil
		}
		e := e
		e.UserID = userID
		if e.Detail, err = endedDetail(ids, keep, ended.Grants); err != nil {
			return 0, err
		}
		return queued, s.writeEntry(t, e, audit.SessionsEnded)
	})
	return ended, err
}

// revokeElsewhere revokes what other sessions than keep granted, and what outlives
// keep or was allowed to a device. Codes come first, as in endUser. It counts the
// grants that did not end with a session.
func revokeElsewhere(t database.Tx, userID, keep string, now Millis) (grants int64, err error) {
	if _, err = t.Exec(`DELETE FROM codes WHERE expires_at > $1 AND user_id = $2 AND session_id <> $3`, now-inFlight, userID, keep); err != nil {
		return 0, err
	}
	if _, err = t.Exec(`DELETE FROM device_codes WHERE expires_at > $1 AND user_id = $2`, now-inFlight, userID); err != nil {
		return 0, err
	}
	grants, err = t.Exec(`
		UPDATE grants SET revoked_at = $1 WHERE user_id = $2 AND (offline OR device) AND revoked_at = 0 AND expires_at > $1`, now, userID)
	if err != nil {
		return 0, err
	}
	_, err = execEach(t, []any{now, userID, keep},
		`UPDATE grants SET revoked_at = $1 WHERE user_id = $2 AND (session_id <> $3 OR session_id = '') AND revoked_at = 0`,
		`UPDATE refresh_families SET revoked_at = $1 WHERE revoked_at = 0
		AND grant_id IN (SELECT g.id FROM grants g WHERE g.user_id = $2 AND (g.session_id <> $3 OR g.revoked_at <> 0))`)
	return grants, err
}

// endedDetail is what the audit row of EndLogins says.
func endedDetail(ids []string, kept string, grants int64) (string, error) {
	return compact(struct {
		Sessions []string `json:"sessions,omitempty"`
		Grants   int64    `json:"grants,omitempty"`
		Kept     string   `json:"kept,omitempty"`
	}{ids, grants, kept})
}
