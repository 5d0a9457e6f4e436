package doctor_test

import (
	"net/netip"
	"testing"

	"idp/internal/kerberos"
)

func ranges(texts ...string) (list []netip.Prefix) {
	for _, s := range texts {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

func TestProxies(t *testing.T) {
	for _, c := range []struct {
		name, issuer, listen, certificate string
		trusted                           []netip.Prefix
		kerberos                          bool
		want                              []string
	}{
		{"TLS here", "https://sso.example.com", ":443", "tls.crt", nil, true, []string{"ok none trusted"}},
		{"for trying out", "http://localhost:8080", "127.0.0.1:8080", "", nil, true, []string{"ok none trusted"}},
		{"a proxy nobody named, tickets wanted", "https://sso.example.com", ":8080", "", nil, true, []string{"failed everybody counts as outside"}},
		{"a proxy nobody named", "https://sso.example.com", "127.0.0.1:8080", "", nil, false, []string{"warning none is trusted"}},
		{"a proxy on this machine", "https://sso.example.com", "127.0.0.1:8080", "", ranges("127.0.0.1/32"), true, []string{"ok trusted: 127.0.0.1/32"}},
		{"only this machine gets here, and it is not trusted", "https://sso.example.com", "127.0.0.1:8080", "", ranges("192.0.2.7/32"), true, []string{"failed its own address is not trusted"}},
		{"everybody", "https://sso.example.com", ":8080", "", ranges("0.0.0.0/0", "::/0"), true, []string{"failed 0.0.0.0/0: anybody", "failed ::/0: anybody"}},
		{"a range that holds people", "https://sso.example.com", ":8080", "", ranges("10.0.0.0/8", "2001:db8::/32", "192.0.2.0/24"), true, []string{"warning 10.0.0.0/8", "warning 2001:db8::/32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newInstallation(t)
			in.Issuer, in.Listen, in.TLSCertificate, in.TrustedProxies = c.issuer, c.listen, c.certificate, c.trusted
			in.Resolver = resolver(t, zone{})
			if c.kerberos {
				in.withKerberos()
			}
			wants(t, in.say("proxies"), c.want...)
		})
	}
}

func TestWhoIsAskedForTicketsAndPasswords(t *testing.T) {
	for _, c := range []struct {
		check, issuer string
		change        func(*kerberos.Config)
		want          string
	}{
		{"offer_to", "https://sso.example.com", func(*kerberos.Config) {}, "ok 10.0.0.0/8"},
		{"offer_to", "https://sso.example.com", func(k *kerberos.Config) { k.OfferTo = nil }, "warning nobody is asked"},
		{"offer_to", "https://sso.example.com", func(k *kerberos.Config) { k.OfferTo = ranges("10.0.0.0/8", "::/0") }, "warning ::/0 is everybody"},
		{"realms", "https://sso.example.com", func(*kerberos.Config) {}, "ok trusted: EXAMPLE.TEST"},
		{"realms", "https://sso.example.com", func(k *kerberos.Config) { k.Realms[0].Name = "example.test" }, "warning example.test is not in capitals"},
		{"realms", "https://sso.example.com", func(k *kerberos.Config) { k.Realms = nil }, "failed none is trusted"},
		{"password", "https://sso.example.com", func(*kerberos.Config) {}, "ok fallback basic; the KDC is asked inside only, 3 guesses"},
		{"password", "https://sso.example.com", func(k *kerberos.Config) { k.PasswordFromOutside = true }, "ok also from outside"},
		{"password", "https://sso.example.com", func(k *kerberos.Config) { k.MaxFailures = 5 }, "warning max_failures is 5"},
		{"password", "http://localhost:8080", func(*kerberos.Config) {}, "warning over plain HTTP"},
	} {
		t.Run(c.check+": "+c.want, func(t *testing.T) {
			in := newInstallation(t)
			in.Issuer, in.Resolver = c.issuer, resolver(t, zone{})
			c.change(in.withKerberos())
			wants(t, in.say(c.check), c.want)
		})
	}
}
