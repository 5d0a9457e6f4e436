package store

import (
	"context"
	"sync"
	"sync/atomic"

	"idp/internal/store/database"
)

// Access tokens and the cookies of protected sites carry no row of their own, but each
// use of one asks for what it rests on: grant, user, session, client, consent. A gateway
// asks for the same one a thousand times a second, so the answer is kept for a second,
// which is how long another node may take to hear of a sign-out. This node hears at
// once: whatever takes trust away goes through revoking, which makes every kept answer
// void.
const (
	keptFor  = 1000 // milliseconds
	keptMost = 8192 // answers of a kind
)

// answers keeps what was found for keys. Safe for concurrent use.
type answers[K comparable, A any] struct {
	mu   sync.Mutex
	kept map[K]answer[A]
}

type answer[A any] struct {
	found    A
	until    Millis
	revision uint64
}

// get returns what was found for a key, unless it is a second old, or from the future of
// a clock that was put back, or revoked has changed since.
func (c *answers[K, A]) get(k K, now Millis, revoked *atomic.Uint64) (found A, ok bool) {
	c.mu.Lock()
	a, ok := c.kept[k]
	c.mu.Unlock()
	if !ok || now >= a.until || now < a.until-keptFor || a.revision != revoked.Load() {
		return found, false
	}
	return a.found, true
}

// put keeps an answer that was asked for when the revision was the one given: one that
// a revocation overtook is void from the start.
func (c *answers[K, A]) put(k K, found A, now Millis, revision uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= keptMost {
		c.kept = make(map[K]answer[A])
	}
	c.kept[k] = answer[A]{found, now + keptFor, revision}
}

// revoking is write for an operation that may take trust away.
func (s *Store) revoking(ctx context.Context, op func(database.Tx) error) error {
	err := s.db.Write(ctx, op)
	s.revoked.Add(1) // after the commit: who asks now sees its result
	return err
}
