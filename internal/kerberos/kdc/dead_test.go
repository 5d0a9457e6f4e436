package kdc

import (
	"context"
	"strings"
	"testing"
	"time"

	"idp/internal/kerberos/krbtest"
	"idp/internal/reason"
)

// TestHoleKDCCallsWaitForTheDead: who asks after somebody has asked in vain does not wait
// as long, and hears a KDC that is there again at once.
func TestHoleKDCCallsWaitForTheDead(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	c, live := newClient(r), r.Addr
	dead, other := krbtest.DeadKDC(t), krbtest.DeadKDC(t)
	r.UseKDCs(t, "", dead, other)
	first, cancel := context.WithTimeout(t.Context(), 2*quietAfter)
	defer cancel()
	_, err := c.Login(first, someone, krbtest.AlicePassword)
	if reasonOf(t, err) != reason.Unreachable || first.Err() == nil {
		t.Fatalf("%v; want no answer until the deadline", err)
	}
	for _, way := range []string{"udp " + dead + ": no answer", "tcp " + dead + ": no answer", "udp " + other + ": no answer", "tcp " + other + ": no answer"} {
		if !strings.Contains(err.Error(), way) {
			t.Errorf("the error does not tell of %q: %v", way, err)
		}
	}
	patient, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err = c.Login(patient, someone, krbtest.AlicePassword); reasonOf(t, err) != reason.Unreachable || patient.Err() != nil {
		t.Errorf("the next one waits as long as it may: %v", err)
	}
	r.UseKDCs(t, "", dead, other, live)
	if _, err = c.Login(patient, someone, krbtest.AlicePassword); err != nil {
		t.Errorf("with one that lives: %v", err)
	}
	if c.last.isQuiet(r.Name) {
		t.Error("the realm has answered, and is taken to be dead")
	}
}

// TestHoleWhoGoesAwayMovesOthersToTheDead: whoever asks and goes away at once, again and
// again, does not have everybody else begin with a KDC that is dead.
func TestHoleWhoGoesAwayMovesOthersToTheDead(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	asked := make(chan bool, 1)
	busy := krbtest.FakeKDC(t, func([]byte) []byte {
		asked <- true
		return nil
	})
	r.UseKDCs(t, "udp_preference_limit = 1", busy, krbtest.DeadKDC(t))
	c := newClient(r)
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-asked
			cancel()
		}()
		if _, err := c.Exchange(ctx, r.Name, []byte("a request"), time.Hour); err == nil {
			t.Error("an answer")
		}
		cancel()
		if ways, err := c.endpoints(t.Context(), r.Name, usualRequest); err != nil || ways[0].addr != busy {
			t.Fatalf("who comes next begins with %v, %v; want %s", ways, err, busy)
		}
	}
}

// TestManyDeadKDCs: whoever does not wait until all were asked is no reason that the last
// are never asked.
func TestManyDeadKDCs(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	kdcs := []string{}
	for range 7 {
		kdcs = append(kdcs, krbtest.DeadKDC(t))
	}
	r.UseKDCs(t, "udp_preference_limit = 1", append(kdcs, r.Addr)...)
	c := newClient(r)
	for range 50 { // each asks at least one that was not asked before
		ctx, cancel := context.WithTimeout(t.Context(), 2*HedgeAfter+HedgeAfter/2)
		_, err := c.Login(ctx, someone, krbtest.AlicePassword)
		cancel()
		if err == nil {
			return
		}
	}
	t.Error("the one that lives was never asked")
}
