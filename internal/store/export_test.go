package store

import (
	"context"

	"idp/internal/store/database"
)

// Tx is what an operation sees.
type Tx = database.Tx

// Write runs an operation of a test.
func (s *Store) Write(ctx context.Context, op func(Tx) error) error { return s.db.Write(ctx, op) }

// Read runs an operation of a test where only reading is expected.
func (s *Store) Read(ctx context.Context, op func(Tx) error) error { return s.db.Read(ctx, op) }

// BinaryLevel is what this binary understands.
const BinaryLevel = database.Level
