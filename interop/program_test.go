//go:build interop || bench

package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"idp/internal/freeport"
	"idp/internal/kerberos/krbtest"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

const password = "Correct-horse-1"

// launch starts a program that writes to a log file, waits until it listens at an
// address, and ends it with the test.
func launch(t testing.TB, cmd *exec.Cmd, log, listen string) {
	t.Helper()
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	// SIGTERM, when we are killed, lets Apache end its own children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in its log
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with its children
		<-ended
	})
	if err := krbtest.AwaitListener(t.Context(), listen, ended); err != nil {
		t.Fatalf("%s: %v\n%s", cmd.Path, err, tail(log))
	}
}

// tail is the end of a log.
func tail(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// pair writes a certificate for localhost and names below it, signed by itself, and its key.
func pair(t testing.TB, curve elliptic.Curve) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	must(t, err)
	// Go signs with SHA-256 for P-256 and SHA-384 for P-384.
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp.localhost"}, DNSNames: []string{"idp.localhost", "site.localhost", "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	must(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return certificate, key
}

// freeAddress is a loopback address that is free.
func freeAddress(t testing.TB) (addr, port string) {
	t.Helper()
	addr, err := freeport.Address()
	must(t, err)
	_, port, err = net.SplitHostPort(addr)
	must(t, err)
	return addr, port
}
