package main

import (
	"crypto/rand"
	"maps"
	"sync"
	"time"
)

// memory keeps values under random keys for a limited time: the sessions of the
// site, and the logins under way. The browser holds the key in a cookie, and
// nothing else. A site with several nodes keeps the same in its database. It is
// safe for concurrent use.
type memory[T any] struct {
	life  time.Duration
	limit int // values at most; a stranger can start any number of logins
	mu    sync.Mutex
	items map[string]item[T]
}

type item[T any] struct {
	value   T
	expires time.Time
}

func newMemory[T any](life time.Duration, limit int) *memory[T] {
	return &memory[T]{life: life, limit: limit, items: map[string]item[T]{}}
}

// add keeps a value and returns its key.
func (m *memory[T]) add(value T) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.items) >= m.limit {
		m.makeRoom()
	}
	key := randomText()
	m.items[key] = item[T]{value, time.Now().Add(m.life)}
	return key
}

// makeRoom drops what has expired, and when that is nothing, any one value.
func (m *memory[T]) makeRoom() {
	now := time.Now()
	maps.DeleteFunc(m.items, func(_ string, i item[T]) bool { return now.After(i.expires) })
	for key := range m.items {
		if len(m.items) < m.limit {
			return
		}
		delete(m.items, key)
	}
}

func (m *memory[T]) get(key string) (T, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.items[key]
	if !ok || time.Now().After(i.expires) {
		var none T
		return none, false
	}
	return i.value, true
}

// take gets a value and forgets it: a login is finished once.
func (m *memory[T]) take(key string) (T, bool) {
	value, ok := m.get(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	_, still := m.items[key] // else somebody else was faster
	delete(m.items, key)
	return value, ok && still
}

// randomText is 128 random bits or more, as text.
func randomText() string { return rand.Text() }
