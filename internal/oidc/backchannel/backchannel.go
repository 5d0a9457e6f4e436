// Package backchannel tells relying parties that a session has ended (OpenID
// Connect Back-Channel Logout 1.0).
//
// Whatever ends a session has put a row for each relying party that it visited
// into the queue, in the same transaction (package store). Here every node takes
// due rows out of it, each by one conditional statement and for the time of a
// lease: so nothing is lost when a node dies, and two nodes deliver nothing twice
// unless one of them died in the middle. Where a session ends, the node that ended
// it is woken at once; what another process ended is found within seconds.
//
// A relying party that answers 200 or 204 has ended its own session (§2.8). Any
// other answer but those of a server in trouble is final: the same request would
// get it again, and §2.5 asks not to retransmit then. Only what another hour may
// mend (no answer, 5xx, 408, 425, 429) is tried again, later each time, for a day.
// A relying party that is slow or dead delays nobody else (pools.go): it has one
// request under way as long as it does not answer quickly, and those that do not
// share a few slots of their own. Those that registered themselves have nothing
// in common with the administrator's. Whoever waits for a slot holds no rows, so
// that a lease begins with the attempt and outlasts it.
package backchannel

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/store"
)

const (
	pollEvery   = 3 * time.Second  // how often every node looks for what others queued
	lease       = 30 * time.Second // a request (5 s, package fetch) and what is written before and after it
	perClient   = 8                // requests at once to a relying party that answers quickly
	quickAnswer = time.Second      // takes no longer
	// unknownFor is how long a delivery waits for a node that knows its relying
	// party: nodes may be given a new configuration one after the other.
	unknownFor = time.Hour
)

// Config is everything New needs.
type Config struct {
	Issuer string
	Store  *store.Store
	Keys   *keys.Keys
	// Client finds a relying party of the running configuration; store.ErrNotFound.
	Client   func(ctx context.Context, id string) (*store.Client, error)
	Fetchers *clients.Fetchers // nil: the system's certificates are believed
	Log      *slog.Logger
	Count    func(result string) // is told of every attempt, one of store's Logout constants; nil: nobody counts
}

// Backchannel delivers. Safe for concurrent use.
type Backchannel struct {
	Config
	ours, strangers pools
	poll            time.Duration

	mu    sync.Mutex
	lanes map[string]bool // relying parties that are being told; true: look once more before leaving
	slow  map[string]bool // those whose last answer was not quick, or none
	busy  sync.WaitGroup
}

// New checks the configuration.
func New(c Config) (*Backchannel, error) {
	if c.Issuer == "" || c.Store == nil || c.Keys == nil || c.Client == nil || c.Log == nil {
		return nil, errors.New("backchannel: Issuer, Store, Keys, Client and Log are required")
	}
	if c.Count == nil {
		c.Count = func(string) {}
	}
	b := &Backchannel{Config: c, poll: pollEvery, lanes: map[string]bool{}, slow: map[string]bool{},
		ours: newPools(128, 32, 16), strangers: newPools(8, 4, 4)}
	if b.Fetchers == nil {
		var err error
		if b.Fetchers, err = clients.NewFetchers(nil); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Run delivers what is queued until ctx ends. What is under way then is due again
// when its lease is over.
func (b *Backchannel) Run(ctx context.Context) error {
	defer b.busy.Wait()
	tick := time.NewTicker(b.poll)
	defer tick.Stop()
	for {
		if err := b.round(ctx); err != nil {
			return err
		}
		select {
		case <-b.Store.LogoutsQueued():
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// round starts a lane for every relying party that has something due.
func (b *Backchannel) round(ctx context.Context) error {
	due, err := b.Store.DueLogouts(ctx)
	if err != nil {
		return err
	}
	for _, id := range due {
		if b.enter(id) {
			b.busy.Go(func() { b.lane(ctx, id) })
		}
	}
	return nil
}

// enter reports whether a lane is to be started. One that runs looks once more.
func (b *Backchannel) enter(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, runs := b.lanes[id]
	b.lanes[id] = runs
	return !runs
}

// leave reports whether the lane may end.
func (b *Backchannel) leave(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lanes[id] {
		b.lanes[id] = false
		return false
	}
	delete(b.lanes, id)
	return true
}

// lane tells one relying party of all that is due. It begins with one request.
func (b *Backchannel) lane(ctx context.Context, id string) {
	limit := 1
	for {
		n, err := b.some(ctx, id, limit)
		if err != nil && ctx.Err() == nil {
			b.Log.Error("logouts cannot be delivered", "client_id", id, "err", err)
		}
		limit = perClient
		if (n == 0 || err != nil || ctx.Err() != nil) && b.leave(id) {
			return
		}
	}
}

// some makes up to limit deliveries at once, and reports how many there were.
func (b *Backchannel) some(ctx context.Context, id string, limit int) (n int, err error) {
	c, err := b.told(ctx, id)
	if c == nil || err != nil {
		return 0, err
	}
	held := b.pools(c).wait(ctx, b.isSlow(id), limit)
	c, claimed, err := b.claim(ctx, id, len(held))
	giveBack(held[len(claimed):])
	if len(claimed) == 0 {
		return 0, err
	}
	answers := make([]bool, len(claimed))
	var wg sync.WaitGroup
	for i, d := range claimed {
		wg.Go(func() {
			defer giveBack(held[i : i+1])
			answers[i] = b.deliver(ctx, c, d)
		})
	}
	wg.Wait()
	b.setSlow(id, slices.Contains(answers, false))
	return len(claimed), nil
}

// claim takes deliveries to a relying party, as it is registered now: it may have
// waited for its turn.
func (b *Backchannel) claim(ctx context.Context, id string, limit int) (*store.Client, []store.LogoutDelivery, error) {
	c, err := b.told(ctx, id)
	if c == nil || err != nil {
		return nil, nil, err
	}
	claimed, err := b.Store.ClaimLogouts(ctx, id, limit, lease)
	return c, claimed, err
}

// told returns a relying party that is told of ended sessions. Nil: it is not, and
// what is due to it is dropped.
func (b *Backchannel) told(ctx context.Context, id string) (*store.Client, error) {
	c, err := b.Client(ctx, id)
	due := b.Store.Now()
	switch {
	case err == nil && c.BackchannelLogoutURI != "":
		return c, nil
	case err == nil && !c.FromFile: // what the database has is what every node has
	case err == nil, errors.Is(err, store.ErrNotFound): // another node's file may know better
		due -= unknownFor.Milliseconds()
	default:
		return nil, err
	}
	b.setSlow(id, false)
	return nil, b.Store.DropLogouts(ctx, id, due)
}

func (b *Backchannel) pools(c *store.Client) *pools {
	if c.Registered {
		return &b.strangers
	}
	return &b.ours
}

func (b *Backchannel) isSlow(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.slow[id]
}

func (b *Backchannel) setSlow(id string, slow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slow {
		b.slow[id] = true
	} else {
		delete(b.slow, id)
	}
}
