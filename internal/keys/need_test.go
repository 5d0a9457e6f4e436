package keys

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/audit"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// algorithms of the rows, sorted.
func algorithms(t *testing.T, k *Keys) (algs []string) {
	t.Helper()
	rows, err := k.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		algs = append(algs, r.Algorithm)
	}
	slices.Sort(algs)
	return algs
}

func TestOptionalKeysAreMadeWhenSomebodyNeedsThem(t *testing.T) {
	c := newCluster(t)
	k := c.node()
	steps := []struct {
		name string
		do   func()
		want []string
	}{
		{"a first start", func() {}, []string{ES256, RS256}},
		{"rotation", func() {
			c.pass(rotateEvery - publishScheduled)
			if err := k.maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, []string{ES256, ES256, RS256, RS256}},
		{"what is always there", func() { need(t, k, RS256, ES256) }, []string{ES256, ES256, RS256, RS256}},
		{"a configuration", func() { need(t, k, EdDSA, RS256, EdDSA) }, []string{ES256, ES256, EdDSA, RS256, RS256}},
		{"the same again", func() { need(t, k, EdDSA) }, []string{ES256, ES256, EdDSA, RS256, RS256}},
		{"a token", func() { c.pass(time.Second); sign(t, k, PS256, TypeIDToken, `{}`) }, []string{ES256, ES256, EdDSA, PS256, RS256, RS256}},
		{"a second token", func() { sign(t, k, PS256, TypeIDToken, `{}`) }, []string{ES256, ES256, EdDSA, PS256, RS256, RS256}},
	}
	for _, s := range steps {
		s.do()
		if diff := cmp.Diff(s.want, algorithms(t, k)); diff != "" {
			t.Errorf("%s: %s", s.name, diff)
		}
	}
	for _, alg := range []string{"", "none", "HS256", "RS512"} {
		if err := k.Need(t.Context(), ES256, alg); err == nil {
			t.Errorf("a key for %q", alg)
		}
		if _, err := k.Sign(alg, TypeIDToken, []byte(`{}`)); err == nil {
			t.Errorf("a token signed with %q", alg)
		}
	}
	entries, err := c.store.Entries(t.Context(), store.Filter{Event: audit.KeyAdded, Limit: 10})
	if err != nil || len(entries) != 6 || entries[0].Actor != audit.ActorServer || entries[0].Name != k.active(PS256).row.Kid {
		t.Errorf("audit: %+v, %v", entries, err)
	}
}

// Two nodes, each asked eight times at once by tokens and by a configuration.
func TestNodesThatAskAtOnceMakeOneKey(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		ring := secret.NewRing()
		nodes := make([]*Keys, 2)
		for i := range nodes {
			var err error
			st := storetest.Open(t, store.Config{URL: url})
			if nodes[i], err = New(t.Context(), Config{Store: st, Ring: ring}); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		kids := map[string]int{}
		start := make(chan struct{})
		for i := range 16 {
			wg.Go(func() {
				k := nodes[i%2]
				<-start
				if i%4 < 2 {
					if err := k.Need(context.Background(), EdDSA, PS256); err != nil {
						t.Error(err)
					}
				}
				for _, alg := range []string{PS256, EdDSA} {
					token, err := k.Sign(alg, TypeIDToken, []byte(`{}`))
					if err != nil {
						t.Error(err)
						continue
					}
					mu.Lock()
					kids[alg+" "+kidOf(t, token)]++
					mu.Unlock()
				}
			})
		}
		close(start)
		wg.Wait()
		if len(kids) != 2 {
			t.Errorf("keys that signed: %v, want one of each algorithm", kids)
		}
		if diff := cmp.Diff([]string{ES256, EdDSA, PS256, RS256}, algorithms(t, nodes[0])); diff != "" {
			t.Error("rows:", diff)
		}
	})
}

