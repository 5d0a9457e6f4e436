// Package mailtest runs a real mail server for tests: Python's aiosmtpd, on loopback,
// with STARTTLS under a certificate of its own and a login.
package mailtest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed" // the server
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

//go:embed smtp.py
var program string

// Password is that of the login idp.
const Password = "letter box"

// Server is a mail server.
type Server struct {
	Port   int
	CAFile string // what signed its certificate; empty: it has no TLS

	t      testing.TB
	folder string
	stop   func()
}

// Start runs one with STARTTLS until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, folder: t.TempDir()}
	s.CAFile = filepath.Join(s.folder, "cert.pem")
	s.certify()
	s.Restart()
	return s
}

// StartPlain runs one without TLS and login.
func StartPlain(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, folder: t.TempDir()}
	s.Restart()
	return s
}

// YAML is the section smtp for it.
func (s *Server) YAML() string {
	password := filepath.Join(s.folder, "password")
	if err := os.WriteFile(password, []byte(Password+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf("smtp: {host: localhost, port: %d, from: sso@example.com, username: idp, password_file: %s, ca_file: %s}\n", s.Port, password, s.CAFile)
}

// Restart starts it again, at the same port and with the mail it has.
func (s *Server) Restart() {
	s.t.Helper()
	cmd := exec.Command("/usr/bin/python3", "-c", program, s.folder, strconv.Itoa(s.Port)) // the system's, which has the package
	stdin, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("the mail server (python3-aiosmtpd): %v", err)
	}
	done := false
	s.stop = func() {
		if !done {
			done = true
			_ = stdin.Close()
			_ = cmd.Wait()
		}
	}
	s.t.Cleanup(s.stop)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		s.stop()
		s.t.Fatalf("the mail server (python3-aiosmtpd): %v\n%s", err, errs.String())
	}
	if s.Port, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		s.t.Fatal(err)
	}
}

// Stop ends it.
func (s *Server) Stop() { s.stop() }

// Message is a mail that it has got.
type Message struct {
	From   string      `json:"from"`
	To     []string    `json:"to"`
	TLS    bool        `json:"tls"`
	Login  string      `json:"login"`
	Source string      `json:"text"` // as it was sent
	Header mail.Header `json:"-"`
	Text   string      `json:"-"`
}

// Messages are those that it has got, oldest first.
func (s *Server) Messages() (all []Message) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.folder, "*.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		var m Message
		if err := json.Unmarshal(text, &m); err != nil {
			s.t.Fatal(err)
		}
		parsed, err := mail.ReadMessage(strings.NewReader(m.Source))
		if err != nil {
			s.t.Fatalf("%v\n%s", err, m.Source)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(parsed.Body))
		if err != nil {
			s.t.Fatal(err)
		}
		m.Header, m.Text = parsed.Header, strings.ReplaceAll(string(body), "\r\n", "\n")
		all = append(all, m)
	}
	return all
}

// Await waits until it has n messages.
func (s *Server) Await(n int) []Message {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		all := s.Messages()
		if len(all) >= n {
			return all
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d messages, want %d: %+v", len(all), n, all)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *Server) certify() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(s.folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}
