package store

import (
	"context"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// UpstreamLogin is a login on its way at an upstream: what we have to know of it when
// the browser comes back.
type UpstreamLogin struct {
	Hash        []byte // SHA-256 of the state parameter
	LoginID     string // of the login request; with LinkUserID, of the session that asked
	BrowserHash []byte
	Upstream    string // its id in the configuration
	Nonce       string
	Verifier    string // of PKCE
	LinkUserID  string // whose it is to become; empty: somebody logs in
	MinAuthTime Millis // when its person must have acted there; 0: whenever
	CreatedAt   Millis
	ExpiresAt   Millis
}

func (u *UpstreamLogin) dest() []any {
	return []any{&u.Hash, &u.LoginID, &u.BrowserHash, &u.Upstream, &u.Nonce, &u.Verifier, &u.LinkUserID, &u.MinAuthTime, &u.CreatedAt, &u.ExpiresAt}
}

// PutUpstreamLogin keeps a login that leaves for an upstream. Whatever left before for
// the same login request, or to be linked by the same session, is over: there are
// never more of them than of those.
func (s *Store) PutUpstreamLogin(ctx context.Context, u UpstreamLogin) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		if _, err := t.Exec(`DELETE FROM upstream_logins WHERE login_id = $1`, u.LoginID); err != nil {
			return err
		}
		_, err := t.Exec(`
			INSERT INTO upstream_logins (hash, login_id, browser_hash, upstream, nonce, verifier, link_user_id, min_auth_time, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			u.Hash, u.LoginID, u.BrowserHash, u.Upstream, u.Nonce, u.Verifier, u.LinkUserID, u.MinAuthTime, s.Now(), u.ExpiresAt)
		return err
	})
}

// TakeUpstreamLogin uses up the login that a state parameter stands for, for the
// browser that left with it and at the upstream that it left for. ErrNotFound:
// unknown, used, over, another browser's, or another upstream's; then nothing is used
// up.
func (s *Store) TakeUpstreamLogin(ctx context.Context, hash, browserHash []byte, upstream string) (*UpstreamLogin, error) {
	u := &UpstreamLogin{}
	err := s.db.Single(ctx, func(t database.Tx) error {
		return t.QueryRow(u.dest(), `
			DELETE FROM upstream_logins WHERE hash = $1 AND browser_hash = $2 AND upstream = $3 AND expires_at > $4
			RETURNING hash, login_id, browser_hash, upstream, nonce, verifier, link_user_id, min_auth_time, created_at, expires_at`,
			hash, browserHash, upstream, s.Now())
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// SetVouchedProfile is SetProfile for what somebody vouches for at a login: what they
// say of the mail address counts too.
func (s *Store) SetVouchedProfile(ctx context.Context, u User, e Entry) error {
	return s.revoking(ctx, func(t database.Tx) error {
		n, err := t.Exec(`
			UPDATE users SET full_name = $1, email = $2, email_verified = $3, groups = $4, updated_at = $5
			WHERE id = $6 AND (full_name <> $1 OR email <> $2 OR email_verified <> $3 OR groups <> $4)`,
			u.FullName, u.Email, u.EmailVerified, encodeList(u.Groups), s.Now(), u.ID)
		if err != nil || n == 0 {
			return err
		}
		return s.changed(t, n, u.ID, e, audit.UserChanged)
	})
}

// UseIdentity notes that somebody has just logged in by an identity, and what its
// source calls them now and which groups it gives.
func (s *Store) UseIdentity(ctx context.Context, i Identity) error {
	_, err := s.exec(ctx, `UPDATE identities SET used_at = $1, label = $2, groups = $5 WHERE source = $3 AND key = $4`,
		s.Now(), i.Label, i.Source, i.Key, encodeList(i.Groups))
	return err
}
