package store

import (
	"context"
	"errors"
	"time"

	"idp/internal/store/database"
)

const (
	maxPendingPerBrowser = 50
	maxPendingPerAddress = 2000
	// keepConsumed: how long a login request is kept after its code was
	// issued, for whoever asks what happened.
	keepConsumed = time.Hour
)

const loginRequestColumns = `id, browser_hash, address, client_id, params, return_to, fresh, min_auth_time, login_hint,
	reason, reference, username, rechallenged, state, user_id, session_id, auth_time, consent, consent_answer, pushed_hash,
	acr, pending, step_hash, step_up, created_at, expires_at, consumed_at`

func (l *LoginRequest) dest() []any {
	return []any{&l.ID, &l.BrowserHash, &l.Address, &l.ClientID, &l.Params, &l.ReturnTo, &l.Fresh, &l.MinAuthTime, &l.LoginHint,
		&l.Reason, &l.Reference, &l.Username, &l.Rechallenged, &l.State, &l.UserID, &l.SessionID, &l.AuthTime, &l.Consent, &l.ConsentAnswer, &l.PushedHash,
		&l.ACR, document{&l.Pending}, &l.StepHash, &l.StepUp, &l.CreatedAt, &l.ExpiresAt, &l.ConsumedAt}
}

// CreateLoginRequest adds a pending login, or one that is done and waits for
// consent. A browser has at most 50, the oldest
// of which make room; an address at most 2,000, beyond which it is ErrTooMany.
func (s *Store) CreateLoginRequest(ctx context.Context, l LoginRequest) error {
	now := s.Now()
	if l.CreatedAt == 0 {
		l.CreatedAt = now
	}
	pushed, err := pushedHash(l.PushedHash)
	if err != nil {
		return err
	}
	var ofBrowser int64
	err = s.db.Single(ctx, func(t database.Tx) error {
		err := t.QueryRow([]any{&ofBrowser}, `
			INSERT INTO login_requests (id, browser_hash, address, client_id, params, return_to, fresh, min_auth_time, login_hint,
				reason, username, rechallenged, state, created_at, expires_at, reference,
				user_id, session_id, auth_time, consent, pushed_hash, acr, step_up)
			SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $18, $19, $20, $21, $22, $23, $24, $25
			WHERE $16 > (SELECT COUNT(*) FROM (SELECT 1 FROM login_requests l
				WHERE l.address = $3 AND l.consumed_at = 0 AND l.expires_at > $17 LIMIT $16) full_address)
			RETURNING (SELECT COUNT(*) FROM login_requests l WHERE l.browser_hash = $2 AND l.consumed_at = 0)`,
			l.ID, l.BrowserHash, l.Address, l.ClientID, l.Params, l.ReturnTo, l.Fresh, l.MinAuthTime, l.LoginHint,
			l.Reason, l.Username, l.Rechallenged, l.State, l.CreatedAt, l.ExpiresAt, int64(maxPendingPerAddress), now, l.Reference,
			l.UserID, l.SessionID, l.AuthTime, l.Consent, pushed, l.ACR, l.StepUp)
		return err
	})
	if errors.Is(err, ErrNotFound) && !errors.Is(err, database.ErrText) { // nothing inserted
		return ErrTooMany
	}
	if err != nil || ofBrowser < maxPendingPerBrowser {
		return err
	}
	return s.dropOldest(ctx, l.BrowserHash)
}

func (s *Store) dropOldest(ctx context.Context, browserHash []byte) error {
	_, err := s.exec(ctx, `
		DELETE FROM login_requests WHERE id IN (
			SELECT l.id FROM login_requests l WHERE l.browser_hash = $1 AND l.consumed_at = 0
			ORDER BY l.created_at DESC, l.id LIMIT 1000 OFFSET $2)`, browserHash, int64(maxPendingPerBrowser))
	return err
}

// LoginRequest reads a pending login of this browser. ErrNotFound: unknown,
// expired, consumed or another browser's.
func (s *Store) LoginRequest(ctx context.Context, id string, browserHash []byte) (*LoginRequest, error) {
	l := &LoginRequest{}
	err := s.queryRow(ctx, l.dest(), `
		SELECT `+loginRequestColumns+` FROM login_requests
		WHERE id = $1 AND browser_hash = $2 AND consumed_at = 0 AND expires_at > $3`, id, browserHash, s.Now())
	if err != nil {
		return nil, err
	}
	return l, nil
}

