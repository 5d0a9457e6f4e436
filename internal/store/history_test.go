package store_test

import (
	"fmt"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/store"
)

// Failed logins with a name are its user's, and a flood of them hides nothing.
func TestHoleAFloodHidesNoLogin(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u, bob := t.Context(), w.user("alice"), w.user("bob")
		w.login(u) // too long ago
		w.pass(31 * 24 * time.Hour)
		w.login(u)
		for i := range 300 {
			must(t, w.Audit(ctx, store.Entry{Event: audit.LoginFailed, Name: "alice", Address: fmt.Sprintf("192.0.2.%d", i%2), Agent: "Firefox"}))
			w.pass(time.Second)
		}
		must(t, w.Audit(ctx, store.Entry{Event: audit.LoginFailed, Name: "nobody", Address: "192.0.2.9"}))
		w.login(bob)
		must(t, w.Audit(ctx, store.Entry{Event: audit.LogoutDelivered, UserID: u.ID}))
		h, err := w.ReadHistory(ctx, store.HistoryPage{UserID: u.ID, Since: w.Now() - (30 * 24 * time.Hour).Milliseconds(), Limit: 50})
		must(t, err)
		if len(h.Done) != 1 || h.Done[0].Event != audit.Login || h.Older != "" {
			t.Errorf("%+v", h.Done)
		}
		if len(h.Attempts) != 2 || h.Attempts[0].Count != 150 || h.Attempts[0].Address != "192.0.2.1" || h.Attempts[0].Agent != "Firefox" || h.Attempts[0].At <= h.Attempts[1].At {
			t.Errorf("%+v", h.Attempts)
		}
		if h, err = w.ReadHistory(ctx, store.HistoryPage{UserID: bob.ID, Limit: 50}); err != nil || len(h.Attempts) != 0 || len(h.Done) != 2 {
			t.Errorf("bob: %+v %v", h, err)
		}
	})
}

// A page goes on where the one before ended, attempts between its entries included.
func TestHistoryIsPaged(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, u := t.Context(), w.user("alice")
		for range 5 {
			w.login(u)
			w.pass(25 * time.Hour)
			must(t, w.Audit(ctx, store.Entry{Event: audit.LoginFailed, Name: "alice", Address: "192.0.2.1"}))
			w.pass(time.Hour)
		}
		var done, attempts, pages int
		for before := ""; ; pages++ {
			h, err := w.ReadHistory(ctx, store.HistoryPage{UserID: u.ID, Before: before, Limit: 2})
			must(t, err)
			done, attempts = done+len(h.Done), attempts+len(h.Attempts)
			if before = h.Older; before == "" {
				break
			}
		}
		if done != 6 || attempts != 5 || pages != 2 { // user_added is the sixth
			t.Errorf("%d entries and %d attempts on %d pages before the last", done, attempts, pages)
		}
	})
}
