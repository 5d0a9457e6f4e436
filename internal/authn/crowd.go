package authn

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"idp/internal/reason"
)

// crowd bounds how many passwords are being checked, or wait for it: altogether, so
// that a flood costs neither the memory nor everybody's patience; of one network, so
// that it takes no more than half of the places; and of one account. Whoever finds no
// place is told so at once, and that the password was not looked at.
type crowd struct {
	places, perNetwork int

	mu     sync.Mutex
	inside int
	by     map[string]int // networks and accounts, those that are inside
	took   time.Duration  // of the last check
	at     time.Time      // when it was over
}

// perAccount: three guesses at an account are made at a time, and some wait.
const perAccount = 32

// A local password is hashed in some 30 ms: 64 of them for each processor take two
// seconds, which is what people wait for. For a KDC one waits, but no processor does.
const (
	waitingPerProcessor = 64
	leastPlaces         = 128
	placesAtKDC         = 512
)

func newHashing() crowd {
	n := max(leastPlaces, waitingPerProcessor*runtime.GOMAXPROCS(0))
	return crowd{places: n, perNetwork: n / 2}
}

func newAsking() crowd { return crowd{places: placesAtKDC, perNetwork: placesAtKDC / 2} }

// enter takes a place for an account from a network; leave gives it back. The error is
// a *reason.Error.
func (c *crowd) enter(account, network string) (leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ofAccount, ofNetwork := "account "+account, "network "+network
	switch {
	case c.inside >= c.places:
		return nil, reason.Refuse(reason.Busy, fmt.Sprintf("%d passwords are being checked", c.inside))
	case c.by[ofNetwork] >= c.perNetwork:
		return nil, reason.Refuse(reason.Busy, fmt.Sprintf("%d passwords from %s are being checked", c.perNetwork, network))
	case c.by[ofAccount] >= perAccount:
		return nil, reason.Refuse(reason.Busy, fmt.Sprintf("%d passwords of %s are being checked", perAccount, account))
	}
	if c.by == nil {
		c.by = map[string]int{}
	}
	c.inside++
	c.by[ofAccount]++
	c.by[ofNetwork]++
	return func() { c.leave(ofAccount, ofNetwork) }, nil
}

func (c *crowd) leave(keys ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inside--
	for _, key := range keys {
		if c.by[key]--; c.by[key] == 0 {
			delete(c.by, key)
		}
	}
}

// checked notes when a check began that is over now.
func (c *crowd) checked(start time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = time.Now()
	c.took = c.at.Sub(start)
}

// lately is how long the last check took, while that says something of now.
func (c *crowd) lately() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) > time.Second {
		return 0
	}
	return c.took
}