// FailLoginRequest notes why an attempt failed, the reference under which the
// log has it, and which name was typed. A SPNEGO exchange that had begun is over.
func (s *Store) FailLoginRequest(ctx context.Context, id, reason, reference, username string) error {
	return s.execOne(ctx, `
		UPDATE login_requests SET reason = $1, username = $2, state = $3, reference = $6
		WHERE id = $4 AND consumed_at = 0 AND expires_at > $5`,
		reason, username, []byte{}, id, s.Now(), reference)
}

// ContinueLoginRequest keeps what the next leg of a SPNEGO exchange has to know,
// in place of what the leg before had left. ErrNotFound also when another leg was
// faster.
func (s *Store) ContinueLoginRequest(ctx context.Context, id string, before, next []byte) error {
	return s.execOne(ctx, `
		UPDATE login_requests SET state = $1 WHERE id = $2 AND state = $3 AND consumed_at = 0 AND expires_at > $4`,
		next, id, before, s.Now())
}

// HoldLoginRequest keeps the first factor of a login that needs another one, for the
// browser that began it and now holds the cookie of this step. ErrNotFound as
// LoginRequest.
func (s *Store) HoldLoginRequest(ctx context.Context, id string, browserHash []byte, p Pending, stepHash []byte) error {
	text, err := encodeDocument(p)
	if err != nil {
		return err
	}
	return s.execOne(ctx, `
		UPDATE login_requests SET pending = $1, step_hash = $2, reason = '', reference = '', username = '', state = $3
		WHERE id = $4 AND browser_hash = $5 AND consumed_at = 0 AND expires_at > $6`,
		text, stepHash, []byte{}, id, browserHash, s.Now())
}

// RestartLoginRequest forgets the first factor of a login that is to begin anew, by a
// person's own doing (Fresh), and notes why. ErrNotFound as LoginRequest.
func (s *Store) RestartLoginRequest(ctx context.Context, id string, browserHash []byte, reason string) error {
	return s.execOne(ctx, `
		UPDATE login_requests SET fresh = TRUE, step_up = FALSE, pending = '', step_hash = $1, state = $1, reason = $2, reference = '', username = ''
		WHERE id = $3 AND browser_hash = $4 AND consumed_at = 0 AND expires_at > $5`,
		[]byte{}, reason, id, browserHash, s.Now())
}

// MarkRechallenged reports whether this call was the first for the login
// request: one more Basic challenge is sent after sign-out, not two.
func (s *Store) MarkRechallenged(ctx context.Context, id string) (first bool, err error) {
	n, err := s.exec(ctx, `
		UPDATE login_requests SET rechallenged = TRUE
		WHERE id = $1 AND NOT rechallenged AND consumed_at = 0 AND expires_at > $2`, id, s.Now())
	return n == 1, err
}

// loginDone writes who logged in into the login request, for the browser that
// began it only. What another user was asked, or answered, is over.
func loginDone(t database.Tx, in StartSession, now Millis) error {
	n, err := t.Exec(`
		UPDATE login_requests SET user_id = $1, session_id = $2, auth_time = $3, reason = '', username = '', consent = '', consent_answer = '',
			pending = '', step_hash = $7
		WHERE id = $4 AND browser_hash = $5 AND consumed_at = 0 AND expires_at > $6`,
		in.Session.UserID, in.Session.ID, in.Session.AuthTime, in.LoginRequestID, in.BrowserHash, now, []byte{})
	return found(n, err)
}

// ConsumeLoginRequest uses a finished login up, for rows that end without a
// code: our own pages, and refusals. ErrNotFound: as LoginRequest, or the
// session is not the one that logged in.
func (s *Store) ConsumeLoginRequest(ctx context.Context, id string, browserHash []byte, sessionID string) (*LoginRequest, error) {
	var l *LoginRequest
	err := s.db.Single(ctx, func(t database.Tx) (err error) {
		l, err = consume(t, id, browserHash, sessionID, s.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// consume is the one statement that decides who goes on from a login request:
// the browser that began it, under the session it ended in, once.
func consume(t database.Tx, id string, browserHash []byte, sessionID string, now Millis) (*LoginRequest, error) {
	if sessionID == "" { // what the row holds until somebody has logged in
		return nil, ErrNotFound
	}
	l := &LoginRequest{}
	return l, t.QueryRow(l.dest(), `
		UPDATE login_requests SET consumed_at = $1, expires_at = $2
		WHERE id = $3 AND browser_hash = $4 AND session_id = $5 AND consumed_at = 0 AND expires_at > $1
		RETURNING `+loginRequestColumns, now, now+keepConsumed.Milliseconds(), id, browserHash, sessionID)
}
