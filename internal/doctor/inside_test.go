package doctor_test

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

// TestHowTheServerSeesUs: directly, and through a real proxy that it does or does
// not know.
func TestHowTheServerSeesUs(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	for _, c := range []struct {
		name, yaml string
		proxy      func(*httputil.ProxyRequest) // nil: none
		offer      []string                     // as the doctor reads it
		want       []string
	}{
		{"directly", idptest.KerberosYAML(r), nil, []string{"127.0.0.0/8"}, []string{"ok (127.0.0.1) as inside, and asks for a ticket"}},
		{"outside", idptest.KerberosYAML(r) + "  offer_to: [192.0.2.0/24]\n", nil, []string{"192.0.2.0/24"}, []string{"ok sees this machine as 127.0.0.1, which is outside, as offer_to has it"}},
		{"not restarted", idptest.KerberosYAML(r) + "  offer_to: [192.0.2.0/24]\n", nil, []string{"127.0.0.0/8"}, []string{"failed as 127.0.0.1, which is outside"}},
		{"not restarted, the other way round", idptest.KerberosYAML(r), nil, []string{"192.0.2.0/24"}, []string{"warning as inside, though offer_to does not have it"}},
		{"a proxy nobody named", idptest.KerberosYAML(r), (*httputil.ProxyRequest).SetXForwarded, []string{"127.0.0.0/8"}, []string{"failed idp sees everybody as outside: a proxy in between is not in trusted_proxies"}},
		{"a trusted proxy", idptest.KerberosYAML(r) + "trusted_proxies: [127.0.0.1/32]\n", (*httputil.ProxyRequest).SetXForwarded, []string{"127.0.0.0/8"}, []string{"ok as inside, and asks"}},
		{"a trusted proxy that names nobody", idptest.KerberosYAML(r) + "trusted_proxies: [127.0.0.1/32]\n", func(*httputil.ProxyRequest) {}, []string{"127.0.0.0/8"}, []string{"failed or does not say for whom it asks"}},
		{"the server has no key", "kerberos:\n  keytabs: [none]\n  realms: [{name: EXAMPLE.TEST}]\n", nil, []string{"127.0.0.0/8"}, []string{"warning has no key to check tickets with"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := "idp.localhost"
			s := idptest.Start(t, idptest.Options{YAML: c.yaml})
			in := of(t, r)
			in.Issuer, in.Listen = s.Issuer, s.Config().Listen
			in.Kerberos.OfferTo = ranges(c.offer...)
			if c.proxy != nil {
				backend, err := url.Parse("http://" + in.Listen)
				if err != nil {
					t.Fatal(err)
				}
				srv := httptest.NewServer(renamed(in, &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(backend); c.proxy(p) }}))
				t.Cleanup(srv.Close)
				in.reach(host, "http", srv)
			}
			wants(t, in.say("inside"), c.want...)
			if log := s.Log.String(); strings.Contains(log, "level=ERROR") {
				t.Errorf("the question made the server complain:\n%s", log)
			}
		})
	}
}
