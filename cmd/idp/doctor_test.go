package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"idp/internal/kerberos/krbtest"
)

// healthyYAML is a whole installation on this machine: TLS, a keytab, SQLite.
const healthyYAML = `issuer: https://sso.localhost:%[1]s
listen: 127.0.0.1:%[1]s
tls: {certificate: sso.crt, key: sso.key}
kerberos:
  keytabs: [http.keytab]
  krb5_conf: %[2]s
  realms: [{name: EXAMPLE.TEST}]
  channel_binding: require
`

func healthy(t *testing.T, more ...string) (*place, *krbtest.Realm) {
	p := newPlace(t, "")
	r := krbtest.Start(t, krbtest.Options{Services: append([]string{"HTTP/sso.localhost"}, more...), Enctypes: "aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal"})
	r.StartKpasswd(t)
	keytab, err := os.ReadFile(r.Keytab)
	if err != nil {
		t.Fatal(err)
	}
	p.Write("http.keytab", string(keytab))
	p.certificate("sso.localhost")
	_, port, _ := strings.Cut(strings.TrimPrefix(p.URL, "http://"), ":")
	p.Write("idp.yaml", fmt.Sprintf(healthyYAML, port, r.Krb5Conf))
	return p, r
}

// certificate makes one that signs itself, and lets idp's process trust it.
func (p *place) certificate(name string) {
	p.T.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.T.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		p.T.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.T.Fatal(err)
	}
	p.Write("sso.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	p.Write("sso.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	p.More = append(p.More, "SSL_CERT_FILE="+filepath.Join(p.Dir, "sso.crt"))
}

// start starts the server and waits until `idp healthcheck` is content.
func (p *place) start() {
	p.T.Helper()
	p.ServeUntil(func() bool {
		_, _, err := p.Run("", "healthcheck")
		return err == nil
	})
}

// doctor runs it and returns its lines and exit status.
func (p *place) doctor(args ...string) (out, errs string, status int) {
	p.T.Helper()
	out, errs, err := p.Run("", append([]string{"doctor"}, args...)...)
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		p.T.Fatal(err)
	}
	if ended != nil {
		status = ended.ExitCode()
	}
	return out, errs, status
}

func TestDoctorOfAHealthyInstallation(t *testing.T) {
	p, _ := healthy(t)
	before, errs, status := p.doctor()
	if status != 0 || errs != "" || !strings.Contains(before, "warning  server          idp does not run") {
		t.Errorf("before the first start: status %d\n%s%s", status, before, errs)
	}
	for _, name := range []string{"idp.db", "idp.key"} {
		if _, err := os.Stat(filepath.Join(p.Dir, name)); err == nil {
			t.Errorf("doctor has made %s", name)
		}
	}
	p.start()
	out, errs, status := p.doctor()
	if status != 0 || errs != "" {
		t.Errorf("status %d, %s", status, errs)
	}
	checks := []string{"config", "issuer", "server", "server", "certificate", "proxies", "inside", "keytab", "spn", "realms", "kdc", "kdc", "clock", "key_version", "channel_binding", "offer_to", "password",
		"database", "secret_key", "signing_keys", "signing_keys", "clients"}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for i, line := range lines {
		if f := strings.Fields(line); len(lines) != len(checks) || f[0] != "ok" || f[1] != checks[i] {
			t.Fatalf("%q\nin\n%s\nwant only ok lines about %v", line, out, checks)
		}
	}
	t.Logf("\n%s", out)
}

// TestDoctorOfABrokenInstallation: a mistake in the file does not hide those in
// other places.
func TestDoctorOfABrokenInstallation(t *testing.T) {
	p, _ := healthy(t)
	p.certificate("www.localhost")
	p.More = nil
	if err := os.Chmod(filepath.Join(p.Dir, "http.keytab"), 0o644); err != nil {
		t.Fatal(err)
	}
	base, err := os.ReadFile(filepath.Join(p.Dir, "idp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p.Write("idp.yaml", string(base)+"brand: {accent: red}\nlisen: x\n")
	out, _, status := p.doctor()
	if status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	for _, want := range []string{
		"failed   config          idp.yaml:9: brand.accent: ", "failed   config          idp.yaml:10: lisen: unknown key",
		"                         -> did you mean listen?", ": not for sso.localhost", "(mode 0644, of ", "-> chmod 0400 http.keytab",
		"ok       spn             browsers ask for HTTP/sso.localhost: in the keytab",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if f := strings.Fields(line); f[0] != "ok" && f[0] != "warning" && f[0] != "failed" && f[0] != "->" {
			t.Errorf("a line that begins with neither level nor arrow: %q", line)
		}
	}
	text, _, status := p.doctor("--json")
	var result struct {
		OK    *bool
		Lines []struct{ Check, Level, Text, Hint string }
	}
	if err := json.Unmarshal([]byte(text), &result); err != nil || status != 1 || result.OK == nil || *result.OK || len(result.Lines) < 10 ||
		result.Lines[1].Check != "config" || result.Lines[1].Level != "failed" || result.Lines[1].Hint != "did you mean listen?" {
		t.Errorf("--json: status %d, %v\n%s", status, err, text)
	}
}

func TestDoctorWithNothingToLookAt(t *testing.T) {
	p := newPlace(t, "")
	if out, errs, status := p.doctor("--jsn"); status != 2 || !strings.Contains(errs, "unknown flag") || out != "" {
		t.Errorf("a flag that is not there: status %d\n%s%s", status, out, errs)
	}
	if _, errs, status := p.doctor("keytab"); status != 2 || !strings.Contains(errs, "unknown command") {
		t.Errorf("an argument: status %d\n%s", status, errs)
	}
	if out, _, status := p.doctor("--config", "none.yaml"); status != 2 || !strings.HasPrefix(out, "failed   config none.yaml: ") {
		t.Errorf("a file that is not there: status %d\n%s", status, out)
	}
	p.Write("idp.yaml", "issuer: [\n")
	out, _, status := p.doctor()
	if status != 2 || !strings.HasPrefix(out, "failed   config idp.yaml:") || strings.Contains(out, "\nok") {
		t.Errorf("no YAML: status %d\n%s", status, out)
	}
	if out, _, status := p.doctor("--json"); status != 2 || !json.Valid([]byte(out)) {
		t.Errorf("no YAML, --json: status %d\n%s", status, out)
	}
}
