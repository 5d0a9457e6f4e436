package doctor_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

const sso = "sso.example.com"

func port(a net.Addr) string { _, p, _ := net.SplitHostPort(a.String()); return p }

func TestOwnCertificate(t *testing.T) {
	root := newAuthority(t)
	ca := root.below()
	ends := func(d time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotAfter = time.Now().Add(d) }
	}
	for _, c := range []struct {
		name string
		pair tls.Certificate
		want string
	}{
		{"healthy", ca.issue(sso, nil, ca.cert), "ok tls.crt: for sso.example.com, until "},
		{"a wildcard", ca.issue("*.example.com", nil, ca.cert), "ok for *.example.com"},
		{"another name", ca.issue("www.example.com", nil, ca.cert), "failed not for sso.example.com"},
		{"a name in the subject only", ca.issue(sso, func(c *x509.Certificate) { c.DNSNames = nil }, ca.cert), "failed not for sso.example.com"},
		{"expired", ca.issue(sso, ends(-time.Minute), ca.cert), "failed expired"},
		{"not yet valid", ca.issue(sso, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, ca.cert), "failed valid from "},
		{"expires in 20 days", ca.issue(sso, ends(20*24*time.Hour), ca.cert), "warning expires soon"},
		{"without its chain", ca.issue(sso, nil), "warning no way from CN=Example issuing CA to a root"},
		{"of a root nobody here knows", func() tls.Certificate { o := newAuthority(t).below(); return o.issue(sso, nil, o.cert) }(), "warning does not know its root, above CN=Example root"},
		{"signed by itself", alone(t, sso, newKey(t), 0), "warning signed by itself"},
		{"not for servers", ca.issue(sso, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, ca.cert), "failed incompatible key usage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newInstallation(t)
			in.show(sso, c.pair)
			in.withTLS(c.pair)
			in.Roots = root.pool
			wants(t, in.say("certificate"), c.want)
		})
	}
}

func TestCertificateFiles(t *testing.T) {
	ca := newAuthority(t)
	in := newInstallation(t)
	in.Issuer, in.Resolver, in.Roots = "https://sso.example.com:1", resolver(t, zone{}), ca.pool
	in.withTLS(ca.issue(sso, nil))
	wants(t, in.say("certificate"), "ok until")
	in.withTLS(ca.issue(sso, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Hour) }))
	if hint := in.hint("certificate"); !strings.Contains(hint, "idp reads its own files again") {
		t.Errorf("the hint is %s", hint)
	}
	in.withTLS(ca.issue(sso, nil))
	if err := os.Chmod(in.TLSKey, 0o644); err != nil {
		t.Fatal(err)
	}
	wants(t, in.say("certificate"), "ok until", "warning tls.key (mode 0644, of ")
	key, err := os.ReadFile(in.TLSKey)
	if err != nil {
		t.Fatal(err)
	}
	in.withTLS(ca.issue(sso, nil))
	in.write("tls.key", key, 0o600)
	wants(t, in.say("certificate"), "failed private key does not match public key")
	in.write("tls.crt", []byte("x"), 0o600)
	wants(t, in.say("certificate"), "failed tls.crt")
}

// TestCertificateOfAProxy: without tls the certificate that is shown is judged,
// and with it, compared.
func TestCertificateOfAProxy(t *testing.T) {
	ca := newAuthority(t)
	in := newInstallation(t)
	in.Roots = ca.pool
	in.show(sso, ca.issue(sso, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Hour) }))
	wants(t, in.say("certificate"), "warning the one shown at https://sso.example.com:")
	if hint := in.hint("certificate"); !strings.Contains(hint, "renew it at the proxy") {
		t.Errorf("the hint is %s", hint)
	}
	in.withTLS(ca.issue(sso, nil))
	wants(t, in.say("certificate"), "ok tls.crt", "warning another certificate is shown: for sso.example.com")
	in.TLSCertificate, in.Issuer = "", "https://sso.example.com:1"
	wants(t, in.say("certificate"), "warning idp has no certificate, and the one at https://sso.example.com:1 cannot be seen")
	in.Issuer = "http://localhost:8080"
	wants(t, in.say("certificate"))
}

func TestChannelBinding(t *testing.T) {
	ca := newAuthority(t)
	ours, other := ca.issue(sso, nil), ca.issue(sso, nil)
	odd, pss := alone(t, sso, ed25519Key(t), 0), alone(t, sso, rsaKey(t), x509.SHA384WithRSAPSS)
	for _, c := range []struct {
		name, how string
		own       *tls.Certificate // tls:
		listed    *tls.Certificate // channel_binding_certificates:
		shown     tls.Certificate
		want      []string
	}{
		{"TLS here", "require", &ours, nil, ours, []string{"ok require: tickets are bound to the certificate that https://sso.example.com:"}},
		{"a proxy, listed", "allow", nil, &ours, ours, []string{"ok allow: tickets are bound"}},
		{"a proxy in front of our own TLS, listed", "require", &other, &ours, ours, []string{"ok require"}},
		{"a proxy, not listed", "allow", nil, nil, ours, []string{"warning its certificate is not known: bindings are not compared"}},
		{"a proxy, not listed, required", "require", nil, nil, ours, []string{"failed all tickets are refused"}},
		{"a proxy, another one listed", "allow", nil, &other, ours, []string{"failed clients see another certificate (sso.example.com, until "}},
		{"our own is not what clients see", "allow", &other, nil, ours, []string{"failed clients see another certificate"}},
		{"Ed25519", "allow", &odd, nil, odd, []string{"warning signed with Ed25519"}},
		{"RSA-PSS", "require", &pss, nil, pss, []string{"warning signed with RSA-PSS"}},
		{"off", "off", nil, nil, ours, []string{"ok off: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newInstallation(t)
			in.show(sso, c.shown)
			k := in.withKerberos()
			k.ChannelBinding = c.how
			if c.own != nil {
				in.withTLS(*c.own)
			}
			if c.listed != nil {
				k.ChannelBindingCertificates = []string{in.write("proxy.crt", pemOf(c.listed.Certificate...), 0o644)}
			}
			wants(t, in.say("channel_binding"), c.want...)
		})
	}
}

func TestChannelBindingThatCannotBeCompared(t *testing.T) {
	ca := newAuthority(t)
	in := newInstallation(t)
	in.Resolver = resolver(t, zone{})
	k := in.withKerberos()
	wants(t, in.say("channel_binding"), "ok allow: no TLS, no binding")
	k.ChannelBinding = "require"
	wants(t, in.say("channel_binding"), "failed without TLS no client sends a binding")
	in.Issuer = "https://sso.example.com:1"
	in.withTLS(ca.issue(sso, nil))
	wants(t, in.say("channel_binding"), "warning cannot be compared with what clients see")
	in.TLSCertificate = ""
	k.ChannelBindingCertificates = []string{in.write("none.crt", []byte("x"), 0o600), in.path("missing.crt")}
	got := in.say("channel_binding")
	wants(t, got, "failed none.crt: holds no PEM certificate", "failed missing.crt")
	if strings.Contains(strings.Join(got, ""), "bound to") {
		t.Errorf("bound to a certificate that cannot be read: %q", got)
	}
}
