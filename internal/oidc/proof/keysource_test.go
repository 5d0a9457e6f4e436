package proof

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// site answers for the jwks_uri of clients.
type site struct {
	t     *testing.T
	mu    sync.Mutex
	body  map[string]string // by URL; none: it fails
	asked atomic.Int64
	gate  chan struct{} // a fetch of a slow URL waits for it
}

const keysURL = "https://wiki.example.com/jwks"

var errDown = errors.New("the connection is refused")

func (s *site) fetch(ctx context.Context, url string) ([]byte, error) {
	s.asked.Add(1)
	if strings.Contains(url, "slow") {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if body := s.body[url]; body != "" {
		return []byte(body), nil
	}
	return nil, errDown
}

// serve publishes one key under each kid, the same one.
func (s *site) serve(url string, kids ...string) {
	var list []any
	for _, kid := range kids {
		list = append(list, jwk(s.t, private()[ES256], fields{"kid": kid}))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body[url] = ""
	if len(kids) > 0 {
		s.body[url] = marshal(s.t, fields{"keys": list})
	}
}

// inBubble runs test with a clock of its own.
func inBubble(t *testing.T, test func(*testing.T, *site, *KeySource)) {
	t.Helper()
	private() // made outside: it takes a while
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, body: map[string]string{}, gate: make(chan struct{})}
		test(t, s, NewKeySource(s.fetch))
	})
}

// expect asks for a kid and demands how many keys are found and how often the site
// was asked in all. found -1: ErrNoKeys.
func (s *site) expect(source *KeySource, kid string, found int, asked int64) {
	s.t.Helper()
	keys, err := source.Of("", keysURL)(context.Background(), kid, ES256)
	switch {
	case found >= 0 && (err != nil || len(keys) != found):
		s.t.Errorf("kid %q: %d keys, %v, want %d", kid, len(keys), err, found)
	case found < 0 && !errors.Is(err, ErrNoKeys):
		s.t.Errorf("kid %q: %d keys, %v, want ErrNoKeys", kid, len(keys), err)
	}
	if s.asked.Load() != asked {
		s.t.Errorf("kid %q: asked %d times, want %d", kid, s.asked.Load(), asked)
	}
}

func TestKeysAreFetchedEveryFiveMinutes(t *testing.T) {
	inBubble(t, func(_ *testing.T, s *site, source *KeySource) {
		s.serve(keysURL, "a")
		s.expect(source, "a", 1, 1)
		time.Sleep(freshFor - time.Millisecond)
		s.expect(source, "a", 1, 1)
		time.Sleep(time.Millisecond)
		s.serve(keysURL, "b") // a was taken back
		s.expect(source, "a", 0, 2)
		s.expect(source, "b", 1, 2)
	})
}

func TestAnUnknownKidIsAskedForOnceAMinute(t *testing.T) {
	inBubble(t, func(_ *testing.T, s *site, source *KeySource) {
		s.serve(keysURL, "a")
		s.expect(source, "a", 1, 1)
		s.serve(keysURL, "a", "b")
		for range 100 {
			s.expect(source, "b", 0, 1) // somebody may just be making them up
		}
		time.Sleep(askedAgain)
		s.expect(source, "a", 1, 1)
		s.expect(source, "b", 1, 2)
		for range 100 {
			s.expect(source, "c", 0, 2)
		}
	})
}

func TestStaleKeysServeWhileTheirURLFails(t *testing.T) {
	inBubble(t, func(_ *testing.T, s *site, source *KeySource) {
		s.serve(keysURL, "a")
		s.expect(source, "a", 1, 1)
		s.serve(keysURL)
		time.Sleep(freshFor)
		s.expect(source, "a", 1, 2)
		s.expect(source, "a", 1, 2) // not asked again for each request
		time.Sleep(askedAgain)
		s.expect(source, "a", 1, 3)
		time.Sleep(staleFor - freshFor - askedAgain - time.Millisecond)
		s.expect(source, "a", 1, 4)
		time.Sleep(time.Millisecond)
		s.expect(source, "a", -1, 4)
		time.Sleep(retried)
		s.serve(keysURL, "a")
		s.expect(source, "a", 1, 5)
	})
}

