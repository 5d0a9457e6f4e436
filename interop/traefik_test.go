//go:build interop && traefik

package interop_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Traefik, which neither Debian nor Python's packages have, through all that the others
// go through. Building it takes minutes, so make interop leaves it out; run it by
//
//	go test -count=1 -timeout 2h -tags interop,traefik -run TestTraefik ./interop/
func TestTraefik(t *testing.T) {
	if out, err := exec.Command("../scripts/build-traefik").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	traefik := []proxy{{name: "traefik", start: (*front).traefik, waits: 35 * time.Second, mute: true, blank: true, arrives: map[string]string{
		"/reports//b":                       "/reports/b",
		`/reports/?q=/../admin/%2e%2e//;x\`: `/reports/?q=/../admin/%2e%2e//%3Bx\`,
		"/reports/%41/./c":                  "/reports/A/c",
	}}}
	t.Run("serves", func(t *testing.T) { serve(t, traefik) })
	t.Run("is attacked", func(t *testing.T) { attack(t, traefik) })
	t.Run("without idp", func(t *testing.T) { withoutIDP(t, traefik) })
	t.Run("without a KDC", func(t *testing.T) { withoutKDC(t, traefik) })
}

func (f *front) traefik(t testing.TB) {
	t.Helper()
	site := f.adapt(t, "traefik/reports.yaml", "127.0.0.1:8080", f.idp, "127.0.0.1:3000", f.app,
		"/etc/traefik/tls/reports.crt", f.certificate, "/etc/traefik/tls/reports.key", f.key,
		"Host: reports.example.com", "Host: "+f.host(), "reports.example.com", "site.localhost")
	config := f.adapt(t, "traefik/traefik.yaml", "address: :80", "address: "+f.Plain, "address: :443", "address: "+f.Addr, "/etc/traefik/reports.yaml", site)
	program, err := filepath.Abs("../.cache/traefik/traefik")
	must(t, err)
	f.run(t, program, "--configFile="+config)
	// It listens before it knows its certificate, and then its routes. Whoever is asked
	// may not answer.
	c := (&binary{CA: f.certificate}).client(t)
	trust := c.Transport.(*http.Transport).TLSClientConfig.Clone() //nolint:forcetypeassert // client's
	trust.ServerName = "site.localhost"
	await(t, "the certificate is the site's", patience, func() bool {
		nc, err := (&tls.Dialer{Config: trust}).DialContext(t.Context(), "tcp", f.Addr)
		if err == nil {
			_ = nc.Close()
		}
		return err == nil
	})
	c.Timeout = time.Second
	await(t, "the site is routed", patience, func() bool {
		resp, err := c.Get(f.URL)
		if err != nil {
			return os.IsTimeout(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode != http.StatusNotFound
	})
}
