package doctor_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// authority is a company's own: a root and what it signs with.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  crypto.Signer
	pool *x509.CertPool // the root alone
}

func newAuthority(t *testing.T) *authority {
	key := newKey(t)
	root := sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Example root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, key.Public(), key)
	a := &authority{t: t, cert: root, key: key, pool: x509.NewCertPool()}
	a.pool.AddCert(root)
	return a
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign fills in what a template leaves open; without a parent it signs itself.
func sign(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(90 * 24 * time.Hour)
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// below is an authority that the root has signed.
func (a *authority) below() *authority {
	key := newKey(a.t)
	cert := sign(a.t, &x509.Certificate{Subject: pkix.Name{CommonName: "Example issuing CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, a.cert, key.Public(), a.key)
	return &authority{t: a.t, cert: cert, key: key, pool: a.pool}
}

// issue makes a server's certificate; change may be nil. The certificates of
// chain are sent along.
func (a *authority) issue(name string, change func(*x509.Certificate), chain ...*x509.Certificate) tls.Certificate {
	key := newKey(a.t)
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if change != nil {
		change(template)
	}
	leaf := sign(a.t, template, a.cert, key.Public(), a.key)
	pair := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair
}

// alone signs itself with a key of another kind.
func alone(t *testing.T, name string, key crypto.Signer, algorithm x509.SignatureAlgorithm) tls.Certificate {
	leaf := sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, SignatureAlgorithm: algorithm}, nil, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

func ed25519Key(t *testing.T) crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T) crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// withTLS writes a certificate and its key and names them in the configuration.
func (in *installation) withTLS(pair tls.Certificate) {
	in.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		in.t.Fatal(err)
	}
	in.TLSCertificate = in.write("tls.crt", pemOf(pair.Certificate...), 0o644)
	in.TLSKey = in.write("tls.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

func pemOf(ders ...[]byte) (text []byte) {
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

// show listens at the address that the issuer's name has and shows a
// certificate, as a proxy does, or idp itself.
func (in *installation) show(host string, pair tls.Certificate) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are not gone on with
	srv.StartTLS()
	in.t.Cleanup(srv.Close)
	in.reach(host, "https", srv)
}

// reach makes the issuer a name that the DNS gives the server's address.
func (in *installation) reach(host, scheme string, srv *httptest.Server) {
	in.Resolver = resolver(in.t, zone{host + " A": {"127.0.0.1"}})
	in.Issuer = scheme + "://" + host + ":" + port(srv.Listener.Addr())
}
