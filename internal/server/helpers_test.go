package server_test

import (
	"context"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/server"
	"idp/internal/store"
)

// patience is for what comes at once on a machine with nothing else to do; it ends a
// test that waits for what never comes.
const patience = 2 * time.Minute

// addUser makes a local user with bob's password.
func addUser(t *testing.T, s *idptest.Server, name string) {
	t.Helper()
	if err := server.AddUser(context.Background(), s.Store(), store.User{Name: name}, idptest.BobPassword, "test"); err != nil {
		t.Fatal(err)
	}
}
