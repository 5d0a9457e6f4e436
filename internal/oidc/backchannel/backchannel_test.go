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
	if w.counts["given_up"] != 1 || !strings.Contains(w.logged(), "will not be told") {
		t.Errorf("counted %v", w.counts)
	}
}

// All others are told while one leaves us waiting.
func TestASlowRelyingPartyDelaysNobody(t *testing.T) {
	w := newWorld(t)
	slow, quick := w.site("slow", ""), w.site("quick", "")
	slow.held = make(chan struct{})
	for range 3 * perClient {
		w.ended("slow")
	}
	must(t, w.round(t.Context()))
	for range perClient {
		<-slow.got // they hang
	}
	for range 20 {
		w.ended("quick")
	}
	must(t, w.round(t.Context()))
	for range 20 {
		<-quick.got
	}
	if n := slow.hits.Load(); n != perClient {
		t.Errorf("%d requests at once to one relying party, want %d", n, perClient)
	}
	close(slow.held)
	w.busy.Wait()
	if n := slow.hits.Load(); n != 3*perClient {
		t.Errorf("told %d times, want %d", n, 3*perClient)
	}
}

// One that answers nobody takes no more than one of the places for all.
func TestARelyingPartyInTroubleHasOneRequestUnderWay(t *testing.T) {
	w := newWorld(t)
	s := w.site("wiki", "ES256")
	s.answer.Store(http.StatusServiceUnavailable)
	for range 3 * perClient {
		w.ended("wiki")
	}
	s.asked = func() {
		list, err := w.Store.LogoutDeliveries(context.Background(), "wiki", 0)
		if err != nil {
			t.Error(err)
		}
		taken := 0
		for _, d := range list {
			if d.Attempts == 1 && d.Result == "" {
				taken++
			}
		}
		if s.hits.Load() > perClient && taken != 1 {
			t.Errorf("%d requests at once", taken)
		}
	}
	w.deliver()
	if n := s.hits.Load(); n != 3*perClient {
		t.Errorf("asked %d times", n)
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

func TestWhoHasNoLogoutURIIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.clients["plain"] = &store.Client{ClientID: "plain"}
	w.ended("plain", "removed")
	w.deliver()
	for _, id := range []string{"plain", "removed"} {
		if list, err := w.Store.LogoutDeliveries(t.Context(), id, 0); err != nil || len(list) != 0 {
			t.Errorf("%s: %+v, %v", id, list, err)
		}
	}
	if w.logged() != "" {
		t.Error(w.logged())
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
