// Package keys makes, rotates, publishes and uses the keys that sign tokens.
//
// A key signs with one algorithm and no other (RFC 8725 §3.1). There is always an
// active key for RS256 and one for ES256; those for PS256 and EdDSA (Ed25519, RFC
// 8037) are made when a relying party or a resource first needs them. A relying
// party learns the public halves from the JWKS and keeps them for a
// while, so a key's life has four dates: it is published (created), signs
// (active) only once every relying party's copy of the JWKS can have it, stops
// signing (retired) when its successor takes over, and stays published until the
// last token it signed is over (expires). A token that was good when it was
// issued therefore verifies until its end, and no relying party ever meets a key
// it could not have seen.
//
// The first key of an algorithm signs at once, for nothing else could. Those of
// PS256 and EdDSA are made by Need when a configuration names them, idp client add
// or set does, or a relying party that registers itself, and else by the first token
// that wants them, under a lease and therefore once. They are not made beforehand: an RSA key takes a good part of a
// second that most first starts need not spend, and there are relying parties
// that give up a JWKS over a kind of key they do not know. Whoever holds an older
// JWKS meets an unknown kid then and reads the JWKS again, as OIDC Core §10.1.1
// has it; every node reads the rows for that when its own copy is older than a
// second, so that the key is there whichever node is asked. A relying party that
// does not read it again waits for MaxAge. Once made, these keys are rotated like
// the others. They are in a table of their own: the release before this one does
// not start where it meets an algorithm that it does not know.
//
// All nodes share the rows; private halves are sealed under secret_key_file. A
// node reads the rows every 30 seconds, and at once (no more than once a second)
// when a token names a key it has not seen or somebody asks for the JWKS.
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
	refreshAtMost    = time.Second    // between two readings of the rows that strangers cause
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

	turn    chan struct{} // holds one while somebody here works under the lease
	current atomic.Pointer[set]
	mu      sync.Mutex // one refresh at a time
	readAt  time.Time  // of the last refresh, or of the last attempt that a stranger caused
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
	k := &Keys{Config: c, holder: secret.ID(), turn: make(chan struct{}, 1)}
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
	for _, row := range k.current.Load().rows {
		kid, old := row.Kid, row.Sealed
		if k.over(row) || k.Ring.Fresh(sealPurpose, kid, old) {
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

// catchUp reads the rows when they were last read a second ago or more: another
// node may just have made a key. Strangers can cause this, so it is bounded.
func (k *Keys) catchUp() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if since := k.Now().Sub(k.readAt); since >= 0 && since < refreshAtMost {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := k.read(ctx); err != nil {
		k.Log.Error("signing keys not refreshed", "err", err)
	}
	k.readAt = k.Now() // a database that does not answer is asked no more often, nor by those who waited here
}

// JWKS returns the key set as ready bytes of JSON (RFC 7517 §5), no more than a
// second old while the database answers.
func (k *Keys) JWKS() []byte {
	k.catchUp()
	return k.current.Load().jwks
}

// List returns the rows of all keys, retired and coming ones included, as the
// database has them now.
func (k *Keys) List(ctx context.Context) ([]store.SigningKey, error) {
	return k.Store.SigningKeys(ctx)
}
