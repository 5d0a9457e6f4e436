package doctor_test

import (
	"testing"

	"idp/internal/kerberos/krbtest"
)

// TestNamesThatBrowsersAskFor: a real keytab with keys for sso and web, and what
// the DNS makes of the issuer's name.
func TestNamesThatBrowsersAskFor(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{Services: []string{"HTTP/sso.example.com", "HTTP/web.example.com"}})
	only := func(names ...string) string {
		path := t.TempDir() + "/http.keytab"
		if err := r.ExportKeytab(path, names...); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := r.Kadmin("addprinc -e arcfour-hmac:normal -randkey HTTP/old.example.com\n"); err != nil {
		t.Fatal(err)
	}
	old := only("HTTP/old.example.com")
	sso, web := only("HTTP/sso.example.com"), only("HTTP/web.example.com")
	cname := zone{"sso.example.com CNAME": {"web.example.com"}, "web.example.com A": {"127.0.0.7"}, "7.0.0.127.in-addr.arpa PTR": {"web.example.com"}}
	for _, c := range []struct {
		name   string
		issuer string
		zone   zone
		keytab string
		want   []string
	}{
		{"an A record", "https://SSO.example.com:1", zone{"sso.example.com A": {"127.0.0.7"}}, sso,
			[]string{"ok browsers ask for HTTP/sso.example.com: in the keytab"}},
		{"no key for it", "https://sso.example.com:1", zone{"sso.example.com A": {"127.0.0.7"}, "web.example.com A": {"127.0.0.7"}}, web,
			[]string{"failed HTTP/sso.example.com, which no keytab has (there: HTTP/web.example.com)"}},
		{"a key that is not accepted", "https://old.example.com:1", zone{"old.example.com A": {"127.0.0.7"}}, old,
			[]string{"failed HTTP/old.example.com, which no keytab has (there: none)"}},
		{"a CNAME, both keys", "https://sso.example.com:1", cname, r.Keytab,
			[]string{"ok sso.example.com is a CNAME of web.example.com"}},
		{"a CNAME, the key of the alias only", "https://sso.example.com:1", cname, sso,
			[]string{"warning Chromium and Edge ask for HTTP/web.example.com, which no keytab has",
				"warning 127.0.0.7 is called web.example.com in the reverse zone"}},
		{"a CNAME, the key of the machine only", "https://sso.example.com:1", cname, web,
			[]string{"warning only HTTP/web.example.com is in the keytab: clients that do not follow CNAMEs ask for HTTP/sso.example.com"}},
		{"a CNAME, no key", "https://www.example.com:1", zone{"www.example.com CNAME": {"host.example.com"}, "host.example.com A": {"127.0.0.8"}, "sso.example.com A": {"127.0.0.7"}}, sso,
			[]string{"failed HTTP/host.example.com or HTTP/www.example.com, and no keytab has either"}},
		{"another name in the reverse zone", "https://sso.example.com:1", zone{"sso.example.com A": {"127.0.0.7"}, "7.0.0.127.in-addr.arpa PTR": {"host7.example.net"}}, sso,
			[]string{"ok in the keytab", "warning 127.0.0.7 is called host7.example.net in the reverse zone: MIT clients"}},
		{"an alias that is nowhere", "https://sso.example.com:1", zone{"sso.example.com A": {"127.0.0.7"}}, r.Keytab,
			[]string{"ok in the keytab", "warning HTTP/web.example.com is in the keytab, and the DNS does not know web.example.com"}},
		{"not in the DNS", "https://sso.example.com:1", zone{}, sso, []string{"failed sso.example.com is not in the DNS"}},
		{"a broken DNS", "https://sso.example.com:1", zone{"sso.example.com SERVFAIL": nil}, sso, []string{"failed the DNS does not answer for sso.example.com"}},
		{"a broken reverse zone", "https://sso.example.com:1", zone{"sso.example.com A": {"127.0.0.7"}, "7.0.0.127.in-addr.arpa SERVFAIL": nil}, sso,
			[]string{"ok in the keytab", "warning the DNS does not say which names 127.0.0.7 has"}},
		{"an address", "https://127.0.0.7:1", zone{}, sso, []string{`warning the issuer is the address "127.0.0.7"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newInstallation(t)
			in.withKerberos().Keytabs = []string{c.keytab}
			in.Issuer, in.Resolver = c.issuer, resolver(t, c.zone)
			wants(t, in.say("spn"), c.want...)
		})
	}
}

// TestLocalNamesNeedNoDNS: *.localhost is loopback for browsers, whatever the
// resolver says.
func TestLocalNamesNeedNoDNS(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	in := newInstallation(t)
	in.withKerberos().Keytabs = []string{r.Keytab}
	in.Issuer, in.Resolver = "http://idp.localhost:8080", resolver(t, zone{})
	wants(t, in.say("spn"), "ok browsers ask for HTTP/idp.localhost: in the keytab")
}