func TestAURLThatNeverWorkedIsTriedAgainSoon(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site, source *KeySource) {
		s.expect(source, "a", -1, 1)
		s.expect(source, "a", -1, 1)
		if _, err := source.Of("", keysURL)(t.Context(), "a", ES256); !errors.Is(err, errDown) {
			t.Errorf("%v does not say why", err)
		}
		s.mu.Lock()
		s.body[keysURL] = `{"keys":[]}` // an answer, and of no use
		s.mu.Unlock()
		time.Sleep(retried)
		s.expect(source, "a", -1, 2)
		s.serve(keysURL, "a")
		time.Sleep(retried)
		s.expect(source, "a", 1, 3)
	})
}

// TestOneRequestAsksForAll: 64 wait for one fetch; whoever gives up does not end it
// for the others.
func TestOneRequestAsksForAll(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site, source *KeySource) {
		const url = "https://slow.example.com/jwks"
		s.serve(url, "a")
		first, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := source.Of("", url)(first, "a", ES256)
			gone <- err
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		for range 63 {
			wg.Go(func() {
				if keys, err := source.Of("", url)(t.Context(), "a", ES256); err != nil || len(keys) != 1 {
					t.Errorf("%d keys, %v", len(keys), err)
				}
			})
		}
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the one that gave up: %v", err)
		}
		close(s.gate)
		wg.Wait()
		if s.asked.Load() != 1 {
			t.Errorf("asked %d times", s.asked.Load())
		}
	})
}

// TestASlowURLHurtsItsOwnClient: the others are answered meanwhile, and its own
// requests in the end.
func TestASlowURLHurtsItsOwnClient(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site, source *KeySource) {
		waiting := make(chan error, 1)
		go func() {
			_, err := source.Of("", "https://slow.example.com/jwks")(t.Context(), "a", ES256)
			waiting <- err
		}()
		synctest.Wait()
		s.serve(keysURL, "a")
		s.expect(source, "a", 1, 2)
		if err := <-waiting; !errors.Is(err, ErrNoKeys) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want ErrNoKeys for a deadline", err)
		}
	})
}

func TestKeysByValue(t *testing.T) {
	source := NewKeySource(func(context.Context, string) ([]byte, error) { panic("a value is not fetched") })
	set := marshal(t, fields{"keys": []any{jwk(t, private()[ES256], fields{"kid": "a"})}})
	for range 2 {
		if keys, err := source.Of(set, keysURL)(t.Context(), "a", ES256); err != nil || len(keys) != 1 {
			t.Errorf("%d keys, %v", len(keys), err)
		}
	}
	if _, err := source.Of("", "")(t.Context(), "a", ES256); !errors.Is(err, ErrNoKeys) {
		t.Errorf("a client without keys: %v", err)
	}
}

// TestHowMuchAKeySourceKeeps: a thousand clients of each kind, and those asked last.
func TestHowMuchAKeySourceKeeps(t *testing.T) {
	inBubble(t, func(t *testing.T, s *site, source *KeySource) {
		for n := range maxSources + 10 {
			url := fmt.Sprintf("https://%d.example.com/jwks", n)
			s.serve(url, "a")
			set := fmt.Sprintf(`{"n":%d,%s`, n, s.body[url][1:])
			for _, find := range []Finder{source.Of("", url), source.Of(set, "")} {
				if keys, err := find(t.Context(), "a", ES256); err != nil || len(keys) != 1 {
					t.Fatalf("%d: %d keys, %v", n, len(keys), err)
				}
			}
			time.Sleep(time.Millisecond)
		}
		if len(source.urls) != maxSources || len(source.values) > maxSources {
			t.Errorf("%d URLs and %d values are kept", len(source.urls), len(source.values))
		}
		if _, kept := source.urls["https://0.example.com/jwks"]; kept {
			t.Error("the oldest is kept")
		}
	})
}
