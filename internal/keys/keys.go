// Package keys makes, rotates, publishes and uses the keys that sign tokens.
//
// There is always one active key for ES256 and one for RS256 (RFC 7518 §3.1). A
// relying party learns the public halves from the JWKS and keeps them for a
// while, so a key's life has four dates: it is published (created), signs
// (active) only once every relying party's copy of the JWKS can have it, stops
// signing (retired) when its successor takes over, and stays published until the
// last token it signed is over (expires). A token that was good when it was
// issued therefore verifies until its end, and no relying party ever meets a key
// it could not have seen.
//
// All nodes share the rows; private halves are sealed under secret_key_file. A
// node reads the rows every 30 seconds, and at once (no more than once a second)
// when a token names a key it has not seen.
package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
)

// MaxAge is how long a relying party may keep the JWKS (Cache-Control max-age).
// Both delays below are longer, with room for a slow node.
const MaxAge = 5 * time.Minute

const (
	rotateEvery      = 90 * 24 * time.Hour
	publishScheduled = 24 * time.Hour   // from publishing to signing, on schedule
	publishOnCommand = 10 * time.Minute // the same for `key rotate`: more than MaxAge and a refresh
	refreshEvery     = 30 * time.Second
	refreshAtMost    = time.Second    // for tokens that name an unknown key
	keepLonger       = 24 * time.Hour // published beyond the last token's end: ID tokens come back as id_token_hint
)

// Config is everything New needs.
type Config struct {
	Store         *store.Store
	Ring          *secret.Ring
	TokenLifetime time.Duration // the longest life of any signed token; default 5 min
	RotateEvery   time.Duration // how long a key signs; default 90 days, at least 2 days
	Log           *slog.Logger
	Now           func() time.Time
}

// Keys signs and verifies. Safe for concurrent use.
type Keys struct {
	Config
	holder   string       // of leases
	lifetime atomic.Int64 // the TokenLifetime in force, a time.Duration

	current atomic.Pointer[set]
	mu      sync.Mutex // one refresh at a time
	readAt  time.Time  // of the last refresh
}

// New opens the signing keys and makes the first ones, which are active at once:
// there is nobody yet who could hold an older JWKS. secret.ErrSealed: the key
// file does not fit the database.
func New(ctx context.Context, c Config) (*Keys, error) {
	if c.Store == nil || c.Ring == nil {
		return nil, errors.New("keys: Store and Ring are required")
	}
	if c.TokenLifetime == 0 {
		c.TokenLifetime = 5 * time.Minute
	}
	if c.RotateEvery == 0 {
		c.RotateEvery = rotateEvery
	}
	if c.RotateEvery < 2*publishScheduled {
		return nil, fmt.Errorf("keys: RotateEvery is %s, want at least %s", c.RotateEvery, 2*publishScheduled)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	k := &Keys{Config: c, holder: secret.ID()}
	k.SetTokenLifetime(c.TokenLifetime)
	if err := k.maintain(ctx); err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	if err := k.reseal(ctx); err != nil {
		return nil, fmt.Errorf("sealing signing keys anew: %w", err)
	}
	return k, nil
}

// SetTokenLifetime says how long the tokens signed from now on live at most. A
// shorter life than before counts from the next start only: longer-lived tokens
// are about until then.
func (k *Keys) SetTokenLifetime(d time.Duration) {
	for {
		old := k.lifetime.Load()
		if int64(d) <= old || k.lifetime.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// reseal seals with the ring's first key what a later one had sealed, so that
// the later one's line can be taken out of the key file.
func (k *Keys) reseal(ctx context.Context) error {
	for kid, key := range k.current.Load().byKid {
		old := key.row.Sealed
		if k.Ring.Fresh(sealPurpose, kid, old) {
			continue
		}
		der, err := k.Ring.Open(sealPurpose, kid, old)
		if err != nil {
			return err
		}
		if err := k.Store.ResealSigningKey(ctx, kid, old, k.Ring.Seal(sealPurpose, kid, der)); err != nil {
			return err
		}
	}
	return nil
}

// Run keeps the keys up to date until ctx ends: it sees what other nodes and the
// command line changed, and rotates on schedule. A database that does not answer
// is logged, and the keys in memory go on.
func (k *Keys) Run(ctx context.Context) error {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := k.maintain(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error("signing keys not refreshed", "err", err)
		}
	}
}

// refresh reads the rows and replaces the set in use.
func (k *Keys) refresh(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.read(ctx)
}

func (k *Keys) read(ctx context.Context) error {
	rows, err := k.Store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	next, err := newSet(rows, k.current.Load(), k.Ring, k.Now())
	if err != nil {
		return err
	}
	k.current.Store(next)
	k.readAt = k.Now()
	return nil
}

// refreshUnknown reads the rows for a token that names an unknown key: another
// node may just have made it. Strangers can cause this, so it is bounded.
func (k *Keys) refreshUnknown() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if since := k.Now().Sub(k.readAt); since >= 0 && since < refreshAtMost {
		return
	}
	k.readAt = k.Now() // a database that does not answer is asked no more often
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := k.read(ctx); err != nil {
		k.Log.Error("signing keys not refreshed", "err", err)
	}
}

// JWKS returns the key set as ready bytes of JSON (RFC 7517 §5).
func (k *Keys) JWKS() []byte { return k.current.Load().jwks }

// List returns the rows of all keys, retired and coming ones included, as the
// database has them now.
func (k *Keys) List(ctx context.Context) ([]store.SigningKey, error) {
	return k.Store.SigningKeys(ctx)
}
