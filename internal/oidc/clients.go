package oidc

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"idp/internal/store"
	"idp/internal/web"
)

const (
	clientCacheFor = time.Second // how long a change of the database may go unnoticed
	clientCacheMax = 1000
	maxClientID    = 255
)

// Clients finds relying parties: those of the configuration file and, behind
// them, those of the database. Safe for concurrent use.
type Clients struct {
	file  map[string]*store.Client
	store *store.Store
	now   func() time.Time

	mu     sync.Mutex
	cached map[string]cachedClient
}

type cachedClient struct {
	client *store.Client // nil: there is none
	until  time.Time
}

// NewClients makes Clients; file holds the relying parties that the file owns.
func NewClients(file []store.Client, st *store.Store) *Clients {
	c := &Clients{file: map[string]*store.Client{}, store: st, now: time.Now, cached: map[string]cachedClient{}}
	for i := range file {
		c.file[file[i].ClientID] = &file[i]
	}
	return c
}

// ByID returns a relying party, not to be changed; store.ErrNotFound when there
// is none. A change of the database is seen within a second.
func (c *Clients) ByID(ctx context.Context, id string) (*store.Client, error) {
	if found := c.file[id]; found != nil {
		return found, nil
	}
	if id == "" || len(id) > maxClientID {
		return nil, store.ErrNotFound
	}
	c.mu.Lock()
	hit, ok := c.cached[id]
	c.mu.Unlock()
	if !ok || c.now().After(hit.until) {
		found, err := c.store.ClientByID(ctx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		hit = cachedClient{found, c.now().Add(clientCacheFor)}
		c.remember(id, hit)
	}
	if hit.client == nil {
		return nil, store.ErrNotFound
	}
	return hit.client, nil
}

// remember bounds the cache by emptying it: it lives for a second anyway.
func (c *Clients) remember(id string, hit cachedClient) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.cached) >= clientCacheMax {
		clear(c.cached)
	}
	c.cached[id] = hit
}

// Site shows the client of an id on a page: its name, and the host it is at. Nil
// when there is none.
func (c *Clients) Site(ctx context.Context, id string) *web.Site {
	if id == "" {
		return nil
	}
	client, err := c.ByID(ctx, id)
	if err != nil {
		return nil
	}
	return site(client)
}

func site(c *store.Client) *web.Site {
	s := &web.Site{Name: c.ClientName}
	if s.Name == "" {
		s.Name = c.ClientID
	}
	if len(c.RedirectURIs) > 0 {
		if u, err := url.Parse(c.RedirectURIs[0]); err == nil {
			s.Host = u.Host
		}
	}
	return s
}
