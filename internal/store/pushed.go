package store

import "context"

// PutPushedRequest keeps the parameters of a request under the hash of a handle.
func (s *Store) PutPushedRequest(ctx context.Context, hash []byte, clientID, params string, expires Millis) error {
	n, err := s.exec(ctx, `
		INSERT INTO pushed_requests (hash, client_id, params, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, hash, clientID, params, expires)
	if err == nil && n == 0 {
		return ErrConflict
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
