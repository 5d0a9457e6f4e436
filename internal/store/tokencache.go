package store

import (
	"context"
	"sync"
	"sync/atomic"
)

// Access tokens carry no row of their own, but each use of one asks for what it
// rests on: grant, user, session, client, consent. A gateway asks for the same token a thousand
// times a second, so the answer is kept for a second, which is how long another
// node may take to hear of a sign-out. This node hears at once: whatever takes
// trust away goes through revoking, which makes every kept answer void.
const (
	keptFor  = 1000 // milliseconds
	keptMost = 8192
)

type tokenKey struct{ grant, jti string }

type tokenAnswer struct {
	grant    *Grant
	standing *Standing
	until    Millis
	revision uint64
}

// tokenCache keeps answers of TokenState. Safe for concurrent use.
type tokenCache struct {
	revision atomic.Uint64 // changes with every revocation on this node

	mu   sync.Mutex
	kept map[tokenKey]tokenAnswer
}

func (c *tokenCache) get(k tokenKey, now Millis) (*Grant, *Standing, bool) {
	c.mu.Lock()
	a, ok := c.kept[k]
	c.mu.Unlock()
	if !ok || now >= a.until || a.revision != c.revision.Load() {
		return nil, nil, false
	}
	g, s := *a.grant, *a.standing // the caller's own
	return &g, &s, true
}

// put keeps an answer that was asked for when the revision was the one given:
// one that a revocation overtook is void from the start.
func (c *tokenCache) put(k tokenKey, g Grant, s Standing, now Millis, revision uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= keptMost {
		c.kept = make(map[tokenKey]tokenAnswer)
	}
	c.kept[k] = tokenAnswer{&g, &s, now + keptFor, revision}
}

// revoking is write for an operation that may take trust away.
func (s *Store) revoking(ctx context.Context, op func(tx) error) error {
	err := s.db.write(ctx, op)
	s.tokens.revision.Add(1) // after the commit: who asks now sees its result
	return err
}
