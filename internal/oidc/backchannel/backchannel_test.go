package backchannel

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"idp/internal/audit"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

func TestLogoutTokenAsARelyingPartyReadsIt(t *testing.T) {
	w := newWorld(t)
	seen := map[any]bool{}
	for alg, registered := range map[jose.SignatureAlgorithm]string{jose.RS256: "", jose.ES256: "ES256"} {
		id := "wiki-" + string(alg)
		s := w.site(id, registered)
		sess := w.ended(id)
		w.deliver()
		claims := s.verified(alg)
		seen[claims["jti"]] = true
		delete(claims, "jti")
		now := float64(testStart / 1000)
		want := map[string]any{"iss": testIssuer, "aud": id, "sub": sess.UserID, "sid": sess.ID, "iat": now, "exp": now + 120,
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
		if d := cmp.Diff(want, claims); d != "" { // no nonce among them
			t.Error(d)
		}
		if d := w.state(id); d.Result != store.LogoutDelivered || d.DoneAt == 0 || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
		w.deliver()
		if n := s.hits.Load(); n != 1 {
			t.Errorf("told %d times", n)
		}
	}
	if len(seen) != 2 || seen[nil] || seen[""] {
		t.Errorf("jti: %v", seen)
	}
	if w.counts["delivered"] != 2 || strings.Count(w.logged(), "\n") != 2 {
		t.Errorf("counted %v, logged %s", w.counts, w.logged())
	}
}

func TestEveryAnswerIsJudged(t *testing.T) {
	for status, want := range map[int]outcome{
		200: {"delivered", ""}, 204: {"delivered", ""},
		400: {"refused", "it answered 400"}, 401: {"refused", "it answered 401"}, 404: {"refused", "it answered 404"}, 202: {"refused", "it answered 202"},
		302: {"refused", "it answered 302; redirects are not followed"}, 307: {"refused", "it answered 307; redirects are not followed"},
		408: {"delayed", "it answered 408"}, 425: {"delayed", "it answered 425"}, 429: {"delayed", "it answered 429"},
		500: {"delayed", "it answered 500"}, 503: {"delayed", "it answered 503"},
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			w := newWorld(t)
			s := w.site("wiki", "")
			s.answer.Store(int64(status))
			w.ended("wiki")
			w.deliver()
			d := w.state("wiki")
			if got := (outcome{d.Result, d.Reason}); got != want || w.counts[want.result] != 1 || s.hits.Load() != 1 {
				t.Errorf("%d: %+v, want %+v; counted %v", status, got, want, w.counts)
			}
			if done := d.DoneAt != 0; done == (want.result == "delayed") {
				t.Errorf("%d: done %v", status, done)
			}
		})
	}
}

// Retried later each time, with a new token, through the restart of a node, and
// told as soon as the relying party is well again.
func TestARelyingPartyInTroubleIsToldLater(t *testing.T) {
	w := newWorld(t)
	s := w.site("wiki", "ES256")
	s.answer.Store(http.StatusInternalServerError)
	w.ended("wiki")
	w.pass(time.Second)
	w.deliver()
	first := s.verified(jose.ES256)
	for i, after := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 2 * time.Hour} {
		d := w.state("wiki")
		wait := time.Duration(d.NextAt-w.Store.Now()) * time.Millisecond
		if wait < after*4/5 || wait > after*6/5 {
			t.Errorf("attempt %d: the next in %s, want about %s", i+1, wait, after)
		}
		w.pass(wait - time.Millisecond)
		w.deliver()
		if n := s.hits.Load(); n != int64(i+1) {
			t.Fatalf("told before its time: %d times", n)
		}
		w.pass(time.Millisecond)
		w.Backchannel = w.node() // restarted
		w.deliver()
	}
	s.answer.Store(http.StatusOK)
	w.pass(3 * time.Hour)
	w.deliver()
	last := first
	for range 7 {
		last = s.verified(jose.ES256)
	}
	if last["jti"] == first["jti"] || last["iat"].(float64) <= first["exp"].(float64) || last["sid"] != first["sid"] {
		t.Errorf("first %v, last %v", first, last)
	}
	if d := w.state("wiki"); d.Result != "delivered" || d.Attempts != 8 {
		t.Errorf("%+v", d)
	}
	entries, err := w.Store.Entries(t.Context(), store.Filter{Limit: 2})
	must(t, err)
	if entries[0].Event != "logout_delivered" || entries[1].Event != "logout_delayed" || entries[1].Detail != "it answered 500" {
		t.Errorf("audit: %+v", entries)
	}
	if line := strings.Split(w.logged(), "\n")[0]; !strings.Contains(line, "reason=\"it answered 500\"") || !strings.Contains(line, "next_try=") || !strings.Contains(line, "attempt=1") {
		t.Error(line)
	}
}

func TestADeadRelyingPartyIsGivenUpAfterADay(t *testing.T) {
	w := newWorld(t)
	w.site("wiki", "").srv.Close()
	w.ended("wiki")
	for range 40 {
		w.deliver()
		if w.state("wiki").DoneAt != 0 {
			break
		}
		w.pass(time.Hour)
	}
	d := w.state("wiki")
	if day := d.DoneAt - d.CreatedAt; d.Result != "given_up" || d.Reason != "the connection is refused" || day < 20*3600_000 || day > 24*3600_000 {
		t.Errorf("%+v", d)
	}
	if w.counts["given_up"] != 1 || !strings.Contains(w.logged(), "will not be told") || strings.Count(w.logged(), "\n") != 2 {
		t.Errorf("counted %v, logged %s, want the first failure and the end", w.counts, w.logged())
	}
	for event, want := range map[string]int{audit.LogoutDelayed: 1, audit.LogoutGivenUp: 1} {
		if entries, err := w.Store.Entries(t.Context(), store.Filter{Event: event}); err != nil || len(entries) != want {
			t.Errorf("audit: %+v, %v, want %d of %s", entries, err, want, event)
		}
	}
}

