package backchannel

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/store"
)

// names are so many client ids.
func names(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("site-%02d", i))
	}
	return all
}

// fill takes all slots of a crowd, as if each had a request that does not end.
func fill(p *pools) {
	for _, s := range []slots{p.first, p.more, p.slow} {
		for range cap(s) {
			s <- struct{}{}
		}
	}
}

// stands tests how a relying party stands with a node.
func (w *world) stands(id string, slow bool) {
	w.t.Helper()
	if got := w.isSlow(id); got != slow {
		w.t.Errorf("%s counts as slow: %v, want %v", id, got, slow)
	}
}

// Many that leave us waiting have one request each, and the others are told at
// once; another node repeats none of it.
func TestHoleSlowRelyingPartiesDelayNobody(t *testing.T) {
	w := newWorld(t)
	other := w.node()
	const many = 96
	held, quick := w.site("site-00", "ES256"), w.site("quick", "ES256")
	held.held = make(chan struct{})
	w.also("site-00", names(many)...)
	w.ended(names(many)...)
	w.ended(names(many)...)
	must(t, w.round(t.Context()))
	for range many {
		<-held.got // they hang
	}
	for range 8 {
		w.ended("quick")
		must(t, w.round(t.Context()))
		<-quick.got
	}
	if n := held.hits.Load(); n != many {
		t.Errorf("%d requests to those who do not answer, want %d", n, many)
	}
	must(t, other.round(t.Context()))
	close(held.held)
	w.busy.Wait()
	other.busy.Wait()
	if n := held.hits.Load(); n != 2*many || quick.hits.Load() != 8 {
		t.Errorf("told %d and %d times, want %d and 8", n, quick.hits.Load(), 2*many)
	}
}

// What strangers hold is nothing of ours, nor the other way round.
func TestHoleStrangersUseUpNothingOfOurs(t *testing.T) {
	for waits, told := range map[string]string{"stranger": "wiki", "wiki": "stranger"} {
		t.Run(told+" is told", func(t *testing.T) {
			w := newWorld(t)
			w.site("wiki", "ES256")
			w.site("stranger", "ES256")
			w.clients["stranger"].Registered = true // and so is not asked, on this machine
			if waits == "wiki" {
				fill(&w.ours)
			} else {
				fill(&w.strangers)
			}
			const sessions = 3 * perClient
			for range sessions {
				w.ended("wiki", "stranger")
			}
			results := make(chan string, sessions)
			w.Count = func(result string) { results <- result }
			ctx, stop := context.WithCancel(t.Context())
			must(t, w.round(ctx))
			for range sessions {
				if r := <-results; (r == store.LogoutDelivered) != (told == "wiki") {
					t.Error(r)
				}
			}
			due, err := w.Store.DueLogouts(t.Context())
			must(t, err)
			if d := cmp.Diff([]string{waits}, due); d != "" {
				t.Error(d)
			}
			stop()
			w.busy.Wait()
		})
	}
}

// One that does not answer, or late, queues with its like until it answers quickly.
func TestWhoAnswersSlowlyQueuesWithItsLike(t *testing.T) {
	w := newWorld(t)
	w.ours = newPools(1, perClient, 1)
	s, quick := w.site("site-00", "ES256"), w.site("wiki", "ES256")
	w.also("site-00", names(3)...)
	s.answer.Store(http.StatusServiceUnavailable)
	w.ended(names(2)...)
	w.deliver()
	s.answer.Store(http.StatusOK)
	s.asked = func() { w.pass(quickAnswer + time.Millisecond) }
	w.ended("site-02")
	w.deliver()
	for _, id := range names(3) {
		w.stands(id, true)
	}
	for range 3 {
		<-s.got
	}

	s.asked, s.held = nil, make(chan struct{})
	w.pass(time.Minute)
	w.ended(names(3)...)
	must(t, w.round(t.Context()))
	<-s.got
	for range 3 * perClient {
		w.ended("wiki")
	}
	must(t, w.round(t.Context()))
	for range 3 * perClient {
		<-quick.got
	}
	if n := s.hits.Load(); n != 4 {
		t.Errorf("%d requests to those who were slow, want one at a time", n-3)
	}
	close(s.held)
	w.busy.Wait()
	for _, id := range names(3) {
		w.stands(id, false)
	}
}

// One that answers quickly has more requests at once, if there is room.
func TestManyLogoutsAreDeliveredAtOnce(t *testing.T) {
	w := newWorld(t)
	s := w.site("wiki", "ES256")
	w.ended("wiki")
	w.deliver()
	<-s.got
	s.held = make(chan struct{})
	for range 3 * perClient {
		w.ended("wiki")
	}
	must(t, w.round(t.Context()))
	<-s.got
	s.held <- struct{}{}
	for range perClient {
		<-s.got
	}
	if n := s.hits.Load(); n != 2+perClient || len(w.ours.more) != perClient-1 || len(w.ours.first) != 1 {
		t.Errorf("%d requests, %d and %d slots", n, len(w.ours.first), len(w.ours.more))
	}
	close(s.held)
	w.busy.Wait()
	if n := s.hits.Load(); n != 1+3*perClient || len(w.ours.more) != 0 || len(w.ours.first) != 0 {
		t.Errorf("told %d times, %d and %d slots are held", n, len(w.ours.first), len(w.ours.more))
	}
}

func TestARelyingPartyInTroubleHasOneRequestUnderWay(t *testing.T) {
	w := newWorld(t)
	s := w.site("wiki", "ES256")
	s.answer.Store(http.StatusServiceUnavailable)
	for range 3 * perClient {
		w.ended("wiki")
	}
	s.asked = func() {
		if n := len(w.ours.first) + len(w.ours.more) + len(w.ours.slow); n != 1 {
			t.Errorf("%d requests at once", n)
		}
	}
	w.deliver()
	if n := s.hits.Load(); n != 3*perClient {
		t.Errorf("asked %d times", n)
	}
}

// No delivery is anybody's that is not under way: its lease begins with the attempt.
func TestALeaseBeginsWithTheAttempt(t *testing.T) {
	for name, answer := range map[string]int64{"well": http.StatusOK, "in trouble": http.StatusServiceUnavailable} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			one := make(slots, 1)
			w.ours = pools{first: one, slow: one}
			s := w.site("site-00", "ES256")
			s.answer.Store(answer)
			w.also("site-00", names(8)...)
			w.ended(names(8)...)
			w.ended(names(8)...)
			s.asked = func() {
				taken := 0
				for _, id := range names(8) {
					list, err := w.Store.LogoutDeliveries(context.Background(), id, 0)
					if err != nil {
						t.Error(err)
					}
					for _, d := range list {
						if d.Attempts == 0 || d.Result != "" { // not yet, or no more
							continue
						}
						if taken++; d.NextAt-w.Store.Now() != lease.Milliseconds() {
							t.Errorf("the lease lasts %d ms", d.NextAt-w.Store.Now())
						}
					}
				}
				if taken > 1 {
					t.Errorf("%d deliveries are taken, 1 is under way", taken)
				}
				w.pass(5 * time.Second) // others wait beyond every lease
			}
			w.deliver()
			if n := s.hits.Load(); n < 16 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
