package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"idp/internal/config"
	"idp/internal/directory/ldaptest"
	"idp/internal/doctor"
	"idp/internal/doctor/dnstest"
	"idp/internal/doctor/report"
	"idp/internal/kerberos/krbtest"
	"idp/internal/server"
)

// setUp is an installation that is broken in one place, made for real, and what
// doctor must say about it.
type setUp struct {
	name string // of its output in the document
	more string // another principal of the realm and in the keytab
	mend func(p *place, r *krbtest.Realm)
	want []string // beginnings of lines, each followed by "…" and a text in it
	run  func(p *place) string
	only string // the check whose lines are shown, good ones too; empty: those that are not ok
}

var setUps = []setUp{
	{name: "keytab-missing", want: []string{"failed   keytab …http.keytab is not there"},
		mend: func(p *place, _ *krbtest.Realm) { p.remove("http.keytab") }},
	{name: "rc4-only", want: []string{"failed   keytab …rc4 (not accepted)", "failed   key_version …is sealed with rc4"},
		mend: func(p *place, r *krbtest.Realm) {
			p.kadmin(r, "delprinc -force HTTP/sso.localhost\naddprinc -e arcfour-hmac:normal -randkey HTTP/sso.localhost\n")
			p.export(r, "HTTP/sso.localhost")
		}},
	{name: "key-version", more: "svc-sso", want: []string{"failed   key_version …the KDC has kvno 2, the keytab 1"},
		mend: func(p *place, r *krbtest.Realm) { p.kadmin(r, "cpw -randkey HTTP/sso.localhost\n") }},
	{name: "key-version-alone", want: []string{"failed   key_version …does not take the keytab's key of HTTP/sso.localhost@EXAMPLE.TEST (kvno 1)"},
		mend: func(p *place, r *krbtest.Realm) { p.kadmin(r, "cpw -randkey HTTP/sso.localhost\n") }},
	{name: "cname", more: "HTTP/sso.example.test", want: []string{"failed   spn …Chromium and Edge ask for HTTP/web.example.test", "failed   key_version …the KDC does not know HTTP/web.example.test"},
		mend: func(p *place, _ *krbtest.Realm) {
			p.certificate("sso.example.test")
			p.edit("issuer: https://sso.localhost", "issuer: https://sso.example.test")
			p.edit("listen: 127.0.0.1", "listen: 127.0.0.7") // no hosts file gives that a name
		},
		run: func(p *place) string {
			return p.inProcess(dnstest.Zone{"sso.example.test CNAME": {"web.example.test"}, "web.example.test A": {"127.0.0.7"},
				"7.0.0.127.in-addr.arpa PTR": {"sso.example.test"}})
		}},
	{name: "spn-unknown", more: "svc-sso", want: []string{"failed   key_version …the KDC does not know HTTP/sso.localhost@EXAMPLE.TEST"},
		mend: func(p *place, r *krbtest.Realm) { p.kadmin(r, "delprinc -force HTTP/sso.localhost\n") }},
	{name: "kdc-down", want: []string{"failed   kdc …does not answer (UDP: refused; TCP: refused)"},
		mend: func(_ *place, r *krbtest.Realm) { r.Stop() }},
	{name: "udp-blocked", want: []string{"warning  kdc …answers over TCP, not over UDP"},
		mend: func(p *place, r *krbtest.Realm) {
			tcp := r.TCPOnly(p.T)
			p.editFile(r.Krb5Conf, r.Addr, tcp)
			p.editFile(r.Krb5Conf, "udp_preference_limit = 1\n", "")
			p.nicer = append(p.nicer, tcp, "127.0.0.1:88", strings.Replace(tcp, ":", " ", 1), "127.0.0.1 88", "UDP "+tcp[len("127.0.0.1:"):], "UDP 88")
		}},
	{name: "clock", want: []string{"failed   clock …10 minutes behind the KDC"},
		mend: func(p *place, r *krbtest.Realm) { p.no(r.SetClock(10 * time.Minute)) }},
	{name: "certificate", want: []string{"failed   certificate …not for sso.localhost"},
		mend: func(p *place, _ *krbtest.Realm) { p.certificate("www.localhost") }},
	{name: "channel-binding", want: []string{"failed   channel_binding …its certificate is not known"},
		mend: func(p *place, _ *krbtest.Realm) {
			p.edit("tls: {certificate: sso.crt, key: sso.key}\n", "trusted_proxies: [127.0.0.1/32]\n")
			p.proxy()
		}},
	{name: "untrusted-proxy", want: []string{"failed   inside …a proxy in between is not in trusted_proxies"},
		mend: func(p *place, _ *krbtest.Realm) {
			p.edit("tls: {certificate: sso.crt, key: sso.key}\n", "trusted_proxies: [192.0.2.7/32]\n")
			p.edit("channel_binding: require", "channel_binding_certificates: [sso.crt]")
			p.proxy()
		}},
	{name: "somebody-else", want: []string{"failed   server …says that it is"},
		mend: func(p *place, _ *krbtest.Realm) {
			p.edit("tls: {certificate: sso.crt, key: sso.key}\n", "trusted_proxies: [127.0.0.1/32]\n")
			p.edit("channel_binding: require", "channel_binding_certificates: [sso.crt]")
			other := newPlace(p.T, "")
			other.Serve()
			p.proxyTo(other.URL)
			p.nicer = append(p.nicer, other.URL, "http://127.0.0.1:8080")
		}},
}

