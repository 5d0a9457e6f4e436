package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"idp/internal/config"
	"idp/internal/server"
)

// What is probably not meant as it is written is said, and stops nothing.
func TestWhatIsProbablyNotMeantIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.secret": "a secret of some length\n", "b.secret": "another secret of some length\n", "idp.yaml": `
clients:
  - {client_id: a, redirect_uris: ["https://a.example/"], client_secret_file: a.secret, next_client_secret_file: a.secret, scope: openid offline_access}
  - {client_id: b, redirect_uris: ["https://b.example/"], client_secret_file: a.secret, next_client_secret_file: b.secret, scope: openid offline_access, grant_types: [authorization_code, refresh_token]}
  - client_id: c
    token_endpoint_auth_method: none
    grant_types: ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    trusted_assertions: [{issuer: https://ci.example, jwks_uri: https://ci.example/jwks, subject: "repo:org/*"}]
  - {client_id: f, redirect_uris: ["https://f.example/"], client_secret_file: b.secret, token_endpoint_auth_method: client_secret_post, exchange: [{audience: https://api.example}], ticket_exchange: [https://none.example]}
resources:
  - {uri: https://api.example, clients: [a, d]}
factors:
  - {groups: [admins], acr: mfa}
  - {clients: [a], acr: phr}
  - {groups: [admins], networks: [10.0.0.0/8], acr: "1"}
  - {clients: [e], acr: mfa}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "idp.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if problems := server.Check(c); len(problems) != 0 {
		t.Error(problems)
	}
	got := server.Warnings(c)
	for i, want := range []string{
		"idp.yaml:3: clients[0].scope: offline_access is never granted to a",
		"idp.yaml:3: clients[0].next_client_secret_file: the next secret of a is the one it has",
		`idp.yaml:8: clients[2].trusted_assertions: subject "repo:org/*" is compared to the letter`,
		`idp.yaml:9: clients[3].exchange[0].audience: nothing is given for "https://api.example"`,
		`idp.yaml:9: clients[3].ticket_exchange[0]: nothing is given for "https://none.example"`,
		`idp.yaml:11: resources[0].clients[1]: there is no relying party "d" in this file (is it in the database?`,
		"idp.yaml:14: factors[1].clients: of the people of factors[0], which comes first, less is demanded here",
		"idp.yaml:15: factors[2].acr: this rule never decides: factors[0], which comes first, is about all its logins",
		`idp.yaml:16: factors[3].clients[0]: there is no relying party "e" in this file`,
	} {
		if i >= len(got) || !strings.Contains(got[i].Error(), want) {
			t.Errorf("warnings\n%v\nwant %d: %s", got, i, want)
		}
	}
	if len(got) != 9 {
		t.Errorf("%d warnings, want 9:\n%v", len(got), got)
	}
}
