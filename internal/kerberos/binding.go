package kerberos

import (
	"crypto"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// EndPointHash is the tls-server-end-point channel binding of a certificate,
// RFC 5929 §4.1.
func EndPointHash(cert *x509.Certificate) []byte {
	d := EndPointAlgorithm(cert).New()
	d.Write(cert.Raw)
	return d.Sum(nil)
}

// EndPointAlgorithm is the hash that EndPointHash takes: that of the certificate's
// own signature, SHA-256 where it is MD5, SHA-1 or none (Ed25519).
func EndPointAlgorithm(cert *x509.Certificate) crypto.Hash {
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		return crypto.SHA512
	default:
		return crypto.SHA256
	}
}

// certificateBindings reads the end point hashes of PEM files' certificates.
func certificateBindings(files []string) ([][]byte, error) {
	var out [][]byte
	var errs []error
	for _, f := range files {
		cert, err := ReadCertificate(f)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, EndPointHash(cert))
	}
	return out, errors.Join(errs...)
}

// ReadCertificate reads the first certificate of a PEM file of at most 1 MB: the
// server's own comes first in a chain.
func ReadCertificate(file string) (*x509.Certificate, error) {
	b, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return cert, nil
	}
	return nil, fmt.Errorf("%s: holds no PEM certificate", file)
}

// checkBinding compares the channel binding in the authenticator's checksum with
// our certificates: a token lured out of a browser by another site is bound to
// that site's certificate.
func (a *Acceptor) checkBinding(auth *wire.Authenticator) error {
	s := auth.Sum
	if auth.SumType != wire.GSSChecksum || len(s) < 24 || binary.LittleEndian.Uint32(s) != uint32(len(wire.Binding{})) {
		return reason.Refuse(reason.Malformed, "no GSS-API checksum in the authenticator (RFC 4121 §4.1.1)")
	}
	if a.opts.ChannelBinding == bindingOff {
		return nil
	}
	got := wire.Binding(s[4:20])
	if got == (wire.Binding{}) {
		if a.opts.ChannelBinding == bindingRequire {
			return reason.Refuse(reason.ChannelBinding, "the client sent none, and channel_binding is require")
		}
		return nil
	}
	ours := a.bindings
	if a.opts.ChannelBindings != nil {
		ours = append(ours[:len(ours):len(ours)], a.opts.ChannelBindings()...)
	}
	if len(ours) == 0 && a.opts.ChannelBinding != bindingRequire {
		return nil // we do not know the certificate the client sees
	}
	for _, h := range ours {
		if wire.Bnd(h) == got {
			return nil
		}
	}
	return reason.Refuse(reason.ChannelBinding, "the token was made for another TLS certificate; behind a proxy set channel_binding_certificates")
}

// maxFile bounds a file of certificates, in bytes.
const maxFile = 1 << 20

// readBounded reads a file of at most maxFile bytes.
func readBounded(file string) ([]byte, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("%s: not a file of at most 1 MB", file)
	}
	return os.ReadFile(file) //nolint:gosec // the admin names the files
}
