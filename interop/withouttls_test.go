//go:build interop

package interop_test

import (
	"crypto/elliptic"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"idp/examples/demo/stage"
)

// TestForwardAuthWithoutTLS: docs/forward-auth.md says how nginx's files become those
// of a trial; bob comes through them to the application, and idp doctor is content.
func TestForwardAuthWithoutTLS(t *testing.T) {
	certificate, key := pair(t, elliptic.P256()) // for the visitor, who has to believe somebody
	listen, port := freeAddress(t)
	app := newEcho(t)
	f := newFront(t, listen, app.Addr, certificate, key)
	_, at8000, _ := strings.Cut(f.Addr, ":")
	site := "reports.localhost:" + at8000
	idp := &binary{Issuer: "http://localhost:" + port, CA: certificate}
	bob := f.write(t, "bob.password", stage.BobPassword)
	idp.start(t, listen, "", fmt.Sprintf("trusted_proxies: [127.0.0.1/32]\nusers: [{name: bob, password_file: %s}]\nforward_auth: [{host: %q}]\n", bob, site))

	f.trialFiles(t, site)
	f.write(t, "sso.conf", "") // idp is reached without a proxy
	f.startNginx(t)

	v := newVisitor(t, idp)
	p := v.logIn(v.open("http://"+site+"/monthly?of=may"), "bob", stage.BobPassword)
	at(t, p, http.StatusOK, "http://"+site+"/monthly")
	if got := app.take(); len(got) != 1 || !strings.Contains(strings.Join(got[0].Headers, "\n"), "Remote-User: bob") {
		t.Errorf("the application got %v, want bob", got)
	}
	out, _ := exec.CommandContext(t.Context(), filepath.Join(set.Bin, "idp"), "doctor", "--config", idp.file).CombinedOutput()
	if !strings.Contains(string(out), "http://"+site+": its proxy leads to idp") || regexp.MustCompile(`(?m)^(warning|failed) +sites `).Match(out) {
		t.Errorf("idp doctor says\n%s", out)
	}
}

// trialFiles runs the document's commands, for this test's addresses.
func (f *front) trialFiles(t *testing.T, site string) {
	t.Helper()
	text, err := os.ReadFile("../docs/forward-auth.md")
	must(t, err)
	_, section, _ := strings.Cut(string(text), "\n### Without TLS, on this machine\n")
	_, block, _ := strings.Cut(section, "\n```sh\n")
	block, _, ok := strings.Cut(block, "\n```\n")
	if !ok || !strings.Contains(section, "host: reports.localhost:8000") {
		t.Fatalf("docs/forward-auth.md does not say how it goes without TLS:\n%s", section)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", strings.NewReplacer("/etc/nginx/conf.d", f.dir, "127.0.0.1:8000", f.Addr, "reports.localhost:8000", site).Replace(block))
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, edit := range map[string][2]string{"idp.conf": {"127.0.0.1:8080", f.idp}, "site.conf": {"127.0.0.1:3000", f.app}} {
		made, err := os.ReadFile(filepath.Join(f.dir, name))
		must(t, err)
		if !strings.Contains(string(made), edit[0]) {
			t.Fatalf("%s does not say %q:\n%s", name, edit[0], made)
		}
		f.write(t, name, strings.ReplaceAll(string(made), edit[0], edit[1]))
	}
}
