package keys

import (
	"errors"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/store"
)

// A relying party that fetched the JWKS MaxAge ago can verify every token, and a
// token verifies until its end, all the way through a rotation.
func TestScheduledRotation(t *testing.T) {
	for _, alg := range []string{ES256, EdDSA} {
		t.Run(alg, func(t *testing.T) { testScheduledRotation(t, alg) })
	}
}

func testScheduledRotation(t *testing.T, alg string) {
	c := newCluster(t)
	k := c.node()
	first := kidOf(t, sign(t, k, alg, TypeIDToken, `{}`))
	seen := published(k) // what a relying party has, refreshed every MaxAge
	seenAt := c.now()
	kids := []string{first}
	type issued struct {
		token string
		until time.Time
	}
	var live []issued
	for range 24 * 200 { // 200 days, hour by hour
		c.pass(time.Hour)
		if err := k.maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		token := sign(t, k, alg, TypeIDToken, `{}`)
		if kid := kidOf(t, token); kid != kids[len(kids)-1] {
			kids = append(kids, kid)
		}
		if c.now().Sub(seenAt) > MaxAge {
			if _, ok := published(k)[kidOf(t, token)]; !ok {
				t.Fatal("signed with a key that is not published")
			}
		}
		if _, ok := seen[kidOf(t, token)]; !ok {
			t.Fatal("signed with a key that a relying party could not know yet")
		}
		seen, seenAt = published(k), c.now()
		live = append(live, issued{token, c.now().Add(k.TokenLifetime)})
		for len(live) > 0 && live[0].until.Before(c.now()) {
			live = live[1:]
		}
		for _, i := range live {
			if _, _, err := k.Verify(i.token, alg); err != nil {
				t.Fatalf("a token that has not expired does not verify: %v", err)
			}
		}
	}
	if len(kids) != 3 {
		t.Errorf("%d keys signed in 200 days, want 3", len(kids))
	}
	if _, ok := published(k)[first]; ok {
		t.Error("the first key is still published")
	}
	rows, err := k.List(t.Context())
	if err != nil || len(rows) > 2*len(inUse(rows)) {
		t.Errorf("%d rows are left, %v", len(rows), err)
	}
}

func TestRotateOnCommandPublishesBeforeItSigns(t *testing.T) {
	c := newCluster(t)
	server, command := c.node(), c.node()
	old := sign(t, server, RS256, TypeIDToken, `{}`)
	if err := command.Rotate(t.Context(), store.Entry{Actor: "cli:root"}); err != nil {
		t.Fatal(err)
	}
	if err := server.maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(published(server)); got != 4 {
		t.Fatalf("%d keys are published, want 4", got)
	}
	c.pass(publishOnCommand - time.Second)
	if kid := kidOf(t, sign(t, server, RS256, TypeIDToken, `{}`)); kid != kidOf(t, old) {
		t.Error("the new key signs before relying parties can know it")
	}
	last := sign(t, server, RS256, TypeIDToken, `{}`)
	c.pass(2 * time.Second)
	fresh := sign(t, server, RS256, TypeIDToken, `{}`)
	if kidOf(t, fresh) == kidOf(t, old) {
		t.Error("the old key still signs")
	}
	if _, _, err := server.Verify(old, RS256); err != nil {
		t.Errorf("the old key's last token: %v", err)
	}
	c.pass(server.TokenLifetime - 3*time.Second)
	if err := server.maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.node().Verify(last, RS256); err != nil {
		t.Errorf("the old key's last token, a second before its end: %v", err)
	}
	c.pass(3*time.Second + keepLonger)
	if err := server.maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := server.Verify(old, RS256); !errors.Is(err, ErrToken) {
		t.Errorf("after its end the old key still verifies: %v", err)
	}
	entries, err := c.store.Entries(t.Context(), store.Filter{Event: audit.KeyAdded, Limit: 10})
	byHand := 0
	for _, e := range entries {
		if e.Actor == "cli:root" {
			byHand++
		}
	}
	if err != nil || len(entries) != 4 || byHand != 2 {
		t.Errorf("audit: %+v, %v", entries, err)
	}
	entries, err = c.store.Entries(t.Context(), store.Filter{Event: audit.KeyRetired, Limit: 10})
	if err != nil || len(entries) != 2 || entries[0].Actor != "cli:root" {
		t.Errorf("audit of what was retired: %+v, %v", entries, err)
	}
}

// A reload with a longer token lifetime keeps retired keys published for longer;
// a shorter one does not cut off the tokens that are about.
func TestRetiredKeysOutliveTheLongestToken(t *testing.T) {
	k := newCluster(t).node()
	for _, d := range []time.Duration{48 * time.Hour, time.Minute} {
		k.SetTokenLifetime(d)
		if err := k.Rotate(t.Context(), store.Entry{}); err != nil {
			t.Fatal(err)
		}
		rows, err := k.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if r.RetiredAt > 0 && r.ExpiresAt-r.RetiredAt != (48*time.Hour+keepLonger).Milliseconds() {
				t.Errorf("after %s: published for %d ms beyond the last signature", d, r.ExpiresAt-r.RetiredAt)
			}
		}
	}
}

// A second command while the first's keys wait, and a schedule in between, leave
// one key signing at any time.
func TestRotateTwiceLeavesOneSigner(t *testing.T) {
	c := newCluster(t)
	k := c.node()
	need(t, k, EdDSA)
	for range 2 {
		if err := k.Rotate(t.Context(), store.Entry{Actor: "cli:root"}); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Minute)
	}
	c.pass(24 * time.Hour)
	if err := k.maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := k.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{RS256, ES256, EdDSA} {
		open := 0
		for _, r := range ofAlgorithm(rows, alg) {
			if r.RetiredAt == 0 {
				open++
			}
		}
		if open != 1 {
			t.Errorf("%s: %d keys have no end, want 1", alg, open)
		}
	}
}
