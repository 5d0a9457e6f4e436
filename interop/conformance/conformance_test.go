package main

import (
	"encoding/json"
	"os"
	"testing"

	"idp/internal/config"
	"idp/internal/server"
)

// TestWhatSetupWritesIsSound: idp would start with it, and it fits what the suite
// is told.
func TestWhatSetupWritesIsSound(t *testing.T) {
	f := folder{dir: t.TempDir(), flags: flags{issuer: "https://sso.example.com", suite: "https://suite.example.com", listen: "127.0.0.1:443"}}
	if err := f.setup(); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(f.path("idp.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.TLS = config.TLS{} // there is no certificate
	if problems := server.Check(c); len(problems) > 0 {
		t.Error(problems)
	}
	known := map[string]bool{}
	for _, cl := range c.Clients {
		known[cl.ClientID] = true
	}
	for _, p := range plans {
		f.Client = p.client
		text, err := f.fill(suiteJSON)
		if err != nil {
			t.Fatal(err)
		}
		var told map[string]json.RawMessage
		if err := json.Unmarshal(text, &told); err != nil {
			t.Fatalf("%s: %v\n%s", p.name, err, text)
		}
		for _, name := range []string{"client", "client2"} {
			var client struct {
				ID string `json:"client_id"`
			}
			if err := json.Unmarshal(told[name], &client); err != nil || !known[client.ID] {
				t.Errorf("%s: %s is %q, whom idp does not know: %v", p.name, name, client.ID, err)
			}
		}
	}
	if info, err := os.Stat(f.path("basic.secret")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}
