package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"idp/internal/doctor/report"
	"idp/internal/kerberos"
)

// known is a certificate that tokens may be bound to.
type known struct {
	file string
	leaf *x509.Certificate
}

// channelBinding: a token is bound to the certificate its client sees
// (tls-server-end-point, RFC 5929 §4), so we must know that certificate.
func (e *exam) channelBinding(context.Context) []report.Line {
	if e.Kerberos == nil {
		return nil
	}
	how := e.Kerberos.ChannelBinding
	required := how == "require"
	switch {
	case how == "off":
		return report.OK("off: a token that another site lured out of a browser is not noticed")
	case e.issuer.Scheme != "https" && required:
		return report.Failed("channel_binding: allow, or an https issuer", "require, and the issuer is not https: without TLS no client sends a binding, all tickets are refused")
	case e.issuer.Scheme != "https":
		return report.OK("%s: no TLS, no binding", how)
	case required && e.TLSCertificate == "" && len(e.Kerberos.ChannelBindingCertificates) == 0:
		return report.Failed(e.nameIt(), "require, a proxy ends TLS, and its certificate is not known: all tickets are refused")
	}
	ours, bad := e.bound()
	return append(bad, e.judgeBinding(how, ours)...)
}

func (e *exam) judgeBinding(how string, ours []known) []report.Line {
	if len(ours) == 0 {
		if how == "require" {
			return nil // the lines about the files say it
		}
		return report.Warning(e.nameIt(), "%s, but a proxy ends TLS and its certificate is not known: bindings are not compared", how)
	}
	shown, err := e.shown()
	if err != nil {
		return report.Warning("run this again when "+e.Issuer+" answers", "%s: bound to %s; cannot be compared with what clients see: %v", how, fileNames(ours), err)
	}
	if !slices.ContainsFunc(ours, func(k known) bool { return k.leaf.Equal(shown[0]) }) {
		return report.Failed(e.nameIt(), "clients see another certificate (%s, until %s) than idp knows (%s): tickets bound to it are refused", strings.Join(shown[0].DNSNames, " "), report.Day(shown[0].NotAfter), fileNames(ours))
	}
	if note := oddHash(shown[0]); note != "" {
		return report.Warning("use a certificate signed with ECDSA or RSA PKCS #1 and SHA-256", "%s: %s", how, note)
	}
	return report.OK("%s: tickets are bound to the certificate that %s shows (tls-server-end-point, %s)", how, e.Issuer, kerberos.EndPointAlgorithm(shown[0]))
}

// nameIt is the command that fetches the certificate clients see.
func (e *exam) nameIt() string {
	return fmt.Sprintf("openssl s_client -connect %s:%s -servername %s </dev/null | openssl x509 > proxy.crt, and channel_binding_certificates: [proxy.crt]",
		e.issuer.Hostname(), issuerPort(e), e.issuer.Hostname())
}

// bound are the certificates idp takes bindings for, as it reads them: the first
// of each file.
func (e *exam) bound() (ours []known, bad []report.Line) {
	if pair, err := tls.LoadX509KeyPair(e.TLSCertificate, e.TLSKey); err == nil {
		ours = append(ours, known{e.TLSCertificate, pair.Leaf})
	}
	for _, file := range e.Kerberos.ChannelBindingCertificates {
		leaf, err := kerberos.ReadCertificate(file)
		if err != nil {
			bad = append(bad, report.Failed("name PEM files that hold the certificate clients see", "channel_binding_certificates: %v", err)...)
			continue
		}
		ours = append(ours, known{file, leaf})
	}
	return ours, bad
}

// oddHash tells of signatures for which clients disagree about the hash: RFC 5929
// §4.1 leaves those without a hash of their own undefined.
func oddHash(c *x509.Certificate) string {
	switch c.SignatureAlgorithm {
	case x509.PureEd25519:
		return "the certificate is signed with Ed25519, for which RFC 5929 defines no binding: some clients send none, some one by SHA-256"
	case x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		return "the certificate is signed with RSA-PSS, for which some clients cannot compute the binding"
	default:
		return ""
	}
}

func fileNames(ours []known) string {
	var out []string
	for _, k := range ours {
		out = append(out, k.file)
	}
	return strings.Join(out, ", ")
}
