package store

import (
	"context"
	"errors"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// However a session ends (the person, an admin, another user at the same browser,
// its time), close is what ends it: the relying parties that it gave a code to are
// put into the queue of logout_deliveries by the transaction that deletes it.

// EndSession deletes a session and revokes the grants that live by it. Ending a
// session that is not there is no error and leaves no trace.
func (s *Store) EndSession(ctx context.Context, id string, e Entry) error {
	return s.ending(ctx, func(t database.Tx) (int64, error) { return s.endSession(t, id, e) })
}

// ending is revoking for an operation that may end sessions: it returns how many
// deliveries it has queued, which are made known after the commit.
func (s *Store) ending(ctx context.Context, op func(database.Tx) (queued int64, err error)) error {
	var queued int64
	err := s.revoking(ctx, func(t database.Tx) (err error) {
		queued, err = op(t)
		return err
	})
	if err == nil && queued > 0 {
		s.wakeLogouts()
	}
	return err
}

func (s *Store) endSession(t database.Tx, id string, e Entry) (queued int64, err error) {
	now := s.Now()
	userID, queued, err := closeSession(t, id, now, never)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if err := revokeGrantsOfSession(t, userID, id, now); err != nil {
		return 0, err
	}
	e.SessionID = id
	if e.UserID == "" {
		e.UserID = userID
	}
	return queued, s.writeEntry(t, e, audit.SignedOut)
}

// never is later than every expiry: closeSession then ends live sessions, too.
const never = Millis(1) << 62

// closeSession deletes a session that expires at or before expired, and queues
// what its relying parties are to be told. ErrNotFound: there is none.
//
// The new secret locks the row as a deletion would: PostgreSQL makes whoever is
// adding a relying party to it (session_clients refers to it) come first or fail.
// Without it, one added between the copy and the deletion would hear nothing. It is
// the hash of nothing, and of each session another, for the column is unique.
func closeSession(t database.Tx, id string, now, expired Millis) (userID string, queued int64, err error) {
	err = t.QueryRow([]any{&userID}, `
		UPDATE sessions SET secret_hash = $1 WHERE id = $2 AND (expires_at <= $3 OR idle_expires_at <= $3)
		RETURNING user_id`, []byte("ending "+id), id, expired)
	if err != nil {
		return "", 0, err
	}
	if queued, err = queueLogouts(t, id, userID, now); err != nil {
		return "", 0, err
	}
	_, err = t.Exec(`DELETE FROM sessions WHERE id = $1`, id)
	return userID, queued, err
}

// endUser ends all that a user's logins gave, and links for another password.
func endUser(t database.Tx, userID string, now Millis) (queued int64, err error) {
	if err := dropLinks(t, userID); err != nil {
		return 0, err
	}
	ids, err := sessionIDs(t, `SELECT id FROM sessions WHERE user_id = $1 ORDER BY id`, userID)
	if err != nil {
		return 0, err
	}
	queued, err = closeSessions(t, ids, now, never)
	if err != nil {
		return 0, err
	}
	// Codes first: one that is being redeemed is waited for, and what it gave is
	// then seen by the statements that revoke.
	_, err = execEach(t, []any{now - inFlight, userID},
		`DELETE FROM codes WHERE expires_at > $1 AND user_id = $2`,
		`DELETE FROM device_codes WHERE expires_at > $1 AND user_id = $2`)
	if err != nil {
		return 0, err
	}
	return queued, revokeGrantsOfUser(t, userID, now)
}

func closeSessions(t database.Tx, ids []string, now, expired Millis) (queued int64, err error) {
	for _, id := range ids {
		_, n, err := closeSession(t, id, now, expired)
		if err != nil && !errors.Is(err, ErrNotFound) { // renewed, or ended by somebody else
			return queued, err
		}
		queued += n
	}
	return queued, nil
}

func sessionIDs(t database.Tx, query string, args ...any) (ids []string, err error) {
	err = t.Query(func(scan database.Scan) error {
		var id string
		if err := scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
		return nil
	}, query, args...)
	return ids, err
}

// sweepSessions ends the sessions whose time is over, by their end or because
// nobody used them. What they granted ends by itself: it asks for the session.
func (s *Store) sweepSessions(ctx context.Context) (deleted int64, err error) {
	for _, query := range []string{
		`SELECT id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`,
		`SELECT id FROM sessions WHERE idle_expires_at <= $1 ORDER BY idle_expires_at LIMIT $2`,
	} {
		for deleted < sweepLimit {
			var n int64
			err := s.ending(ctx, func(t database.Tx) (queued int64, err error) {
				now := s.Now()
				ids, err := sessionIDs(t, query, now, int64(sweepBatch))
				if err != nil {
					return 0, err
				}
				n = int64(len(ids))
				return closeSessions(t, ids, now, now)
			})
			deleted += n
			if err != nil {
				return deleted, err
			}
			if n < sweepBatch {
				break
			}
		}
	}
	return deleted, nil
}
