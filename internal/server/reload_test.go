package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

func TestAReloadDoesNotLoseTheKeytab(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	path := filepath.Join(s.Dir, "idp.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), realm.Keytab, "gone.keytab", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(t.Context(), s.Config()); err == nil || !strings.Contains(err.Error(), "NO_KEYTAB") {
		t.Errorf("reload with a keytab that is not there: %v, want it refused", err)
	}
	p := s.Program(t).GetWith("/login/negotiate", idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword)))
	if p.Request.URL.Path != "/account" {
		t.Errorf("tickets after the refused reload: %d at %s", p.StatusCode, p.Request.URL.Path)
	}
}
