package site

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMendingLinesAreShipped: what doctor tells to write is what deploy/proxies/ has.
func TestMendingLinesAreShipped(t *testing.T) {
	t.Parallel()
	for _, p := range []shipped{nginx, haproxy, apache, caddy, envoy, traefik} {
		for _, at := range []place{p.route, p.address, p.site, p.question, p.whole, p.login, p.cookies} {
			text, err := os.ReadFile(filepath.Join("../../../deploy/proxies", strings.ToLower(p.name), at.file))
			if err != nil {
				t.Fatal(err)
			}
			words := strings.Join(strings.Fields(string(text)), " ")
			for _, line := range at.lines {
				if !strings.Contains(words, line) {
					t.Errorf("%s's %s does not say %s", p.name, at.file, line)
				}
			}
			if len(at.lines) == 0 {
				t.Errorf("%s: nothing of %s", p.name, at.file)
			}
		}
	}
}
