package store

import (
	"context"
	"time"
)

// PushedRequest is the parameters of a request, kept under the hash of a handle.
type PushedRequest struct {
	Hash      []byte
	ClientID  string
	Address   string // who is to be counted for it; empty: nobody
	Params    string
	Pushed    bool // by the client (RFC 9126): gives one code. Else parked by us between two steps
	ExpiresAt Millis
}

// keepUsed is how long a used request is remembered: longer than a login that
// was begun with it may take.
const keepUsed = time.Hour

// PutPushedRequest keeps a request. An address has at most 2,000 of them, beyond
// which it is ErrTooMany.
func (s *Store) PutPushedRequest(ctx context.Context, p PushedRequest) error {
	n, err := s.exec(ctx, `
		INSERT INTO pushed_requests (hash, client_id, address, params, pushed, expires_at)
		SELECT $1, $2, $3, $4, $5, $6
		WHERE $3 = '' OR $7 > (SELECT COUNT(*) FROM (SELECT 1 FROM pushed_requests p WHERE p.address = $3 AND p.expires_at > $8 LIMIT $7) full_address)`,
		p.Hash, p.ClientID, p.Address, p.Params, p.Pushed, p.ExpiresAt, int64(maxPendingPerAddress), s.Now())
	if err == nil && n == 0 {
		return ErrTooMany
	}
	return err
}

// PushedRequest reads a request back, as often as asked until it expires: a
// reload of the page is no attack (RFC 9126 §4 leaves this to the server), and
// what counts once is the code that a pushed one gives.
func (s *Store) PushedRequest(ctx context.Context, hash []byte) (*PushedRequest, error) {
	p := &PushedRequest{Hash: hash}
	err := s.queryRow(ctx, []any{&p.ClientID, &p.Address, &p.Params, &p.Pushed, &p.ExpiresAt}, `
		SELECT client_id, address, params, pushed, expires_at FROM pushed_requests WHERE hash = $1 AND expires_at > $2`, hash, s.Now())
	if err != nil {
		return nil, err
	}
	return p, nil
}

// PushedRequestUsed reports whether a pushed request has given its code. Its row
// may be gone by then, for a login takes longer than a request is kept.
func (s *Store) PushedRequestUsed(ctx context.Context, hash []byte) (used bool, err error) {
	err = s.queryRow(ctx, []any{&used}, `SELECT EXISTS (SELECT 1 FROM replays WHERE hash = $1 AND expires_at > $2)`, hash, s.Now())
	return used, err
}

// usePushed is the one statement that decides which authorization a pushed
// request gives its code to. ErrReused: another one was first.
func usePushed(t tx, hash []byte, now Millis) error {
	n, err := t.Exec(firstSeen, hash, now+keepUsed.Milliseconds(), now)
	if err == nil && n == 0 {
		return ErrReused
	}
	return err
}
