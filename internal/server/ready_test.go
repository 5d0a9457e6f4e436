package server_test

import (
	"context"
	"os"
	"testing"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

// A keytab that is replaced by one without a usable key is said, and so is that
// it was mended.
func TestALostKeytabIsLoggedAndSoIsItsReturn(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	good, err := os.ReadFile(realm.Keytab)
	if err != nil {
		t.Fatal(err)
	}
	if err := realm.Kadmin("addprinc -e arcfour-hmac:normal -randkey HTTP/old.localhost\n"); err != nil {
		t.Fatal(err)
	}
	if err := realm.ExportKeytab(realm.Keytab, "HTTP/old.localhost"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Log.Await(ctx, "level=WARN", "no login by ticket", "rc4-hmac"); err != nil {
		t.Fatalf("%v\n%s", err, s.Log)
	}
	if err := os.WriteFile(realm.Keytab+".new", good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(realm.Keytab+".new", realm.Keytab); err != nil {
		t.Fatal(err)
	}
	if err := s.Log.Await(ctx, "level=INFO", "login by ticket is offered again"); err != nil {
		t.Fatalf("%v\n%s", err, s.Log)
	}
	p := s.Program(t).GetWith("/login/negotiate", idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword)))
	if p.Request.URL.Path != "/account" {
		t.Errorf("a ticket afterwards: %d at %s", p.StatusCode, p.Request.URL.Path)
	}
	if n := len(s.Log.Lines("no login by ticket")); n != 1 {
		t.Errorf("it was said %d times, want once", n)
	}
}
