package oidc

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"idp/internal/oidc/rptest"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

const (
	racers = 64  // at once, on two nodes of one database
	rounds = 100 // of each race; make bench has 10,000
)

// races are what counts once. start prepares one round; what it returns is run by
// every racer and says what he won: nothing, or something that is the same for two
// racers only if they won the same.
var races = []struct {
	name  string
	start func(first *world) func(node *world) (won string)
}{
	{"code", func(w *world) func(*world) string {
		code := w.loggedIn("alice").code("other")
		return func(node *world) string { return wonBy(node.api("other", "/token", codeForm(code))) }
	}},
	{"refresh token", func(w *world) func(*world) string {
		token := w.loggedIn("alice").tokens("other").str("refresh_token")
		return func(node *world) string { // whoever comes second gets the same successor
			return node.api("other", "/token", refreshForm(token)).str("refresh_token")
		}
	}},
	{"pushed request", func(w *world) func(*world) string {
		b := w.loggedIn("alice")
		uri := w.api("other", "/par", authParams("other")).str("request_uri")
		target := "/authorize?" + url.Values{"client_id": {"other"}, "request_uri": {uri}}.Encode()
		return func(node *world) string {
			a := (&browser{node, maps.Clone(b.cookies)}).get(target)
			if to := a.Header().Get("Location"); strings.HasPrefix(to, testRedirect) {
				return a.location().Query().Get("code")
			}
			return ""
		}
	}},
	{"device code", func(w *world) func(*world) string {
		device := w.begun()
		w.loggedIn("alice").answers(device, "allow")
		form := pollForm("tv", device.str("device_code"))
		return func(node *world) string { return wonBy(node.do(postForm("/token", form))) }
	}},
	{"assertion grant", func(w *world) func(*world) string {
		form := bearerForm(raceKey(w).Assertion(w.t, "signs", testIssuer, w.now(), nil))
		return func(node *world) string { return wonBy(node.do(postForm("/token", form))) }
	}},
	{"client assertion", func(w *world) func(*world) string {
		form := assertionForm(raceKey(w).Assertion(w.t, "signs", testIssuer, w.now(), nil))
		return func(node *world) string { return wonBy(node.do(postForm("/token", form))) }
	}},
	{"DPoP proof", func(w *world) func(*world) string {
		proof := raceKey(w).Proof(w.t, "POST", tokenURL, w.auth.Nonces.Issue(w.now()), w.now(), nil)
		return func(node *world) string {
			r := postAs("machine", "/token", url.Values{"grant_type": {"client_credentials"}})
			r.Header.Set("DPoP", proof)
			return wonBy(node.do(r))
		}
	}},
}

// wonBy is the access token of a good answer, which no two have in common.
func wonBy(a *answer) string {
	if a.Code != http.StatusOK {
		return ""
	}
	return a.str("access_token")
}

// raceKey is the key of the client "signs", made with the first round.
func raceKey(w *world) *rptest.Key {
	if w.raceKey == nil {
		w.raceKey = rptest.NewKey(w.t, "ES256")
		w.signing("signs", w.raceKey, func(c *store.Client) { c.GrantTypes = append(c.GrantTypes, bearerGrantType) })
	}
	return w.raceKey
}

// runRace runs one round and returns how many different things were won.
func runRace(nodes [2]*world, start func(*world) func(*world) string) int {
	run := start(nodes[0])
	var mu sync.Mutex
	var all sync.WaitGroup
	won, gate := map[string]bool{}, make(chan struct{})
	for i := range racers {
		all.Go(func() {
			<-gate
			if got := run(nodes[i%2]); got != "" {
				mu.Lock()
				defer mu.Unlock()
				won[got] = true
			}
		})
	}
	close(gate)
	all.Wait()
	return len(won)
}

func TestOneOf64WinsOnTwoNodes(t *testing.T) {
	for _, r := range races {
		t.Run(r.name, func(t *testing.T) {
			for database, rounds := range map[string]int{storetest.Postgres(t): rounds, storetest.SQLite(t): 2} { // SQLite has one writer
				nodes := twoNodes(t, database)
				nodes[0].user("alice")
				for range rounds {
					if n := runRace(nodes, r.start); n != 1 {
						t.Fatalf("%d of %d won, want 1", n, racers)
					}
				}
			}
		})
	}
}

// BenchmarkRace is one round of 64, checked too.
func BenchmarkRace(b *testing.B) {
	for _, r := range races {
		b.Run(r.name, func(b *testing.B) {
			nodes := twoNodes(b, storetest.Postgres(b))
			nodes[0].user("alice")
			for b.Loop() {
				if n := runRace(nodes, r.start); n != 1 {
					b.Fatalf("%d of %d won, want 1", n, racers)
				}
			}
		})
	}
}

// race runs n at once and counts what they return.
func race(n int, run func(i int) int) map[int]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	counts, start := map[int]int{}, make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			got := run(i)
			mu.Lock()
			defer mu.Unlock()
			counts[got]++
		})
	}
	close(start)
	wg.Wait()
	return counts
}
