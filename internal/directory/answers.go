package directory

import (
	"sync"
	"time"
)

// keptMost bounds the answers that are kept: a few hundred bytes each.
const keptMost = 20000

// answers are kept for a while. Safe for concurrent use.
type answers struct {
	mu   sync.Mutex
	kept map[Account]answer
}

type answer struct {
	person *Person // not to be changed
	err    error
	until  time.Time
}

func (c *answers) get(a Account, now time.Time) (*Person, error, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	got, ok := c.kept[a]
	if !ok || !now.Before(got.until) {
		return nil, nil, false
	}
	return got.person, got.err, true
}

// put keeps an answer. When all places are taken, those whose time is over go, or
// else one of the others.
func (c *answers) put(a Account, p *Person, err error, asked time.Time, keep time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[Account]answer{}
	}
	if len(c.kept) >= keptMost {
		c.makeRoom(asked)
	}
	c.kept[a] = answer{p, err, asked.Add(keep)}
}

func (c *answers) makeRoom(now time.Time) {
	for a, got := range c.kept {
		if !now.Before(got.until) {
			delete(c.kept, a)
		}
	}
	for a := range c.kept {
		if len(c.kept) < keptMost*9/10 {
			return
		}
		delete(c.kept, a)
	}
}
