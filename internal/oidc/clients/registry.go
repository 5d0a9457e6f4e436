package clients

import (
	"context"
	"errors"
	"sync"
	"time"

	"idp/internal/store"
)

const (
	cacheFor    = time.Second // how long a change of the database may go unnoticed
	cacheMax    = 1000
	maxClientID = 255
)

// Registry finds relying parties: those of the configuration file and, behind
// them, those of the database. Safe for concurrent use.
type Registry struct {
	file  map[string]*store.Client
	store *store.Store
	now   func() time.Time

	mu     sync.Mutex
	cached map[string]entry
	places []store.Client // to begin at (MySites)
	until  time.Time      // places are good
}

type entry struct {
	client *store.Client // nil: there is none
	until  time.Time
}

// New makes a Registry; file holds the relying parties that the file owns, now
// tells the time (nil: time.Now).
func New(file []store.Client, st *store.Store, now func() time.Time) *Registry {
	if now == nil {
		now = time.Now
	}
	r := &Registry{file: map[string]*store.Client{}, store: st, now: now, cached: map[string]entry{}}
	for i := range file {
		file[i].FromFile = true
		r.file[file[i].ClientID] = &file[i]
	}
	return r
}

// ByID returns a relying party, not to be changed; store.ErrNotFound when there
// is none. A change of the database is seen within a second.
func (r *Registry) ByID(ctx context.Context, id string) (*store.Client, error) {
	if found := r.file[id]; found != nil {
		return found, nil
	}
	if id == "" || len(id) > maxClientID {
		return nil, store.ErrNotFound
	}
	r.mu.Lock()
	hit, ok := r.cached[id]
	r.mu.Unlock()
	if !ok || r.now().After(hit.until) {
		found, err := r.store.ClientByID(ctx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		hit = entry{found, r.now().Add(cacheFor)}
		r.remember(id, hit)
	}
	if hit.client == nil {
		return nil, store.ErrNotFound
	}
	return hit.client, nil
}

// remember bounds the cache by emptying it: it lives for a second anyway.
func (r *Registry) remember(id string, hit entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cached) >= cacheMax {
		clear(r.cached)
	}
	r.cached[id] = hit
}