func init() {
	another := func(old, text string) func(*ldaptest.Server, string) string {
		return func(_ *ldaptest.Server, section string) string { return strings.Replace(section, old, text, 1) }
	}
	setUps = append(setUps,
		setUp{name: "directory", only: "directory", want: []string{"ok       directory …people are to be seen below dc=example,dc=test"}, mend: withDirectory(nil)},
		setUp{name: "directory-password", want: []string{"failed   directory …bind: "}, mend: withDirectory(func(s *ldaptest.Server, section string) string {
			ldaptest.WriteFile(s.T(), s.Dir+"/bind.password", []byte("another\n"))
			return section
		})},
		setUp{name: "directory-certificate", want: []string{"failed   directory …TLS: "}, mend: withDirectory(func(s *ldaptest.Server, section string) string {
			ldaptest.WriteFile(s.T(), s.Dir+"/ca.pem", ldaptest.NewAuthority(s.T()).PEM)
			return section
		})},
		setUp{name: "directory-base", want: []string{"failed   directory …search: "}, mend: withDirectory(another("base: dc=example,dc=test", "base: dc=example,dc=com"))},
		setUp{name: "directory-down", want: []string{"failed   directory …connect: "}, mend: withDirectory(func(s *ldaptest.Server, section string) string { s.Stop(); return section })},
	)
}

// TestDoctorNamesTheBreak: each set-up is made, doctor names what is broken in it,
// and the document shows what it says. With -update the document is written.
func TestDoctorNamesTheBreak(t *testing.T) {
	for _, s := range append(setUps, setUp{name: "healthy"}) {
		t.Run(s.name, func(t *testing.T) {
			var more []string
			if s.more != "" {
				more = append(more, s.more)
			}
			p, r := healthy(t, more...)
			if s.mend != nil {
				s.mend(p, r)
			}
			p.start()
			var out string
			if s.run != nil {
				out = s.run(p)
			} else {
				out, _, _ = p.doctor()
			}
			out = p.forReaders(out, r)
			for _, want := range s.want {
				begins, has, _ := strings.Cut(want, "…")
				if !hasLine(out, begins, has) {
					t.Errorf("no line %q with %q in\n%s", begins, has, out)
				}
			}
			if s.only != "" {
				out = linesOf(s.only, out)
			} else if s.name != "healthy" {
				out = notOK(out)
			}
			compareDoc(t, s.name, out)
		})
	}
}

