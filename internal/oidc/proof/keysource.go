package proof

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	freshFor   = 5 * time.Minute  // keys are used without asking again
	staleFor   = time.Hour        // keys are used while their URL fails
	askedAgain = time.Minute      // at most, while there are keys to go on with
	retried    = 10 * time.Second // at most, without any
	fetchFor   = 10 * time.Second // a fetch may take; the fetcher's own limit is shorter
	maxSources = 1000             // clients whose keys are kept
)

// ErrNoKeys means that the keys of a client cannot be had now; what it wraps is
// for the log and the admin.
var ErrNoKeys = errors.New("the keys of the client are not available")

// KeySource finds the keys of clients that registered them by value or by URL.
//
// What a URL gave is used for five minutes; a kid that is not in it makes us ask
// again, once a minute at most. While a URL fails, its last keys are used for up
// to an hour, so that a relying party's restart ends no logins. A key that takes
// the place of another under the same kid, or under none, is seen after the five
// minutes. Each URL is asked by one request at a time, and those that wait for it
// are of its client. Safe for concurrent use.
type KeySource struct {
	fetch  func(ctx context.Context, url string) ([]byte, error)
	flight singleflight.Group

	mu     sync.Mutex
	values map[string]*Keys  // by the JWKS
	urls   map[string]remote // by jwks_uri
}

// remote is what is known of a jwks_uri.
type remote struct {
	keys    *Keys // nil: there were none yet
	fetched time.Time
	tried   time.Time
	err     error // of the last try
}

// NewKeySource makes a KeySource. fetch gets a document, judges whether the URL
// may be asked, and bounds size and time.
func NewKeySource(fetch func(ctx context.Context, url string) ([]byte, error)) *KeySource {
	return &KeySource{fetch: fetch, values: map[string]*Keys{}, urls: map[string]remote{}}
}

// Of returns the Finder of a client by its registered jwks or, without one, its
// jwks_uri. Its errors are ErrNoKeys, or the context's.
func (s *KeySource) Of(jwks, jwksURI string) Finder {
	return func(ctx context.Context, kid, alg string) ([]*Key, error) {
		if jwks != "" {
			keys, err := s.byValue(jwks)
			if err != nil {
				return nil, err
			}
			return keys.Find(ctx, kid, alg)
		}
		if jwksURI == "" {
			return nil, fmt.Errorf("%w: it registered neither jwks nor jwks_uri", ErrNoKeys)
		}
		return s.byURL(ctx, jwksURI, kid, alg)
	}
}

// byValue parses each JWKS once. The cache is bounded by emptying it.
func (s *KeySource) byValue(jwks string) (*Keys, error) {
	s.mu.Lock()
	keys := s.values[jwks]
	s.mu.Unlock()
	if keys != nil {
		return keys, nil
	}
	keys, err := ParseKeys([]byte(jwks))
	if err != nil {
		return nil, fmt.Errorf("%w: jwks: %w", ErrNoKeys, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.values) >= maxSources {
		clear(s.values)
	}
	s.values[jwks] = keys
	return keys, nil
}

func (s *KeySource) byURL(ctx context.Context, url, kid, alg string) ([]*Key, error) {
	if r := s.remote(url); r.usable(time.Now(), freshFor) {
		if found, _ := r.keys.Find(ctx, kid, alg); len(found) > 0 {
			return found, nil
		}
	}
	r, err := s.renew(ctx, url)
	if err != nil {
		return nil, err
	}
	if !r.usable(time.Now(), staleFor) {
		return nil, fmt.Errorf("%w: jwks_uri: %w", ErrNoKeys, r.err)
	}
	return r.keys.Find(ctx, kid, alg)
}

func (r remote) usable(now time.Time, life time.Duration) bool {
	return r.keys != nil && now.Sub(r.fetched) < life
}

// due reports whether the URL may be asked again.
func (r remote) due(now time.Time) bool {
	pause := retried
	if r.usable(now, staleFor) {
		pause = askedAgain
	}
	return now.Sub(r.tried) >= pause
}

func (s *KeySource) remote(url string) remote {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.urls[url]
}

// renew asks the URL if it is due; whoever wants to at the same time gets the same
// answer. The fetch goes on when the request that began it is given up. Its only
// error is the context's.
func (s *KeySource) renew(ctx context.Context, url string) (remote, error) {
	done := s.flight.DoChan(url, func() (any, error) {
		r := s.remote(url)
		if !r.due(time.Now()) {
			return r, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchFor)
		defer cancel()
		r.tried = time.Now()
		keys, err := s.get(ctx, url)
		if r.err = err; err == nil {
			r.keys, r.fetched = keys, time.Now()
		}
		s.keep(url, r)
		return r, nil
	})
	select {
	case <-ctx.Done():
		return remote{}, ctx.Err()
	case result := <-done:
		return result.Val.(remote), nil //nolint:forcetypeassert // as made above
	}
}

func (s *KeySource) get(ctx context.Context, url string) (*Keys, error) {
	raw, err := s.fetch(ctx, url)
	if err != nil {
		return nil, err
	}
	return ParseKeys(raw)
}

// keep bounds the cache: the URL that was asked longest ago goes.
func (s *KeySource) keep(url string, r remote) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.urls[url]; !known && len(s.urls) >= maxSources {
		oldest := ""
		for u, other := range s.urls {
			if oldest == "" || other.tried.Before(s.urls[oldest].tried) {
				oldest = u
			}
		}
		delete(s.urls, oldest)
	}
	s.urls[url] = r
}
