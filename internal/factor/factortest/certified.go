package factortest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// certified is a packed attestation statement (§8.2) by a maker whom nobody knows.
func certified(t testing.TB, message []byte) map[string]any {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	maker := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		Subject: pkix.Name{Country: []string{"DE"}, Organization: []string{"Maker"}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "Maker of keys"}}
	certificate, err := x509.CreateCertificate(rand.Reader, maker, maker, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	sig := (&Key{private: key}).sign(t, message)
	return map[string]any{"alg": -7, "sig": sig, "x5c": [][]byte{certificate}}
}
