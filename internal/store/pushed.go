package store

import "context"

// PushedRequest is the parameters of a request, kept under the hash of a handle.
type PushedRequest struct {
	Hash      []byte
	ClientID  string
	Address   string // who pushed it
	Params    string
	ExpiresAt Millis
}

// PutPushedRequest keeps a request. An address has at most 2,000 of them, beyond
// which it is ErrTooMany.
func (s *Store) PutPushedRequest(ctx context.Context, p PushedRequest) error {
	n, err := s.exec(ctx, `
		INSERT INTO pushed_requests (hash, client_id, address, params, expires_at)
		SELECT $1, $2, $3, $4, $5
		WHERE $6 > (SELECT COUNT(*) FROM (SELECT 1 FROM pushed_requests p WHERE p.address = $3 AND p.expires_at > $7 LIMIT $6) full_address)`,
		p.Hash, p.ClientID, p.Address, p.Params, p.ExpiresAt, int64(maxPendingPerAddress), s.Now())
	if err == nil && n == 0 {
		return ErrTooMany
	}
	return err
}

// PushedRequest reads the parameters back, as often as asked until they expire:
// a reload of the page is no attack (RFC 9126 §4 leaves this to the server).
func (s *Store) PushedRequest(ctx context.Context, hash []byte) (clientID, params string, err error) {
	err = s.queryRow(ctx, []any{&clientID, &params}, `
		SELECT client_id, params FROM pushed_requests WHERE hash = $1 AND expires_at > $2`, hash, s.Now())
	return clientID, params, err
}