// linesOf are the lines of one check, with what mends them.
func linesOf(check, out string) (lines string) {
	mine := false
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, " ") {
			mine = strings.Fields(line)[1] == check
		}
		if mine {
			lines += line
		}
	}
	return lines
}

// withDirectory is a set-up with a directory in which there is somebody; change makes
// of the section in the file another.
func withDirectory(change func(s *ldaptest.Server, section string) string) func(*place, *krbtest.Realm) {
	return func(p *place, _ *krbtest.Realm) {
		s := ldaptest.Start(p.T)
		s.AddPerson("alice")
		section := s.YAML("")
		if change != nil {
			section = change(s, section)
		}
		p.edit("kerberos:\n", section+"kerberos:\n")
		p.nicer = append(p.nicer, s.Dir+"/", "", strings.TrimPrefix(s.LDAPS, "ldaps://"), "ldap.example.com:636", strings.TrimPrefix(s.LDAP, "ldap://"), "ldap.example.com:389")
	}
}

func hasLine(out, begins, has string) bool {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, begins) && strings.Contains(line, has) {
			return true
		}
	}
	return false
}

func (p *place) no(err error) {
	p.T.Helper()
	if err != nil {
		p.T.Fatal(err)
	}
}

func (p *place) remove(name string) { p.T.Helper(); p.no(os.Remove(filepath.Join(p.Dir, name))) }

func (p *place) kadmin(r *krbtest.Realm, commands string) { p.T.Helper(); p.no(r.Kadmin(commands)) }

// export makes a new keytab.
func (p *place) export(r *krbtest.Realm, names ...string) {
	p.T.Helper()
	p.no(r.ExportKeytab(filepath.Join(p.Dir, "http.keytab"), names...))
}

// edit replaces a text of the configuration.
func (p *place) edit(old, text string) {
	p.T.Helper()
	p.editFile(filepath.Join(p.Dir, "idp.yaml"), old, text)
}

func (p *place) editFile(path, old, text string) {
	p.T.Helper()
	b, err := os.ReadFile(path)
	p.no(err)
	if !strings.Contains(string(b), old) {
		p.T.Fatalf("no %q in\n%s", old, b)
	}
	p.no(os.WriteFile(path, []byte(strings.ReplaceAll(string(b), old, text)), 0o600))
}

// proxy ends TLS in front of idp, forwards as proxies do, and makes its address
// the issuer's.
func (p *place) proxy() { p.T.Helper(); p.proxyTo(p.URL) }

func (p *place) proxyTo(backend string) {
	p.T.Helper()
	to, err := url.Parse(backend)
	p.no(err)
	pair, err := tls.LoadX509KeyPair(filepath.Join(p.Dir, "sso.crt"), filepath.Join(p.Dir, "sso.key"))
	p.no(err)
	srv := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.SetXForwarded() }})
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	srv.Config.MaxHeaderBytes = 1 << 20
	srv.StartTLS()
	p.T.Cleanup(srv.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(p.URL, "http://"), ":")
	p.edit("issuer: https://sso.localhost:"+port, "issuer: https://sso.localhost:"+srv.URL[strings.LastIndexByte(srv.URL, ':')+1:])
	edge := srv.URL[strings.LastIndexByte(srv.URL, ':'):]
	p.nicer = append(p.nicer, "-connect sso.localhost"+edge, "-connect sso.localhost:443", edge, "")
}

// inProcess runs doctor with a DNS of its own, which a program cannot be given.
func (p *place) inProcess(z dnstest.Zone) string {
	p.T.Helper()
	p.T.Chdir(p.Dir)
	cfg, err := config.Load("idp.yaml", nil)
	p.no(err)
	c := server.Doctor(cfg, nil, versionText())
	c.Resolver, c.Roots = dnstest.Resolver(p.T, z), x509.NewCertPool()
	root, err := os.ReadFile("sso.crt")
	p.no(err)
	c.Roots.AppendCertsFromPEM(root)
	var b bytes.Buffer
	p.no(report.Print(&b, doctor.Run(p.T.Context(), c)))
	return b.String()
}
