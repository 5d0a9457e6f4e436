package store

import (
	"context"
	"time"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// keepLogouts is how long a delivery is kept to be looked at, from the end of
// its session.
const keepLogouts = 7 * 24 * time.Hour

// What came of a delivery, or of its last attempt.
const (
	LogoutDelivered = "delivered" // the relying party has ended its session
	LogoutRefused   = "refused"   // it has the logout token, and does not accept it
	LogoutDelayed   = "delayed"   // it did not answer: there will be another attempt
	LogoutGivenUp   = "given_up"  // it did not answer for a day
)

// LogoutDelivery is a relying party that is to be told that a session has ended.
type LogoutDelivery struct {
	SessionID string // the `sid` that it knows
	ClientID  string
	UserID    string // the `sub` that it knows
	CreatedAt Millis // when the session ended
	Attempts  int64
	NextAt    Millis // of the next attempt; while one is made, until when it may take
	DoneAt    Millis // 0: there will be another attempt
	Result    string // one of the Logout constants; empty: not tried yet
	Reason    string // of a result that is not good, for people
}

const logoutColumns = `session_id, client_id, user_id, created_at, attempts, next_at, done_at, result, reason`

func (d *LogoutDelivery) dest() []any {
	return []any{&d.SessionID, &d.ClientID, &d.UserID, &d.CreatedAt, &d.Attempts, &d.NextAt, &d.DoneAt, &d.Result, &d.Reason}
}

// queueLogouts puts the relying parties of a session into the queue. A session
// that ended before under the same id is told of once more.
func queueLogouts(t database.Tx, sessionID, userID string, now Millis) (int64, error) {
	return t.Exec(`
		INSERT INTO logout_deliveries (session_id, client_id, user_id, created_at, next_at, expires_at)
		SELECT c.session_id, c.client_id, $2, $3, $3, $4 FROM session_clients c WHERE c.session_id = $1
		ON CONFLICT (session_id, client_id) DO UPDATE SET created_at = excluded.created_at, next_at = excluded.next_at,
			expires_at = excluded.expires_at, attempts = 0, done_at = 0, result = '', reason = ''`,
		sessionID, userID, now, now+keepLogouts.Milliseconds())
}

// LogoutsQueued gets a value when this process has ended a session that relying
// parties must be told of; several may have ended by then. It has one reader.
func (s *Store) LogoutsQueued() <-chan struct{} { return s.logouts }

func (s *Store) wakeLogouts() {
	select {
	case s.logouts <- struct{}{}:
	default: // whoever reads has a value waiting
	}
}

// DueLogouts lists the relying parties with a delivery that is due and nobody's.
// It goes from one to the next in the index and looks at the first delivery of
// each: all nodes ask every few seconds, and one that is down for a day may have
// a hundred thousand waiting.
func (s *Store) DueLogouts(ctx context.Context) ([]string, error) {
	return queryAll(ctx, s, func(id *string) []any { return []any{id} }, `
		WITH RECURSIVE waiting (client_id) AS (
			SELECT MIN(client_id) FROM logout_deliveries WHERE done_at = 0
			UNION ALL
			SELECT (SELECT MIN(d.client_id) FROM logout_deliveries d WHERE d.done_at = 0 AND d.client_id > w.client_id)
			FROM waiting w WHERE w.client_id IS NOT NULL)
		SELECT w.client_id FROM waiting w
		WHERE (SELECT MIN(d.next_at) FROM logout_deliveries d WHERE d.done_at = 0 AND d.client_id = w.client_id) <= $1
		ORDER BY w.client_id`, s.Now())
}

// ClaimLogouts gives up to limit due deliveries of a relying party to the caller,
// the oldest first, for lease from now: after that they are due again, for the
// caller may have died.
func (s *Store) ClaimLogouts(ctx context.Context, clientID string, limit int, lease time.Duration) ([]LogoutDelivery, error) {
	now := s.Now()
	var claimed []LogoutDelivery
	err := s.db.Single(ctx, func(t database.Tx) error {
		claimed = nil
		return t.Query(func(scan database.Scan) error {
			var d LogoutDelivery
			if err := scan(d.dest()...); err != nil {
				return err
			}
			claimed = append(claimed, d)
			return nil
		}, `
			UPDATE logout_deliveries SET attempts = attempts + 1, next_at = $1
			WHERE done_at = 0 AND next_at <= $3 AND (session_id, client_id) IN (
				SELECT d.session_id, d.client_id FROM logout_deliveries d WHERE d.client_id = $2 AND d.done_at = 0 AND d.next_at <= $3
				ORDER BY d.next_at LIMIT $4)
			RETURNING `+logoutColumns, now+lease.Milliseconds(), clientID, now, int64(limit))
	})
	return claimed, err
}

// RecordLogout writes what came of an attempt at a claimed delivery, and after a
// result of LogoutDelayed when the next one is due. What ends a delivery, and the
// first delay, is in the audit log. ErrNotFound: the lease is over and
// the delivery somebody else's.
func (s *Store) RecordLogout(ctx context.Context, claimed LogoutDelivery, result, reason string, next Millis) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		now := s.Now()
		done := now
		if result == LogoutDelayed {
			done = 0
		} else {
			next = now
		}
		n, err := t.Exec(`
			UPDATE logout_deliveries SET result = $1, reason = $2, next_at = $3, done_at = $4
			WHERE session_id = $5 AND client_id = $6 AND done_at = 0 AND next_at = $7`,
			result, field(reason), next, done, claimed.SessionID, claimed.ClientID, claimed.NextAt)
		if err := found(n, err); err != nil {
			return err
		}
		if result == LogoutDelayed && claimed.Result == LogoutDelayed {
			return nil
		}
		return s.writeEntry(t, Entry{Actor: audit.ActorServer, UserID: claimed.UserID, ClientID: claimed.ClientID,
			SessionID: claimed.SessionID, Detail: reason}, logoutEvents[result])
	})
}

var logoutEvents = map[string]string{
	LogoutDelivered: audit.LogoutDelivered, LogoutRefused: audit.LogoutRefused,
	LogoutDelayed: audit.LogoutDelayed, LogoutGivenUp: audit.LogoutGivenUp,
}

// DropLogouts deletes the deliveries of a relying party that is not told, if they
// were due then or before and are nobody's.
func (s *Store) DropLogouts(ctx context.Context, clientID string, due Millis) error {
	_, err := s.exec(ctx, `DELETE FROM logout_deliveries WHERE client_id = $1 AND done_at = 0 AND next_at <= $2`, clientID, due)
	return err
}

// LogoutDeliveries lists the deliveries to a relying party of the last week, the
// newest first; limit 0 is 100, at most 1,000.
func (s *Store) LogoutDeliveries(ctx context.Context, clientID string, limit int) ([]LogoutDelivery, error) {
	return queryAll(ctx, s, (*LogoutDelivery).dest, `
		SELECT `+logoutColumns+` FROM logout_deliveries
		WHERE client_id = $1 ORDER BY created_at DESC, session_id LIMIT $2`, clientID, pageSize(limit))
}
