package keys

import (
	"errors"
	"testing"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
)

// TestStates follows a key from its making to its successor.
func TestStates(t *testing.T) {
	c := newCluster(t)
	made := c.now()
	k, err := New(t.Context(), Config{Store: c.store, Ring: c.ring, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	states := func() []State {
		t.Helper()
		rows, err := k.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := States(rows, secret.NewRing(), c.now()); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("with a foreign ring: %v", err)
		}
		if sealed, err := States(rows, nil, c.now()); err != nil || len(sealed) != 2 {
			t.Errorf("without a ring: %v, %v", sealed, err)
		}
		s, err := States(rows, c.ring, c.now())
		if err != nil || len(s) != 2 || s[0].Algorithm != RS256 || s[1].Algorithm != ES256 {
			t.Fatalf("%+v, %v", s, err)
		}
		return s
	}
	first := states()[0]
	if first.Kid == "" || !first.Since.Equal(made) || !first.Next.Equal(made.Add(rotateEvery)) || first.Coming {
		t.Errorf("the first key: %+v", first)
	}
	if err := k.Rotate(t.Context(), store.Entry{}); err != nil {
		t.Fatal(err)
	}
	if s := states()[0]; s.Kid != first.Kid || !s.Coming || !s.Next.Equal(made.Add(publishOnCommand)) {
		t.Errorf("before the handover: %+v", s)
	}
	c.clock.Add(publishOnCommand.Milliseconds())
	if s := states()[0]; s.Kid == first.Kid || s.Coming || !s.Since.Equal(made.Add(publishOnCommand)) {
		t.Errorf("after the handover: %+v", s)
	}
	c.clock.Store(made.Add(-time.Second).UnixMilli())
	if s := states()[0]; s.Kid != "" || !s.Coming {
		t.Errorf("before any key signs: %+v", s)
	}
	c.clock.Store(made.UnixMilli())
	need(t, k, EdDSA) // nobody needed one before
	rows, err := k.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s, err := States(rows, c.ring, c.now()); err != nil || len(s) != 3 || s[2].Algorithm != EdDSA || !s[2].Since.Equal(c.now()) {
		t.Errorf("with an optional key: %+v, %v", s, err)
	}
}
