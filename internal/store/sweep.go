package store

import (
	"context"
	"errors"
	"time"

	"idp/internal/secret"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 200 // rows a statement: logins go on in between
	// sweepLimit bounds one table in one round, so that a backlog of millions
	// is worked off over hours and the lease is never outlived.
	sweepLimit = 500 * sweepBatch
	// keepCodes: a code that is presented a second time is noticed for so long
	// after it expired.
	keepCodes = 24 * time.Hour
)

// sweeps are the tables with rows that expire: a statement that deletes the
// next $2 rows that expired at $1 or before, and how long a row is kept after
// it expired. The condition stands twice for a row that was renewed meanwhile.
// The audit log is never swept; signing keys have DeleteSigningKeys.
var sweeps = []struct {
	table string
	query string
	keep  time.Duration
}{
	{"sessions", `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`, 0},
	{"login_requests", `DELETE FROM login_requests WHERE id IN (SELECT id FROM login_requests WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`, 0},
	{"pushed_requests", `DELETE FROM pushed_requests WHERE hash IN (SELECT hash FROM pushed_requests WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`, 0},
	{"codes", `DELETE FROM codes WHERE hash IN (SELECT hash FROM codes WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`, keepCodes},
	{"refresh_families", `DELETE FROM refresh_families WHERE id IN (SELECT id FROM refresh_families WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`, 0},
	{"grants", `DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`, 0},
	{"revoked_tokens", `DELETE FROM revoked_tokens WHERE jti IN (SELECT jti FROM revoked_tokens WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`, 0},
	{"replays", `DELETE FROM replays WHERE hash IN (SELECT hash FROM replays WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`, 0},
	{"guesses", `DELETE FROM guesses WHERE token IN (SELECT token FROM guesses WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`, 0},
}

// RunSweeper deletes what has expired, once a minute, until ctx ends. One node
// at a time does it.
func (s *Store) RunSweeper(ctx context.Context) error {
	holder := secret.ID()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweepOnce(ctx, holder); err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
			s.log.ErrorContext(ctx, "sweeping the database failed", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Store) sweepOnce(ctx context.Context, holder string) error {
	mine, err := s.Lease(ctx, "sweep", holder, 3*sweepEvery)
	if err != nil || !mine {
		return err
	}
	_, err = s.Sweep(ctx)
	return err
}

// Sweep deletes expired rows once and returns how many.
func (s *Store) Sweep(ctx context.Context) (deleted int64, err error) {
	for _, sweep := range sweeps {
		before := s.Now() - sweep.keep.Milliseconds()
		for inTable := int64(0); inTable < sweepLimit; {
			n, err := s.exec(ctx, sweep.query, before, int64(sweepBatch))
			deleted += n
			if err != nil {
				return deleted, errors.Join(errors.New(sweep.table), err)
			}
			if inTable += n; n < sweepBatch {
				break
			}
		}
	}
	return deleted, nil
}
