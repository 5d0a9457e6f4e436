package forwardauth

import (
	"sync"
	"time"
)

// maxKept bounds each kept; beyond it all is forgotten, and found anew.
const maxKept = 8192

// kept remembers what is costly to find, each until its time. Safe for concurrent use.
type kept[K comparable, V any] struct {
	mu    sync.Mutex
	found map[K]keptUntil[V]
}

type keptUntil[V any] struct {
	value V
	until time.Time
}

func (k *kept[K, V]) get(key K, now time.Time) (value V, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f, ok := k.found[key]; ok && now.Before(f.until) {
		return f.value, true
	}
	return value, false
}

func (k *kept[K, V]) put(key K, value V, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.found == nil || len(k.found) >= maxKept {
		k.found = map[K]keptUntil[V]{}
	}
	k.found[key] = keptUntil[V]{value, until}
}
