package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is the database of installations with more than one node.
type postgres struct{ db *sql.DB }

const (
	// answerTimeout bounds the wait for one answer of the server, so that one
	// that vanished, or a row locked for ever, does not hold requests.
	answerTimeout = 10 * time.Second
	dialTimeout   = 5 * time.Second
	// maxTries bounds how often an operation is repeated that lost a
	// deadlock or a serialisation conflict.
	maxTries = 8
)

func openPostgres(ctx context.Context, url string, log *slog.Logger) (*postgres, error) {
	cfg, err := postgresConfig(url)
	if err != nil {
		return nil, err
	}
	if err := migrateWith(ctx, *cfg, log); err != nil {
		return nil, err
	}
	cfg.DialFunc = impatient(cfg.DialFunc)
	p := &postgres{db: stdlib.OpenDB(*cfg)}
	conns := max(10, 4*runtime.GOMAXPROCS(0))
	p.db.SetMaxOpenConns(conns)
	p.db.SetMaxIdleConns(conns)
	p.db.SetConnMaxIdleTime(5 * time.Minute)
	p.db.SetConnMaxLifetime(time.Hour)
	return p, nil
}

func postgresConfig(url string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err // pgx redacts the password
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "idp"
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = dialTimeout
	}
	return cfg, nil
}

// migrateWith has connections of its own, which wait as long as it takes: for
// another node's migration, or for an index on a large table.
func migrateWith(ctx context.Context, cfg pgx.ConnConfig, log *slog.Logger) error {
	db := stdlib.OpenDB(cfg)
	return errors.Join(migratePostgres(ctx, db, log), db.Close())
}

// timedConn is a connection to the server whose every read and write has to get
// on within limit. A context with a deadline would do the same at the price of
// a goroutine for every statement.
type timedConn struct {
	net.Conn
	limit time.Duration
}

// Read implements net.Conn.
func (c *timedConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Write implements net.Conn.
func (c *timedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func impatient(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &timedConn{conn, answerTimeout}, nil
	}
}

// detach gives an operation a context that nobody cancels: a browser that goes
// away must not cost a connection, which is what cancelling in the middle does.
func detach(ctx context.Context) (context.Context, error) {
	return context.WithoutCancel(ctx), ctx.Err()
}

func (p *postgres) Read(ctx context.Context, op func(Tx) error) error {
	ctx, err := detach(ctx)
	if err != nil {
		return err
	}
	return op(direct{ctx, p.db})
}

func (p *postgres) Single(ctx context.Context, op func(Tx) error) error {
	ctx, err := detach(ctx)
	if err != nil {
		return err
	}
	return retry(func() error { return protect(direct{ctx, p.db}, op) })
}

func (p *postgres) Write(ctx context.Context, op func(Tx) error) error {
	ctx, err := detach(ctx)
	if err != nil {
		return err
	}
	return retry(func() error { return p.transact(ctx, op) })
}

func (p *postgres) transact(ctx context.Context, op func(Tx) error) error {
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

func (p *postgres) Close() error { return p.db.Close() }

// Name implements Database.
func (*postgres) Name() string { return "PostgreSQL" }

// retry repeats what PostgreSQL gave up for another's sake, after a pause of
// random length: 1 ms on average at first, 64 ms at last.
func retry(run func() error) error {
	for try := 1; ; try++ {
		err := run()
		if err == nil || !lostRace(err) {
			return err
		}
		if try == maxTries {
			return fmt.Errorf("given up after %d tries: %w", try, err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(time.Millisecond) << try))) //nolint:gosec // jitter
	}
}

// RefersToNothing reports a foreign_key_violation: of a row that was deleted meanwhile.
func RefersToNothing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23503"
}

// lostRace: serialization_failure and deadlock_detected, after which
// PostgreSQL asks for the transaction to be repeated.
func lostRace(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}
