package server_test

import (
	"context"
	"testing"

	"idp/internal/idptest"
	"idp/internal/server"
	"idp/internal/store"
)

// addUser makes a local user with bob's password.
func addUser(t *testing.T, s *idptest.Server, name string) {
	t.Helper()
	if err := server.AddUser(context.Background(), s.Store(), store.User{Name: name}, idptest.BobPassword, "test"); err != nil {
		t.Fatal(err)
	}
}