// A relying party with an older JWKS reads it again at an unknown kid, and may
// ask any node; nodes that have not looked at the rows do so then, once a second.
func TestEveryNodePublishesANewKeyWithinASecond(t *testing.T) {
	c := newCluster(t)
	a, b := c.node(), c.node()
	b.JWKS()
	token := sign(t, a, EdDSA, TypeIDToken, `{}`)
	c.pass(refreshAtMost)
	if published(b)[kidOf(t, token)] != EdDSA {
		t.Error("another node does not publish the key that signs")
	}
	before := b.current.Load()
	for range 100 {
		b.JWKS()
	}
	if b.current.Load() != before {
		t.Error("the rows were read again within a second")
	}
	if kidOf(t, sign(t, b, EdDSA, TypeIDToken, `{}`)) != kidOf(t, token) {
		t.Error("the nodes sign with different keys")
	}
}

// A database that is away is asked once a second, and the JWKS goes on as it was.
func TestJWKSWhileTheDatabaseIsAway(t *testing.T) {
	c := newCluster(t)
	var log strings.Builder
	k, err := New(t.Context(), Config{Store: c.store, Ring: c.ring, Now: c.now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	want := published(k)
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		c.pass(refreshAtMost)
		for range 100 {
			if diff := cmp.Diff(want, published(k)); diff != "" {
				t.Fatal(diff)
			}
		}
		if got := strings.Count(log.String(), "\n"); got != n {
			t.Errorf("asked %d times in %d seconds", got, n)
		}
	}
}

// A node whose clock is behind signs with a first key that starts in its future.
func TestFirstKeyOfANodeWhoseClockIsAhead(t *testing.T) {
	c := newCluster(t)
	behind := c.node()
	c.pass(3 * time.Second)
	token := sign(t, c.node(), EdDSA, TypeIDToken, `{}`)
	c.pass(-3 * time.Second)
	if kidOf(t, sign(t, behind, EdDSA, TypeIDToken, `{}`)) != kidOf(t, token) {
		t.Error("another key was made")
	}
	if got := algorithms(t, behind); len(got) != 3 {
		t.Errorf("rows: %v", got)
	}
}

func TestOptionalKeysRotateOnCommand(t *testing.T) {
	c := newCluster(t)
	k := c.node()
	first := sign(t, k, EdDSA, TypeIDToken, `{}`)
	if err := k.Rotate(t.Context(), store.Entry{Actor: "cli:root"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{ES256, ES256, EdDSA, EdDSA, RS256, RS256}, algorithms(t, k)); diff != "" {
		t.Fatal(diff)
	}
	if kidOf(t, sign(t, k, EdDSA, TypeIDToken, `{}`)) != kidOf(t, first) {
		t.Error("the new key signs before relying parties can know it")
	}
	c.pass(publishOnCommand)
	if kidOf(t, sign(t, k, EdDSA, TypeIDToken, `{}`)) == kidOf(t, first) {
		t.Error("the old key still signs")
	}
	if _, _, err := k.Verify(first, EdDSA); err != nil {
		t.Errorf("the old key's token: %v", err)
	}
}

// A row of an algorithm that a later release knows is left alone: the nodes of
// both releases share the rows during an upgrade.
func TestRowsOfALaterRelease(t *testing.T) {
	c := newCluster(t)
	later := store.SigningKey{Kid: "later", Algorithm: "ML-DSA-65", Sealed: c.ring.Seal(sealPurpose, "later", []byte("no PKCS #8 of ours")),
		CreatedAt: 1, ActiveAt: 1}
	if err := c.store.AddSigningKey(t.Context(), later, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	k := c.node()
	if err := k.Rotate(t.Context(), store.Entry{}); err != nil {
		t.Fatal(err)
	}
	c.pass(rotateEvery - publishScheduled)
	if err := k.maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := k.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(later, rows[0]); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(string(k.JWKS()), "later") {
		t.Error("it is published")
	}
	if _, err := States(rows, c.ring, c.now()); err != nil {
		t.Error(err)
	}
}
