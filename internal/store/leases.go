package store

import (
	"context"
	"time"
)

// Lease gives work that one node at a time does to holder, for d from now. The
// holder renews by asking again; another gets it when the time is over.
func (s *Store) Lease(ctx context.Context, name, holder string, d time.Duration) (bool, error) {
	now := s.Now()
	n, err := s.exec(ctx, `
		INSERT INTO leases (name, holder, lease_until) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
		WHERE leases.lease_until <= $4 OR leases.holder = excluded.holder`,
		name, holder, now+d.Milliseconds(), now)
	return n == 1, err
}
