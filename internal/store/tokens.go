package store

import (
	"context"
	"crypto/sha256"
	"time"

	"idp/internal/store/database"
)

type (
	tokenKey    struct{ grant, jti string }
	tokenAnswer struct {
		grant    Grant
		standing Standing
	}
)

// TokenState finds the grant behind an access token and its standing, in one query,
// for userinfo and introspection. ErrNotFound: the token or its grant is revoked,
// the user is disabled, or the session it lives by has ended.
func (s *Store) TokenState(ctx context.Context, grantID, jti string, now Millis) (*Grant, *Standing, error) {
	k := tokenKey{grantID, jti}
	if a, ok := s.tokens.get(k, now, &s.revoked); ok {
		return &a.grant, &a.standing, nil // copies, the caller's own
	}
	revision := s.revoked.Load()
	g, st := &Grant{}, &Standing{}
	err := s.queryRow(ctx, append(g.dest(), st.dest()...), `SELECT `+grantColumns+`, `+standingColumns+liveGrant+`
		AND NOT EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.jti = $3)`, now, grantID, jti)
	if err != nil {
		return nil, nil, err
	}
	s.tokens.put(k, tokenAnswer{*g, *st}, now, revision)
	return g, st, nil
}

// RevokeToken remembers a jti until its token has expired by itself. The audit log has
// no row of it: a client gives back its own token of minutes, and trust stays as it is.
func (s *Store) RevokeToken(ctx context.Context, jti string, expires Millis) error {
	_, err := s.exec(ctx, `INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, jti, expires)
	s.revoked.Add(1)
	return err
}

// ownTokensKept is for how long it is remembered that the tokens which a client had got
// by itself were revoked, none of which lives so long.
const ownTokensKept = 24 * time.Hour

// ownTokens is the row of that: no jti has a space in it.
func ownTokens(clientID string) string { return "client " + clientID }

// revokeOwnTokens revokes what a client was given for itself, or by exchanges, until now,
// of which there are no rows.
func revokeOwnTokens(t database.Tx, clientID string, now Millis) error {
	_, err := t.Exec(`
		INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2)
		ON CONFLICT (jti) DO UPDATE SET expires_at = excluded.expires_at`, ownTokens(clientID), now+ownTokensKept.Milliseconds())
	return err
}

// TokenRevoked reports whether RevokeToken was called for a jti, or all was revoked that a
// client had got by itself when a token was issued: for itself, or by exchanges.
func (s *Store) TokenRevoked(ctx context.Context, clientID, jti string, issued Millis) (revoked bool, err error) {
	err = s.queryRow(ctx, []any{&revoked}, `
		SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $1 OR (jti = $2 AND expires_at >= $3))`,
		jti, ownTokens(clientID), issued+ownTokensKept.Milliseconds())
	return revoked, err
}

// Use is a kind of what counts once. Each has hashes of its own, so that nothing
// of one kind uses up, or passes for, anything of another.
type Use string

// The kinds. A ticket's authenticator is kept by its SHA-256 alone, as an older
// binary beside this one does: it is our key's work, and nobody's to choose.
const (
	UseTicket    Use = ""
	UseAssertion Use = "assertion"
	UseProof     Use = "dpop proof"
	UsePushed    Use = "pushed request"
	UseLogout    Use = "upstream's logout token"
	UsePasskey   Use = "passkey challenge"
	UseRefusal   Use = "refusal of nobody"
)

// key is what the table has of a hash.
func (u Use) key(hash []byte) []byte {
	if u == UseTicket {
		return hash
	}
	sum := sha256.Sum256(append([]byte(u+"\x00"), hash...))
	return sum[:]
}

// SeenOnce reports whether hash, a SHA-256, comes for the first time among its
// kind, and remembers it until then: Kerberos authenticators, assertions and proofs
// count once on all nodes.
func (s *Store) SeenOnce(ctx context.Context, kind Use, hash []byte, until time.Time) (first bool, err error) {
	n, err := s.exec(ctx, firstSeen, kind.key(hash), until.UnixMilli(), s.Now())
	return n == 1, err
}

// firstSeen changes a row for whoever comes first with a hash ($1), remembered
// until $2, and none for the others; $3 is now.
const firstSeen = `
	INSERT INTO replays (hash, expires_at) VALUES ($1, $2)
	ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at WHERE replays.expires_at <= $3`
