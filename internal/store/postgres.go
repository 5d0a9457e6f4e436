package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is the database of installations with more than one node.
type postgres struct{ db *sql.DB }

const (
	// opTimeout bounds one operation, waiting for a connection included, so
	// that a server that vanished does not hold requests for ever.
	opTimeout = 10 * time.Second
	// maxTries bounds how often an operation is repeated that lost a
	// deadlock or a serialisation conflict.
	maxTries = 8
)

func openPostgres(ctx context.Context, url string, log *slog.Logger) (*postgres, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err // pgx redacts the password
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "idp"
	}
	p := &postgres{db: stdlib.OpenDB(*cfg)}
	conns := max(10, 4*runtime.GOMAXPROCS(0))
	p.db.SetMaxOpenConns(conns)
	p.db.SetMaxIdleConns(conns)
	p.db.SetConnMaxIdleTime(5 * time.Minute)
	p.db.SetConnMaxLifetime(time.Hour)
	if err := migratePostgres(ctx, p.db, log); err != nil {
		return nil, errors.Join(err, p.db.Close())
	}
	return p, nil
}

// detach gives an operation a context of its own: a browser that goes away must
// not cost a connection, which is what cancelling one in the middle does.
func detach(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), opTimeout)
	return ctx, cancel, nil
}

func (p *postgres) read(ctx context.Context, op func(tx) error) error {
	ctx, cancel, err := detach(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return op(direct{ctx, p.db})
}

func (p *postgres) single(ctx context.Context, op func(tx) error) error {
	ctx, cancel, err := detach(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return retry(ctx, func() error { return protect(direct{ctx, p.db}, op) })
}

func (p *postgres) write(ctx context.Context, op func(tx) error) error {
	ctx, cancel, err := detach(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return retry(ctx, func() error { return p.transact(ctx, op) })
}

func (p *postgres) transact(ctx context.Context, op func(tx) error) error {
	t, err := p.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	if err := protect(direct{ctx, t}, op); err != nil {
		_ = t.Rollback()
		return err
	}
	return t.Commit()
}

func (p *postgres) close() error { return p.db.Close() }

// retry repeats what PostgreSQL gave up for another's sake.
func retry(ctx context.Context, run func() error) error {
	for try := 1; ; try++ {
		err := run()
		if err == nil || !lostRace(err) {
			return err
		}
		if try == maxTries {
			return fmt.Errorf("given up after %d tries: %w", try, err)
		}
		pause := time.NewTimer(time.Duration(rand.Int64N(int64(time.Millisecond) << try))) // #nosec G404 -- jitter
		select {
		case <-pause.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// lostRace: serialization_failure and deadlock_detected, after which
// PostgreSQL asks for the transaction to be repeated.
func lostRace(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}
