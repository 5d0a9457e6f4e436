package store

import (
	"context"
	"net"
	"time"
)

// Tx is what an operation sees.
type Tx = tx

// Write runs an operation of a test.
func (s *Store) Write(ctx context.Context, op func(Tx) error) error { return s.db.write(ctx, op) }

// Read runs an operation of a test where only reading is expected.
func (s *Store) Read(ctx context.Context, op func(Tx) error) error { return s.db.read(ctx, op) }

// Waiting counts the operations that wait for SQLite's writer.
func (s *Store) Waiting() int {
	w := s.db.(*sqlite).writer
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// BinaryLevel is what this binary understands.
const BinaryLevel = binaryLevel

// Timed is the connection to PostgreSQL.
func Timed(conn net.Conn, limit time.Duration) net.Conn { return &timedConn{conn, limit} }
