package store_test

import (
	"testing"
	"time"

	"idp/internal/store"
)

// BenchmarkEndSession is the end of a session that visited three relying parties.
func BenchmarkEndSession(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		u := w.user("alice")
		all := make([]store.Session, b.N)
		for i := range all {
			all[i] = w.login(u)
			w.visit(all[i], "wiki", "mail", "tickets")
		}
		return func(i int) error { return w.EndSession(b.Context(), all[i].ID, store.Entry{}) }
	})
}

// backlog is how many sessions have ended, or are to be.
const backlog = 2000

// BenchmarkSweepSessions ends all sessions of a backlog, whose time is over at
// once; each visited three relying parties.
func BenchmarkSweepSessions(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		u := w.user("alice")
		return func(int) error {
			b.StopTimer()
			for range backlog {
				w.visit(w.login(u), "wiki", "mail", "tickets")
			}
			w.pass(100 * time.Hour)
			b.StartTimer()
			_, err := w.Sweep(b.Context())
			return err
		}
	})
}

// behind makes a backlog of which a relying party was not told.
func (w *world) behind() {
	u := w.user("alice")
	for range backlog {
		w.visit(w.login(u), "wiki")
	}
	w.pass(100 * time.Hour)
	_, err := w.Sweep(w.t.Context())
	must(w.t, err)
}

func BenchmarkDueLogouts(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		w.behind()
		return func(int) error {
			_, err := w.DueLogouts(b.Context())
			return err
		}
	})
}

// BenchmarkClaimLogouts claims for no time, so that the backlog stays.
func BenchmarkClaimLogouts(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		w.behind()
		return func(int) error {
			_, err := w.ClaimLogouts(b.Context(), "wiki", 8, 0)
			return err
		}
	})
}
