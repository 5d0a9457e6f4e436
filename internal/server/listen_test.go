package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"idp/internal/config"
)

// writePair writes a certificate with this serial number, its key, or both.
func writePair(t *testing.T, files config.TLS, serial int64, what ...string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	cert, err1 := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	der, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for _, w := range what {
		path, block := files.Certificate, &pem.Block{Type: "CERTIFICATE", Bytes: cert}
		if w == "key" {
			path, block = files.Key, &pem.Block{Type: "PRIVATE KEY", Bytes: der}
		}
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestABrokenNewCertificateKeepsTheOldAndIsLoggedOnce(t *testing.T) {
	t.Parallel()
	dir, log := t.TempDir(), &bytes.Buffer{}
	files := config.TLS{Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	c := &certificate{files: files, log: slog.New(slog.NewTextHandler(log, nil))}
	serial := func() int64 {
		t.Helper()
		c.looked = time.Time{} // a second later
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.Int64()
	}
	if _, err := c.get(nil); err == nil {
		t.Error("no files, no error")
	}
	writePair(t, files, 1, "certificate", "key")
	if n := serial(); n != 1 {
		t.Errorf("serial number %d, want 1", n)
	}
	writePair(t, files, 2, "certificate") // the key is still the old one
	for range 3 {
		if n := serial(); n != 1 {
			t.Errorf("serial number %d, want the last good one, 1", n)
		}
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d log lines of a broken pair, want 1:\n%s", n, log)
	}
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 1 || strings.Count(log.String(), "level=ERROR") != 2 {
		t.Errorf("serial number %d, want 1 and another log line:\n%s", n, log)
	}
	writePair(t, files, 3, "certificate", "key")
	if n := serial(); n != 3 {
		t.Errorf("serial number %d, want 3", n)
	}
}

func TestAKeyThatComesAfterItsCertificateIsSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := config.TLS{Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	next := config.TLS{Certificate: files.Certificate, Key: filepath.Join(dir, "next.key")}
	c := &certificate{files: files, log: slog.New(slog.DiscardHandler)}
	writePair(t, files, 1, "certificate", "key")
	if _, err := c.get(nil); err != nil {
		t.Fatal(err)
	}
	writePair(t, next, 2, "certificate", "key")
	c.looked = time.Time{}
	if _, err := c.get(nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next.Key, files.Key); err != nil {
		t.Fatal(err)
	}
	c.looked = time.Time{}
	pair, err := c.get(nil)
	if err != nil || pair.Leaf.SerialNumber.Int64() != 2 {
		t.Errorf("%v, serial number %v, want the new pair, 2", err, pair.Leaf.SerialNumber)
	}
}

func TestTLSOffersOnlyWhatRFC9325Recommends(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := config.TLS{Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	writePair(t, files, 1, "certificate", "key")
	handshake := func(client *tls.Config) error {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		go func() {
			_ = tls.Server(b, tlsConfig(&certificate{files: files})).HandshakeContext(t.Context())
			_ = b.Close()
		}()
		client.InsecureSkipVerify = true
		return tls.Client(a, client).HandshakeContext(t.Context())
	}
	for name, c := range map[string]struct {
		client *tls.Config
		ok     bool
	}{
		"1.3":               {&tls.Config{MinVersion: tls.VersionTLS13}, true},
		"1.2 with GCM":      {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}, true},
		"1.2 with CBC":      {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}}, false},
		"1.2 without ECDHE": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}, false},
		"1.1":               {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
	} {
		if err := handshake(c.client); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
