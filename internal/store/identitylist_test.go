package store_test

import (
	"testing"

	"idp/internal/store"
)

func TestIdentitiesOfAPageOfUsers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, name := range []string{"alice", "bob", "carol"} {
			u := w.user(name)
			must(t, w.LinkIdentity(t.Context(), store.Identity{Source: "kerberos:A.TEST", Key: "name:" + name, UserID: u.ID}, store.Entry{Actor: "test"}))
		}
		got, err := w.IdentitiesBetween(t.Context(), "alice", "bob")
		must(t, err)
		if len(got) != 1 || got[0].Key != "name:bob" {
			t.Errorf("behind alice, up to bob: %+v", got)
		}
		if got, err = w.IdentitiesBetween(t.Context(), "", "carol"); err != nil || len(got) != 3 {
			t.Errorf("all: %+v, %v", got, err)
		}
	})
}
