package store

import (
	"context"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// sessionColumns of sessions AS s, in the order of (*Session).dest.
const sessionColumns = `s.id, s.secret_hash, s.user_id, s.amr, s.acr, s.principal, s.auth_time, s.created_at, s.seen_at,
	s.idle_expires_at, s.expires_at, s.address, s.user_agent, s.idle_for, s.remembered, s.ticket_end, s.upstream`

func (s *Session) dest() []any {
	return []any{&s.ID, &s.SecretHash, &s.UserID, (*textList)(&s.AMR), &s.ACR, &s.Principal, &s.AuthTime, &s.CreatedAt, &s.SeenAt,
		&s.IdleExpiresAt, &s.ExpiresAt, &s.Address, &s.UserAgent, &s.IdleFor, &s.Remembered, &s.TicketEnd,
		document{&s.Upstream}}
}

// StartSession is one finished login.
type StartSession struct {
	Session        Session
	EndOther       string // session of another user that this login ends; empty: none
	LoginRequestID string // the login request it answers; empty: none
	BrowserHash    []byte // of the browser that logs in; with a LoginRequestID
	// PasswordHash is of the local password that was typed: it must still be the
	// user's. Empty: none was.
	PasswordHash string
	FactorID     string // the second factor that was shown: it must still be the user's; empty: none was
	Continues    string // the session that a factor is added to: it must be alive still; empty: a login of its own
	Entry        Entry
}

// StartSession records a login, all of it in one transaction or nothing: it
// ends EndOther, inserts the session (or renews the row of that ID, which must
// be the same user's), and marks the login request done. ErrNotFound: the login
// request is unknown, over or another browser's, the user is disabled, or the
// password was changed, the factor removed, or the session that this one continues
// ended, since it was checked.
func (s *Store) StartSession(ctx context.Context, in StartSession) error {
	e := in.Entry
	e.SessionID = in.Session.ID
	if e.UserID == "" {
		e.UserID = in.Session.UserID
	}
	return s.ending(ctx, func(t database.Tx) (queued int64, err error) {
		if in.EndOther != "" {
			queued, err = s.endSession(t, in.EndOther, Entry{Actor: e.Actor, Address: e.Address, RequestID: e.RequestID})
			if err != nil {
				return 0, err
			}
		}
		if err := stillThePassword(t, in); err != nil {
			return 0, err
		}
		if err := stillTheFactor(t, in); err != nil {
			return 0, err
		}
		if err := stillTheSession(t, in, s.Now()); err != nil {
			return 0, err
		}
		if err := upsertSession(t, in.Session); err != nil {
			return 0, err
		}
		if in.LoginRequestID != "" {
			if err := loginDone(t, in, s.Now()); err != nil {
				return 0, err
			}
		}
		return queued, s.writeEntry(t, e, audit.Login)
	})
}

// stillThePassword locks the user's row, so that a new password is either seen here
// or finds the session that was started with the old one, and ends it.
func stillThePassword(t database.Tx, in StartSession) error {
	if in.PasswordHash == "" {
		return nil
	}
	n, err := t.Exec(`UPDATE users SET updated_at = updated_at WHERE id = $1 AND password_hash = $2`, in.Session.UserID, in.PasswordHash)
	return found(n, err)
}

// stillTheSession locks the row of the session that this one continues, so that a
// session that is ended meanwhile is not brought back by a code that was right.
func stillTheSession(t database.Tx, in StartSession, now Millis) error {
	if in.Continues == "" {
		return nil
	}
	n, err := t.Exec(`
		UPDATE sessions SET seen_at = seen_at WHERE id = $1 AND user_id = $2 AND id = $3 AND expires_at > $4 AND idle_expires_at > $4`,
		in.Continues, in.Session.UserID, in.Session.ID, now)
	return found(n, err)
}

func upsertSession(t database.Tx, s Session) error {
	upstream, err := encodeDocument(s.Upstream)
	if err != nil {
		return err
	}
	n, err := t.Exec(`
		INSERT INTO sessions (id, secret_hash, user_id, amr, acr, principal, auth_time, created_at, seen_at,
			idle_expires_at, expires_at, address, user_agent, idle_for, remembered, upstream, ticket_end)
		SELECT $1, $2, u.id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17 FROM users u WHERE u.id = $3 AND NOT u.disabled
		ON CONFLICT (id) DO UPDATE SET secret_hash = excluded.secret_hash, amr = excluded.amr, acr = excluded.acr,
			principal = excluded.principal, auth_time = excluded.auth_time, seen_at = excluded.seen_at,
			idle_expires_at = excluded.idle_expires_at, expires_at = excluded.expires_at,
			address = excluded.address, user_agent = excluded.user_agent, idle_for = excluded.idle_for,
			remembered = excluded.remembered, upstream = excluded.upstream, ticket_end = excluded.ticket_end
		WHERE sessions.user_id = excluded.user_id`,
		s.ID, s.SecretHash, s.UserID, encodeList(s.AMR), s.ACR, s.Principal, s.AuthTime, s.CreatedAt, s.SeenAt,
		s.IdleExpiresAt, s.ExpiresAt, s.Address, s.UserAgent, s.IdleFor, s.Remembered, upstream, s.TicketEnd)
	return found(n, err)
}

// SessionBySecret finds the live session whose cookie hashes to hash, with its
// user. ErrNotFound when it has expired or ended, or the user is disabled.
func (s *Store) SessionBySecret(ctx context.Context, hash []byte, now Millis) (*Session, *User, error) {
	sess, u := &Session{}, &User{}
	err := s.queryRow(ctx, append(append(sess.dest(), u.dest()...), &sess.HasFactor), `
		SELECT `+sessionColumns+`, `+userColumns+`, `+hadFactor+`
		FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.secret_hash = $1 AND s.expires_at > $2 AND s.idle_expires_at > $2 AND NOT u.disabled`, hash, now)
	if err != nil {
		return nil, nil, err
	}
	return sess, u, nil
}

// hadFactor, of sessions AS s and users AS u: Session.HasFactor.
const hadFactor = `EXISTS (SELECT 1 FROM factors f WHERE f.user_id = u.id AND f.created_at <= s.auth_time)`

// TouchSession moves the idle limit; never backwards.
func (s *Store) TouchSession(ctx context.Context, id string, seenAt, idleExpiresAt Millis) error {
	_, err := s.exec(ctx, `UPDATE sessions SET seen_at = $1, idle_expires_at = $2 WHERE id = $3 AND seen_at < $1`, seenAt, idleExpiresAt, id)
	return err
}

// SessionsOf lists a user's sessions that have not expired, the newest first.
func (s *Store) SessionsOf(ctx context.Context, userID string) ([]Session, error) {
	return queryAll(ctx, s, (*Session).dest, `
		SELECT `+sessionColumns+` FROM sessions s
		WHERE s.user_id = $1 AND s.expires_at > $2 AND s.idle_expires_at > $2
		ORDER BY s.created_at DESC, s.id`, userID, s.Now())
}

// VisitedClients lists the relying parties that a session gave a code to.
func (s *Store) VisitedClients(ctx context.Context, sessionID string) ([]string, error) {
	return queryAll(ctx, s, func(id *string) []any { return []any{id} }, `
		SELECT client_id FROM session_clients WHERE session_id = $1 ORDER BY created_at, client_id`, sessionID)
}

// liveSessions are those that count at $1, of users that are not disabled: s and u.
const liveSessions = `SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id
	WHERE NOT u.disabled AND s.expires_at > $1 AND s.idle_expires_at > $1`

// visit notes that a session was used at a relying party, which its end is told to.
func visit(t database.Tx, sessionID, clientID string, now Millis) error {
	_, err := t.Exec(`
		INSERT INTO session_clients (session_id, client_id, created_at) VALUES ($1, $2, $3)
		ON CONFLICT DO NOTHING`, sessionID, clientID, now)
	return err
}
