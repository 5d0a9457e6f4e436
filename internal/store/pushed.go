package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"idp/internal/store/database"
)

// PushedRequest is the parameters of a request, kept under the hash of a handle.
type PushedRequest struct {
	Hash     []byte
	ClientID string
	Address  string // who is to be counted for it; empty: nobody
	Params   string
	// PushedHash is that of the request which the client pushed (RFC 9126) and which
	// gives one code: Hash itself, or that of the one behind what we parked between
	// two steps. Empty: none was pushed.
	PushedHash  []byte
	CountClient bool // the client is to be counted too
	ExpiresAt   Millis
}

// keepUsed is how long a used request is remembered: longer than a login that
// was begun with it may take.
const keepUsed = time.Hour

// PutPushedRequest keeps a request. An address has at most 2,000 of them, and a
// client that is counted as many, beyond which it is ErrTooMany.
func (s *Store) PutPushedRequest(ctx context.Context, p PushedRequest) error {
	pushed, err := pushedHash(p.PushedHash)
	if err != nil {
		return err
	}
	n, err := s.exec(ctx, `
		INSERT INTO pushed_requests (hash, client_id, address, params, pushed_hash, expires_at)
		SELECT $1, $2, $3, $4, $5, $6
		WHERE ($3 = '' OR $7 > (SELECT COUNT(*) FROM (SELECT 1 FROM pushed_requests p WHERE p.address = $3 AND p.expires_at > $8 LIMIT $7) full_address))
		AND (NOT $9 OR $7 > (SELECT COUNT(*) FROM (SELECT 1 FROM pushed_requests p WHERE p.client_id = $2 AND p.pushed_hash = p.hash AND p.expires_at > $8 LIMIT $7) full_client))`,
		p.Hash, p.ClientID, p.Address, p.Params, pushed, p.ExpiresAt, int64(maxPendingPerAddress), s.Now(), p.CountClient)
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
	err := s.queryRow(ctx, []any{&p.ClientID, &p.Address, &p.Params, &p.PushedHash, &p.ExpiresAt}, `
		SELECT client_id, address, params, pushed_hash, expires_at FROM pushed_requests WHERE hash = $1 AND expires_at > $2`, hash, s.Now())
	if err != nil {
		return nil, err
	}
	return p, nil
}

// PushedRequestUsed reports whether a pushed request has given its code. Its row
// may be gone by then, for a login takes longer than a request is kept.
func (s *Store) PushedRequestUsed(ctx context.Context, hash []byte) (used bool, err error) {
	err = s.queryRow(ctx, []any{&used}, `SELECT EXISTS (SELECT 1 FROM replays WHERE hash = $1 AND expires_at > $2)`, UsePushed.key(hash), s.Now())
	return used, err
}

// usePushed is the one statement that decides which authorization a pushed
// request gives its code to. ErrReused: another one was first.
func usePushed(t database.Tx, hash []byte, now Millis) error {
	n, err := t.Exec(firstSeen, UsePushed.key(hash), now+keepUsed.Milliseconds(), now)
	if err == nil && n == 0 {
		return ErrReused
	}
	return err
}

// pushedHash is what a row keeps: a SHA-256, or the empty text where nothing was pushed.
func pushedHash(hash []byte) ([]byte, error) {
	switch len(hash) {
	case 0:
		return []byte{}, nil
	case sha256.Size:
		return hash, nil
	}
	return nil, fmt.Errorf("hash of a pushed request: %d bytes, want %d", len(hash), sha256.Size)
}
