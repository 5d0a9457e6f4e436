package store_test

import (
	"testing"
	"time"

	"idp/internal/store"
)

// An address, and a network, has no more rows than what it takes to be refused, and
// going on makes none of them last longer.
func TestWrongPasswordsAreBounded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		from := func(network string) store.Origin {
			return store.Origin{Network: network, Limit: 3, Wide: "2001:db8::/48", WideLimit: 5}
		}
		state := func(network string) store.GuessState {
			t.Helper()
			got, err := w.Take(t.Context(), store.Guess{Name: "n" + network, Hash: []byte("x"), Limit: 1, From: from(network)}, time.Millisecond, w.Now())
			must(t, err)
			w.pass(time.Millisecond)
			return got.State
		}
		wrong := func(network string, n int) {
			t.Helper()
			for i := range n {
				_, err := w.WrongPassword(t.Context(), from(network), []byte{network[0], byte(i)}, w.in(time.Minute), w.Now())
				must(t, err)
			}
		}
		wrong("a", 2)
		wrong("a", 2)
		if got := state("a"); got != store.GuessTaken {
			t.Errorf("after two that came twice: %d", got)
		}
		wrong("a", 9)
		if got := state("a"); got != store.GuessFromFull {
			t.Errorf("after three: %d", got)
		}
		wrong("b", 9)
		if got := state("c"); got != store.GuessFromFull {
			t.Errorf("after five of the network around: %d", got)
		}
		wrong("c", 9)
		w.pass(time.Minute)
		if n, err := w.Sweep(t.Context()); err != nil || n != 5+1 { // and the guess
			t.Errorf("%d rows were kept (%v), want 5 and a guess", n, err)
		}
		if got := state("a"); got != store.GuessTaken {
			t.Errorf("a minute later: %d", got)
		}
	})
}