// A node that dies between the claim and the answer has lost nothing.
func TestWhatADeadNodeHadIsDeliveredByAnother(t *testing.T) {
	w := newWorld(t)
	s := w.site("wiki", "")
	s.held = make(chan struct{})
	w.ended("wiki")
	dying, die := context.WithCancel(t.Context())
	must(t, w.round(dying))
	<-s.got
	die()
	w.busy.Wait()
	close(s.held)
	other := w.node()
	must(t, other.round(t.Context()))
	other.busy.Wait()
	if n := s.hits.Load(); n != 1 {
		t.Fatalf("told %d times while the lease lasts", n)
	}
	w.pass(lease)
	must(t, other.round(t.Context()))
	other.busy.Wait()
	if d := w.state("wiki"); d.Result != "delivered" || d.Attempts != 2 || s.hits.Load() != 2 {
		t.Errorf("%+v, told %d times", d, s.hits.Load())
	}
}

func TestAnAnswerIsStoredAlthoughTheNodeStops(t *testing.T) {
	w := newWorld(t)
	w.site("wiki", "ES256")
	w.ended("wiki")
	claimed, err := w.Store.ClaimLogouts(t.Context(), "wiki", 1, lease)
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	w.record(ctx, claimed[0], outcome{result: store.LogoutDelivered}, 0)
	if d := w.state("wiki"); d.Result != store.LogoutDelivered || w.counts[d.Result] != 1 {
		t.Errorf("%+v", d)
	}
}

func TestTwoNodesTellEachRelyingPartyOnce(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := newWorldOn(t, url)
		other := w.node()
		wiki, mail := w.site("wiki", "ES256"), w.site("mail", "ES256")
		const sessions = 40
		for range sessions {
			w.ended("wiki", "mail")
		}
		for range 20 { // a node that found its rows taken looks again
			for _, b := range []*Backchannel{w.Backchannel, other} {
				must(t, b.round(t.Context()))
			}
			w.busy.Wait()
			other.busy.Wait()
		}
		if a, b := wiki.hits.Load(), mail.hits.Load(); a != sessions || b != sessions {
			t.Errorf("told %d and %d times, want %d each", a, b, sessions)
		}
	})
}

// One that nobody here knows may be known to another node, which has the newer
// configuration: it is forgotten when nobody has told it for an hour.
func TestWhoIsNotToldIsForgotten(t *testing.T) {
	w := newWorld(t)
	queued := func(id string) int {
		list, err := w.Store.LogoutDeliveries(t.Context(), id, 0)
		must(t, err)
		return len(list)
	}
	w.clients["plain"] = &store.Client{ClientID: "plain"}
	w.ended("plain", "new", "removed")
	w.deliver()
	if queued("plain") != 0 || queued("new") != 1 || queued("removed") != 1 {
		t.Errorf("plain %d, new %d, removed %d", queued("plain"), queued("new"), queued("removed"))
	}
	s := w.site("new", "ES256")
	w.deliver()
	w.pass(unknownFor)
	w.deliver()
	if queued("removed") != 0 || s.hits.Load() != 1 {
		t.Errorf("removed %d, new told %d times", queued("removed"), s.hits.Load())
	}
	s.answer.Store(http.StatusServiceUnavailable)
	w.ended("new")
	w.deliver()
	w.clients["new"] = &store.Client{ClientID: "new"} // has a URI no more
	w.pass(time.Hour)
	w.deliver()
	if queued("new") != 1 || len(w.slow) != 0 {
		t.Errorf("%d deliveries, slow %v: want what was delivered", queued("new"), w.slow)
	}
}

// Only an administrator may name an address in the company's networks, and
// nobody that of a cloud's metadata.
func TestHoleLogoutURIIntoTheCompanyNetwork(t *testing.T) {
	w := newWorld(t)
	s := w.site("registered", "")
	w.clients["registered"].Registered = true
	w.ended("registered")
	for i, uri := range []string{"http://169.254.169.254/latest", "https://169.254.169.254/latest", "http://[fe80::1]/", "http://[fd00:ec2::254]/latest"} {
		id := fmt.Sprintf("admin-%d", i)
		w.clients[id] = &store.Client{ClientID: id, BackchannelLogoutURI: uri}
		w.ended(id)
	}
	w.deliver()
	if s.hits.Load() != 0 {
		t.Error("a registered relying party made the server ask a loopback address")
	}
	for _, id := range []string{"registered", "admin-0", "admin-1", "admin-2", "admin-3"} {
		if d := w.state(id); d.Result != "delayed" || !strings.Contains(d.Reason, "allowed") {
			t.Errorf("%s: %+v", id, d)
		}
	}
}

// The node that ends a session delivers at once, without looking around.
func TestTheEndOfASessionWakesTheNode(t *testing.T) {
	w := newWorld(t)
	w.poll = 24 * time.Hour
	s := w.site("wiki", "")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	for range 3 {
		w.ended("wiki")
		<-s.got
	}
	stop()
	must(t, <-done)
}

func TestDelaysGrowAndVary(t *testing.T) {
	for attempt, d := range delays {
		var all []time.Duration
		for range 50 {
			got := delay(int64(attempt + 1))
			if got < d*4/5 || got > d*6/5 {
				t.Errorf("attempt %d: %s", attempt+1, got)
			}
			all = append(all, got)
		}
		if slices.Min(all) == slices.Max(all) {
			t.Errorf("attempt %d: always %s", attempt+1, all[0])
		}
	}
	if d := delay(1 << 40); d > 3*time.Hour {
		t.Errorf("%s", d)
	}
}
