//go:build interop

package interop_test

import (
	"crypto/elliptic"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

// TestProxiesTellThatNoKDCAnswers: idp says so before a proxy has waited long enough to
// answer by itself, and each passes it on: programs learn that their password was not
// wrong, and when to come again.
func TestProxiesTellThatNoKDCAnswers(t *testing.T) {
	certificate, key := pair(t, elliptic.P256())
	app := newEcho(t)
	krb5conf := filepath.Join(t.TempDir(), "krb5.conf")
	must(t, os.WriteFile(krb5conf, []byte(krbtest.Krb5Conf(set.Realm.Name, "    "+set.Realm.Name+" = {\n        kdc = "+krbtest.DeadKDC(t)+"\n    }\n")), 0o600))
	idp := idptest.Start(t, idptest.Options{YAML: fmt.Sprintf("trusted_proxies: [127.0.0.0/8]\nforward_auth: [{host: site.localhost}]\nkerberos: {keytabs: [%s], krb5_conf: %s, realms: [{name: %s}]}\n", set.Realm.Keytab, krb5conf, set.Realm.Name)})
	t.Run("all", func(t *testing.T) { // at once
		for _, p := range proxies {
			f := newFront(t, idp.Config().Listen, app.Addr, certificate, key)
			p.start(f, t)
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				v := newVisitor(t, &binary{CA: certificate})
				await(t, p.name+" passes on what idp says", patience, func() bool { return tellsUnavailable(t, v.http, f.URL, p.name) }) // a busy machine may be late
			})
		}
	})
	if got := app.take(); len(got) > 0 {
		t.Errorf("the application got %v", got)
	}
}

// tellsUnavailable asks once, as a program does. Envoy makes an answer of its own of every
// 5xx, without idp's reason.
func tellsUnavailable(t *testing.T, c *http.Client, site, proxy string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site+"/reports/", nil)
	must(t, err)
	req.SetBasicAuth("alice", stage.AlicePassword)
	resp, err := c.Do(req)
	must(t, err)
	_ = resp.Body.Close()
	t.Log(resp.StatusCode, resp.Header)
	return resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "5" && (resp.Header.Get("Idp-Reason") == "UNAVAILABLE" || proxy == "envoy")
}
