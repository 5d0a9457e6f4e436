package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckPrintsEveryProblem(t *testing.T) {
	p := newPlace(t, `lisen: x
brand: {accent: red, logo: logo.gif}
tls: {certificate: logo.gif, key: logo.gif}
users:
  - {name: bob, password_file: none.txt}
  - {name: "carol/admin", password_file: short.txt}
clients:
  - {client_id: a, redirect_uris: ["not a uri"]}
  - client_id: b
    client_secret_file: empty.txt
    redirect_uris: [https://b.example.com/cb]
resources:
  - {uri: ledger}
  - {uri: https://api.example.com, access_token_alg: none}
  - {uri: https://api.example.com}
`)
	p.Write("logo.gif", "GIF89a")
	p.Write("short.txt", "1234567\n")
	p.Write("empty.txt", "\n")
	_, errs, err := p.Run("", "check")
	for _, want := range []string{
		"idp.yaml:3: lisen: unknown key", "idp.yaml:4: brand.accent: ", "idp.yaml:4: brand.logo: want an SVG", "idp.yaml:5: tls: ",
		"none.txt", "idp.yaml:8: users[1].name: ", "idp.yaml:8: users[1].password_file: ",
		"idp.yaml:10: clients[0].client_secret_file: missing", `idp.yaml:10: clients[0].redirect_uris: "not a uri"`, "idp.yaml:12: clients[1].client_secret_file: ",
		"idp.yaml:15: resources[0].uri: want an absolute URI", `idp.yaml:16: resources[1].access_token_alg: "none" is not supported`, "idp.yaml:17: resources[2].uri: ",
	} {
		if strings.Count(errs, want) != 1 {
			t.Errorf("check mentions %q %d times, want once:\n%s", want, strings.Count(errs, want), errs)
		}
	}
	if strings.Count(errs, "\n") != 14 {
		t.Errorf("check prints something twice:\n%s", errs)
	}
	if _, serveErrs, err := p.Run("", "serve"); err == nil || serveErrs != errs {
		t.Errorf("serve: %v\n%s\nwant what check says:\n%s", err, serveErrs, errs)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "idp.db")); err == nil {
		t.Error("a refused configuration has made a database")
	}
	if err == nil {
		t.Error("check succeeds")
	}
	out, _, _ := p.Run("", "check", "--json")
	var result struct {
		OK    bool
		Lines []struct {
			Level, Text string
			Line        int
		}
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil || result.OK || len(result.Lines) < 3 {
		t.Errorf("check --json: %v, %+v", err, result)
	}
}

// TestConfigurationWithEveryKey: a file that names all keys there will ever be,
// those of later versions empty, starts this version.
func TestConfigurationWithEveryKey(t *testing.T) {
	p := newPlace(t, "")
	yaml, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p.Write("idp.yaml", string(yaml))
	p.Write("logo.svg", "<svg/>")
	p.Write("bob.txt", "correct horse\n")
	p.Write("wiki.secret", "a secret\n")
	p.Write("initial.token", "0123456789abcdef\n")
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	defer srv.Close()
	pair := srv.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	p.Write("tls.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	p.Write("tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	out, errs, err := p.Run("", "check")
	if err != nil || !strings.Contains(out, "ok: ") {
		t.Errorf("check: %v\n%s%s", err, out, errs)
	}
}

// A client secret that can be guessed is said by check, doctor and the log, and stops
// nobody: files that worked go on working.
func TestWeakClientSecretsAreWarnedOf(t *testing.T) {
	p := newPlace(t, "clients: [{client_id: a, client_secret_file: a.secret, redirect_uris: [\"https://a.example/cb\"]}]\n")
	p.Write("a.secret", "short\n")
	const want = "the secret of a has fewer than 16 characters"
	if out := p.MustRun("", "check"); !strings.Contains(out, "warning: ") || !strings.Contains(out, "idp.yaml:3: clients[0].client_secret_file: "+want) || !strings.Contains(out, "ok: ") {
		t.Errorf("check:\n%s", out)
	}
	_, log := p.Serve()
	if len(log.Lines(`"level":"WARN"`, want)) != 1 {
		t.Errorf("serve logs:\n%s", log)
	}
	if out, _, _ := p.Run("", "doctor"); !strings.Contains(out, want) {
		t.Errorf("doctor:\n%s", out)
	}
	p.Write("a.secret", "0123456789abcdef\n")
	if out := p.MustRun("", "check"); strings.Contains(out, "warning") {
		t.Errorf("check of a good one:\n%s", out)
	}
}
