package store

import (
	"context"
	"errors"

	"idp/internal/audit"
	"idp/internal/store/database"
)

const codeColumns = `hash, grant_id, client_id, redirect_uri, code_challenge, user_id, session_id, scope, nonce, claims, resource, jkt,
	amr, acr, auth_time, created_at, expires_at, used_at`

func (c *Code) dest() []any {
	return []any{&c.Hash, &c.GrantID, &c.ClientID, &c.RedirectURI, &c.CodeChallenge, &c.UserID, &c.SessionID, &c.Scope, &c.Nonce,
		&c.Claims, &c.Resource, &c.JKT, (*textList)(&c.AMR), &c.ACR, &c.AuthTime, &c.CreatedAt, &c.ExpiresAt, &c.UsedAt}
}

// Finish is one authorization that got its code.
type Finish struct {
	LoginRequestID string // empty: the session was there already, no login request
	BrowserHash    []byte // with a LoginRequestID
	SessionID      string
	Consent        string // what the user must have allowed the client, items as in Consent.Scope; empty: it is trusted
	PushedHash     []byte // of the request that the client pushed; empty: it pushed none
	Code           Code
}

// FinishAuthorization stores a code, notes the relying party as visited by the
// session and uses the login request up, all in one transaction. ErrNotFound:
// the login request is unknown, expired, consumed, another browser's, another
// client's or ended in another session, or the session is gone. ErrReused: the
// pushed request has given a code already. ErrConsent: the user has not allowed all
// of Consent, or has taken it back. Whatever is refused uses nothing up.
func (s *Store) FinishAuthorization(ctx context.Context, f Finish) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		now := s.Now()
		if f.LoginRequestID != "" {
			l, err := consume(t, f.LoginRequestID, f.BrowserHash, f.SessionID, now)
			if err != nil {
				return err
			}
			if l.ClientID != f.Code.ClientID {
				return ErrNotFound
			}
		}
		if f.Consent != "" {
			if err := holdConsent(t, f.Code.UserID, f.Code.ClientID, f.Consent); err != nil {
				return err
			}
		}
		if len(f.PushedHash) > 0 {
			if err := usePushed(t, f.PushedHash, now); err != nil {
				return err
			}
		}
		if err := insertCode(t, f.Code, f.SessionID); err != nil {
			return err
		}
		err := visit(t, f.SessionID, f.Code.ClientID, now)
		if database.RefersToNothing(err) { // the session ended a moment ago
			return ErrNotFound
		}
		return err
	})
}

// insertCode inserts a code for a session that is there.
func insertCode(t database.Tx, c Code, sessionID string) error {
	n, err := t.Exec(`
		INSERT INTO codes (hash, grant_id, client_id, redirect_uri, code_challenge, user_id, session_id, scope, nonce, claims, resource, jkt,
			amr, acr, auth_time, created_at, expires_at)
		SELECT $1, $2, $3, $4, $5, $6, s.id, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17 FROM sessions s WHERE s.id = $7`,
		c.Hash, c.GrantID, c.ClientID, c.RedirectURI, c.CodeChallenge, c.UserID, sessionID, c.Scope, c.Nonce, c.Claims, c.Resource, c.JKT,
		encodeList(c.AMR), c.ACR, c.AuthTime, c.CreatedAt, c.ExpiresAt)
	return found(n, err)
}

// Redeem is one try to turn a code into tokens, by a client that has
// authenticated itself.
type Redeem struct {
	Hash          []byte
	ClientID      string
	RedirectURI   string
	CodeChallenge string // S256 of the code_verifier; empty without one
	JKT           string // of the DPoP key that was shown; empty without one
	Now           Millis
	// ByVerifier: nothing but the verifier proves who asks. A use without it is nobody's,
	// and takes nothing from whoever used the code.
	ByVerifier bool
	// Grant says what the code gives, as things stand now; the family is nil when
	// it gives no refresh token. It runs inside the transaction: no I/O, no crypto. Both get
	// the code's grant id, client and user whatever it says. Its error is returned
	// as it is, and the code stays unused.
	Grant func(Code, Standing) (Grant, *RefreshFamily, error)
	Entry Entry // address, request id … of the audit row for a second use
}

// RedeemCode turns a code into a grant, once. A check that fails consumes
// nothing and is ErrNotFound, whose text says which one. A second use by the same
// client is ErrReused, and what the first one gave is revoked (RFC 6749 §4.1.2,
// RFC 9700 §4.5).
func (s *Store) RedeemCode(ctx context.Context, r Redeem) (*Code, *Grant, error) {
	var c *Code
	var g Grant
	var reused bool
	err := s.db.Write(ctx, func(t database.Tx) (err error) {
		reused = false
		if c, err = useCode(t, r); errors.Is(err, ErrNotFound) {
			reused, err = s.codeOver(t, r)
			return err
		}
		if err != nil {
			return err
		}
		now, err := standing(t, c.UserID, c.ClientID)
		if err != nil {
			return err
		}
		var family *RefreshFamily
		if g, family, err = r.Grant(*c, now); err != nil {
			return err
		}
		g.ID, g.ClientID, g.UserID, g.SessionID = c.GrantID, c.ClientID, c.UserID, c.SessionID
		return insertGrant(t, g, family)
	})
	if err == nil && reused {
		s.revoked.Add(1)
		err = ErrReused
	}
	if err != nil {
		return nil, nil, err
	}
	return c, &g, nil
}

// useCode is the one statement that decides who gets the tokens of a code.
func useCode(t database.Tx, r Redeem) (*Code, error) {
	c := &Code{}
	return c, t.QueryRow(c.dest(), `
		UPDATE codes SET used_at = $1
		WHERE hash = $2 AND client_id = $3 AND redirect_uri = $4 AND code_challenge = $5 AND used_at = 0 AND expires_at > $1
		AND (jkt = '' OR jkt = $6)
		AND EXISTS (`+liveSessions+` AND s.id = codes.session_id AND u.id = codes.user_id)
		RETURNING `+codeColumns, r.Now, r.Hash, r.ClientID, r.RedirectURI, r.CodeChallenge, r.JKT)
}

// codeOver says why a code gives nothing, and revokes what it gave when its client
// uses it again.
func (s *Store) codeOver(t database.Tx, r Redeem) (reused bool, err error) {
	var c Code
	err = t.QueryRow(c.dest(), `SELECT `+codeColumns+` FROM codes WHERE hash = $1`, r.Hash)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, codeRefused("it is unknown, or was over long ago")
	case err != nil:
		return false, err
	case c.ClientID != r.ClientID || c.UsedAt == 0, r.ByVerifier && c.CodeChallenge != r.CodeChallenge:
		return false, whyCode(c, r)
	}
	e := r.Entry
	e.UserID, e.ClientID, e.SessionID = c.UserID, c.ClientID, c.SessionID
	return true, s.revokeGrant(t, c.GrantID, e, audit.CodeReused, r.Now)
}
