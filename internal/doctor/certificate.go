package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
	"idp/internal/kerberos"
)

// expiresSoon is when a certificate's end becomes a warning: time for a renewal
// that needs people.
const expiresSoon = 21 * 24 * time.Hour

// certificate judges what people are shown at the issuer's address: our own
// files, or where a proxy ends TLS, what it shows.
func (e *exam) certificate(context.Context) []report.Line {
	if e.issuer.Scheme != "https" {
		return nil
	}
	if e.TLSCertificate == "" {
		chain, err := e.shown()
		if err != nil {
			return report.Warning("run this again when the proxy and idp run", "idp has no certificate, and the one at %s cannot be seen: %v", e.Issuer, err)
		}
		return e.judgeChain("the one shown at "+e.Issuer, chain)
	}
	pair, err := tls.LoadX509KeyPair(e.TLSCertificate, e.TLSKey)
	if err != nil {
		return report.Failed("a PEM certificate with its chain, and the PEM key that belongs to it", "%s and %s: %v", e.TLSCertificate, e.TLSKey, err)
	}
	chain, err := parseChain(pair.Certificate)
	if err != nil {
		return report.Failed("a PEM certificate with its chain, the server's own first", "%s: %v", e.TLSCertificate, err)
	}
	lines := e.judgeChain(e.TLSCertificate, chain)
	if info, err := os.Stat(e.TLSKey); err == nil && look.ForOthers(info) {
		lines = append(lines, report.Warning("chmod 0600 "+e.TLSKey, "%s (mode %s, of %s) can be read by everybody on this host", e.TLSKey, look.Mode(info), look.Owner(info))...)
	}
	return append(lines, e.compareShown(chain[0])...)
}

func parseChain(ders [][]byte) (chain []*x509.Certificate, err error) {
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	return chain, nil
}

func (e *exam) judgeChain(what string, chain []*x509.Certificate) []report.Line {
	leaf, now := chain[0], e.Now()
	left := leaf.NotAfter.Sub(now)
	r := report.Line{Level: report.LevelOK, Details: map[string]any{
		"subject": leaf.Subject.String(), "issuer": leaf.Issuer.String(), "names": leaf.DNSNames, "not_after": leaf.NotAfter.UTC(), "chain": len(chain),
		"signature": leaf.SignatureAlgorithm.String(), "end_point_hash": kerberos.EndPointAlgorithm(leaf).String(),
	}}
	r.Text = what + ": for " + strings.Join(leaf.DNSNames, ", ") + ", until " + report.Day(leaf.NotAfter)
	set := func(level report.Level, hint, text string) []report.Line {
		r.Level, r.Hint, r.Text = level, hint, r.Text+": "+text
		return []report.Line{r}
	}
	if err := leaf.VerifyHostname(e.issuer.Hostname()); err != nil {
		return set(report.LevelFailed, "a certificate whose subjectAltName has DNS:"+e.issuer.Hostname(), "not for "+e.issuer.Hostname())
	}
	switch {
	case left <= 0:
		return set(report.LevelFailed, e.renew(), "expired")
	case now.Before(leaf.NotBefore):
		return set(report.LevelFailed, "is this machine's clock right?", "valid from "+leaf.NotBefore.UTC().Format(time.RFC3339)+" only")
	}
	if level, hint, text := e.chainProblem(chain); level != report.LevelOK {
		return set(level, hint, text)
	}
	if left < expiresSoon {
		return set(report.LevelWarning, e.renew(), "expires soon")
	}
	return []report.Line{r}
}

// renew is what to do with a certificate that ends: a proxy's own is none of idp's files.
func (e *exam) renew() string {
	if e.TLSCertificate == "" {
		return "renew it at the proxy, which has to read it again: nginx -s reload; systemctl reload haproxy or apache2"
	}
	return "renew it; idp reads its own files again by itself"
}

// chainProblem builds the chain from what is sent and the system's roots, as a
// browser does that fetches nothing.
func (e *exam) chainProblem(chain []*x509.Certificate) (report.Level, string, string) {
	leaf, between := chain[0], x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: e.Roots, Intermediates: between, CurrentTime: e.Now()})
	var stranger x509.UnknownAuthorityError
	switch {
	case err == nil:
		return report.LevelOK, "", ""
	case !errors.As(err, &stranger):
		return report.LevelFailed, "browsers will say the same", err.Error()
	case leaf.CheckSignatureFrom(leaf) == nil || string(leaf.RawIssuer) == string(leaf.RawSubject):
		return report.LevelWarning, "browsers must know it: use one of your company's authority", "signed by itself"
	case len(chain) == 1:
		return report.LevelWarning, "append the certificates between it and the root to the file; a company's own root belongs into the system's store here and on every client", "this machine knows no way from " + leaf.Issuer.String() + " to a root, and no other certificate is sent along"
	default:
		return report.LevelWarning, "a company's own root belongs into the system's store, here (update-ca-certificates) and on every client", "this machine does not know its root, above " + chain[len(chain)-1].Issuer.String()
	}
}

// compareShown: the file is what people see, unless something in between ends
// TLS, or the server could not read a new file.
func (e *exam) compareShown(leaf *x509.Certificate) []report.Line {
	shown, err := e.shown()
	if err != nil || shown[0].Equal(leaf) {
		return nil // whether it answers is another check's line
	}
	return report.Warning("a proxy in between ends TLS: trusted_proxies and kerberos.channel_binding_certificates must know it; none in between: restart idp, its log says what was wrong with the new files",
		"at %s another certificate is shown: for %s, until %s", e.Issuer, strings.Join(shown[0].DNSNames, ", "), report.Day(shown[0].NotAfter))
}

// handshake returns the certificates that the issuer's address shows.
func (e *exam) handshake(ctx context.Context) ([]*x509.Certificate, error) {
	if e.issuer.Scheme != "https" {
		return nil, errors.New("the issuer is not https")
	}
	return e.network.Certificates(ctx, net.JoinHostPort(e.issuer.Hostname(), issuerPort(e)), e.issuer.Hostname())
}
