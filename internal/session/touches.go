package session

import (
	"sync"
	"time"
)

// maxTouches bounds how many sessions are remembered as touched; they are forgotten all
// at once then, at the price of a few writes more.
const maxTouches = 10_000

// touches remembers when this node last moved the idle limit of a session: whoever
// brings a row that was read a moment ago (a protected site, a thousand times a second)
// does not write it each time. Safe for concurrent use.
type touches struct {
	mu   sync.Mutex
	last map[string]time.Time // by sid
}

// due reports whether a session that was seen at a time has to be touched now, and
// counts it as touched.
func (t *touches) due(id string, seen, now time.Time, every time.Duration) bool {
	if now.Sub(seen) <= every {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.last[id]; ok && now.Sub(last) <= every {
		return false
	}
	if t.last == nil || len(t.last) >= maxTouches {
		t.last = map[string]time.Time{}
	}
	t.last[id] = now
	return true
}
