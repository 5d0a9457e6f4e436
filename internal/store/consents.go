package store

import (
	"context"
	"errors"
	"slices"
	"strings"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// Answers of a login request whose person was asked for consent.
const (
	ConsentAllowed = "allowed"
	ConsentDenied  = "denied"
)

const consentColumns = `user_id, client_id, scope, created_at, updated_at`

func (c *Consent) dest() []any {
	return []any{&c.UserID, &c.ClientID, &c.Scope, &c.CreatedAt, &c.UpdatedAt}
}

// Consents lists what a user allowed relying parties, by their ids.
func (s *Store) Consents(ctx context.Context, userID string) ([]Consent, error) {
	return queryAll(ctx, s, (*Consent).dest, `SELECT `+consentColumns+` FROM consents WHERE user_id = $1 ORDER BY client_id`, userID)
}

// Consent reads what a user allowed one relying party; ErrNotFound: nothing.
func (s *Store) Consent(ctx context.Context, userID, clientID string) (*Consent, error) {
	c := &Consent{}
	err := s.queryRow(ctx, c.dest(), `SELECT `+consentColumns+` FROM consents WHERE user_id = $1 AND client_id = $2`, userID, clientID)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AskConsent notes in a finished login request what its person is to be asked,
// in place of any earlier question. ErrNotFound: as ConsumeLoginRequest.
func (s *Store) AskConsent(ctx context.Context, id string, browserHash []byte, sessionID, scope string) error {
	return s.execOne(ctx, `
		UPDATE login_requests SET consent = $1, consent_answer = ''
		WHERE id = $2 AND browser_hash = $3 AND session_id = $4 AND session_id <> '' AND consumed_at = 0 AND expires_at > $5`,
		scope, id, browserHash, sessionID, s.Now())
}

// Answer is what the person of a login request says to the question in it.
type Answer struct {
	LoginRequestID string
	BrowserHash    []byte
	SessionID      string
	Asked          string // the question that was shown
	Allow          bool
	Entry          Entry // address, request id … of the audit row
}

// AnswerConsent notes the answer, and remembers what is allowed, in one
// transaction. The first answer counts: ErrNotFound for another, for a question
// that is not the one shown any more, and as ConsumeLoginRequest.
func (s *Store) AnswerConsent(ctx context.Context, a Answer) error {
	answer, event := ConsentDenied, audit.ConsentDenied
	if a.Allow {
		answer, event = ConsentAllowed, audit.ConsentGiven
	}
	return s.db.Write(ctx, func(t database.Tx) error {
		e, now := a.Entry, s.Now()
		e.SessionID, e.Detail = a.SessionID, a.Asked
		err := t.QueryRow([]any{&e.UserID, &e.ClientID}, `
			UPDATE login_requests SET consent_answer = $1
			WHERE id = $2 AND browser_hash = $3 AND session_id = $4 AND session_id <> '' AND consent = $5 AND consent <> ''
			AND consent_answer = '' AND consumed_at = 0 AND expires_at > $6
			RETURNING user_id, client_id`, answer, a.LoginRequestID, a.BrowserHash, a.SessionID, a.Asked, now)
		if err != nil {
			return err
		}
		if a.Allow {
			if err := mergeConsent(t, e.UserID, e.ClientID, a.Asked, now); err != nil {
				return err
			}
		}
		return s.writeEntry(t, e, event)
	})
}

// mergeConsent adds to what a user allowed a relying party. The first statement
// makes the row, or waits for whoever else changes it, and holds it.
func mergeConsent(t database.Tx, userID, clientID, scope string, now Millis) error {
	var have string
	err := t.QueryRow([]any{&have}, `
		INSERT INTO consents (user_id, client_id, scope, created_at, updated_at) VALUES ($1, $2, '', $3, $3)
		ON CONFLICT (user_id, client_id) DO UPDATE SET updated_at = excluded.updated_at
		RETURNING scope`, userID, clientID, now)
	if err != nil {
		return err
	}
	all := strings.Fields(have)
	for item := range strings.FieldsSeq(scope) {
		if !slices.Contains(all, item) {
			all = append(all, item)
		}
	}
	_, err = t.Exec(`UPDATE consents SET scope = $1 WHERE user_id = $2 AND client_id = $3`, strings.Join(all, " "), userID, clientID)
	return err
}

// holdConsent fails with ErrConsent unless the user allowed the relying party all
// of scope. It changes nothing, but holds the row until the transaction ends: who
// takes the consent back meanwhile waits, and then finds what was made of it.
func holdConsent(t database.Tx, userID, clientID, scope string) error {
	var have Consent
	err := t.QueryRow([]any{&have.Scope}, `
		UPDATE consents SET updated_at = updated_at WHERE user_id = $1 AND client_id = $2 RETURNING scope`, userID, clientID)
	if errors.Is(err, ErrNotFound) || (err == nil && !have.Covers(scope)) {
		return ErrConsent
	}
	return err
}

// inFlight is longer than any transaction: a code that expired so recently may
// be in the middle of being redeemed.
const inFlight = 60 * 1000 // milliseconds

// RevokeConsent takes back what a user allowed a relying party: codes that were
// not redeemed, grants and refresh tokens end with it, those too that it got when
// it was trusted and nobody was asked. Where there is nothing to take back, that is
// no error and leaves no trace.
//
// The order matters. Whoever holds the consent (holdConsent) has inserted a code
// before the first statement goes on; whoever redeems one holds its row, so the
// second waits; and the grants that the third looks for are then all there.
func (s *Store) RevokeConsent(ctx context.Context, userID, clientID string, e Entry) error {
	return s.revoking(ctx, func(t database.Tx) error {
		e, now := e, s.Now()
		err := t.QueryRow([]any{&e.Detail}, `
			DELETE FROM consents WHERE user_id = $1 AND client_id = $2 RETURNING scope`, userID, clientID)
		allowed := err == nil
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		codes, err := execEach(t, []any{now - inFlight, userID, clientID},
			`DELETE FROM codes WHERE expires_at > $1 AND user_id = $2 AND client_id = $3`,
			`DELETE FROM device_codes WHERE expires_at > $1 AND user_id = $2 AND client_id = $3`)
		if err != nil {
			return err
		}
		grants, err := execEach(t, []any{now, userID, clientID},
			`UPDATE grants SET revoked_at = $1 WHERE user_id = $2 AND client_id = $3 AND revoked_at = 0`,
			`UPDATE refresh_families SET revoked_at = $1 WHERE revoked_at = 0
			AND grant_id IN (SELECT g.id FROM grants g WHERE g.user_id = $2 AND g.client_id = $3)`)
		if err != nil || !allowed && codes+grants == 0 {
			return err
		}
		e.UserID, e.ClientID = userID, clientID
		return s.writeEntry(t, e, audit.ConsentRevoked)
	})
}

// execEach runs statements in their order, with the same arguments, and counts the
// rows that they changed.
func execEach(t database.Tx, args []any, statements ...string) (changed int64, err error) {
	for _, statement := range statements {
		n, err := t.Exec(statement, args...)
		if err != nil {
			return changed, err
		}
		changed += n
	}
	return changed, nil
}
