package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"idp/internal/secret"
	"idp/internal/store/database"
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
	// keepDeviceCodes: a device that asks too late is told so, and a second use
	// noticed, for so long; shorter, for user codes are not to run out.
	keepDeviceCodes = time.Hour
)

// sweep deletes rows of one table that expired. The condition stands twice in
// each statement for a row that was renewed meanwhile.
type sweep struct {
	table  string
	keep   time.Duration // how long a row is kept after it expired
	delete string        // deletes the next $2 rows that expired at $1 or before
	before string        // what hangs on the same rows, deleted first; empty: nothing
}

// sweeps are the tables with rows that expire, beside sessions (sweepSessions).
// The audit log is never swept; signing keys have DeleteSigningKeys.
var sweeps = []sweep{
	{table: "logout_deliveries", delete: `
		DELETE FROM logout_deliveries WHERE (session_id, client_id) IN (
			SELECT session_id, client_id FROM logout_deliveries WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{table: "login_requests", delete: `
		DELETE FROM login_requests WHERE id IN (SELECT id FROM login_requests WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{table: "upstream_logins", delete: `
		DELETE FROM upstream_logins WHERE hash IN (SELECT hash FROM upstream_logins WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{table: "pushed_requests", delete: `
		DELETE FROM pushed_requests WHERE hash IN (SELECT hash FROM pushed_requests WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{table: "codes", keep: keepCodes, delete: `
		DELETE FROM codes WHERE hash IN (SELECT hash FROM codes WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{table: "device_codes", keep: keepDeviceCodes, delete: `
		DELETE FROM device_codes WHERE hash IN (SELECT hash FROM device_codes WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{table: "grants", before: `
		DELETE FROM refresh_families WHERE grant_id IN (SELECT id FROM grants WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2)`,
		delete: `
		DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2) AND expires_at <= $1`},
	{table: "revoked_tokens", delete: `
		DELETE FROM revoked_tokens WHERE jti IN (SELECT jti FROM revoked_tokens WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{table: "replays", delete: `
		DELETE FROM replays WHERE hash IN (SELECT hash FROM replays WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{table: "links", keep: keepLinks, delete: `
		DELETE FROM links WHERE hash IN (
			SELECT hash FROM links WHERE expires_at <= $1 AND (used_at > 0 OR purpose <> 'invitation') LIMIT $2) AND expires_at <= $1`},
	{table: "mails", delete: `
		DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{table: "guesses", delete: `
		DELETE FROM guesses WHERE token IN (SELECT token FROM guesses WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
	{table: "wrong_passwords", delete: `
		DELETE FROM wrong_passwords WHERE (network, hash) IN (
			SELECT network, hash FROM wrong_passwords WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1`},
}

// RunSweeper deletes what has expired, once a minute, until ctx ends. One node
// at a time does it.
func (s *Store) RunSweeper(ctx context.Context) error {
	holder := secret.ID()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweepOnce(ctx, holder); err != nil && ctx.Err() == nil && !errors.Is(err, database.ErrClosed) {
			s.log.ErrorContext(ctx, "sweeping the database failed", "err", err)
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
	deleted, err = s.sweepSessions(ctx)
	if err != nil {
		return deleted, fmt.Errorf("sessions: %w", err)
	}
	for _, sw := range sweeps {
		n, err := s.sweepTable(ctx, sw)
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("%s: %w", sw.table, err)
		}
	}
	return deleted, nil
}

func (s *Store) sweepTable(ctx context.Context, sw sweep) (deleted int64, err error) {
	for deleted < sweepLimit {
		var n int64
		err := s.db.Write(ctx, func(t database.Tx) (err error) {
			n, err = sw.batch(t, s.Now()-sw.keep.Milliseconds())
			return err
		})
		deleted += n
		if err != nil || n < sweepBatch {
			return deleted, err
		}
	}
	return deleted, nil
}

func (sw sweep) batch(t database.Tx, expired Millis) (int64, error) {
	if sw.before != "" {
		if _, err := t.Exec(sw.before, expired, int64(sweepBatch)); err != nil {
			return 0, err
		}
	}
	return t.Exec(sw.delete, expired, int64(sweepBatch))
}
