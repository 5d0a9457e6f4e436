//go:build interop

package interop_test

import (
	"slices"
	"strings"
	"testing"
)

// identity are the names of what only idp may say to the application.
var identity = []string{"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "Remote-Assertion"}

// clean fails the test when a request that has reached the application carries
// what is ours, or what a client may not say.
func (b *behind) clean(t *testing.T, h heard) {
	t.Helper()
	if slices.ContainsFunc(h.all("Cookie"), func(c string) bool { return strings.Contains(c, "idp_s") }) {
		t.Errorf("our cookie has reached the application: %q", h.all("Cookie"))
	}
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Forwarded", "X-Original-URL", "X-Original-Method", "X-Rewrite-URL", "Proxy"} {
		if got := h.all(name); got != nil {
			t.Errorf("%s has reached the application: %q", name, got)
		}
	}
	for name, want := range map[string]string{"Host": b.host(), "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": b.host()} {
		if got := h.all(name); !slices.Equal(got, []string{want}) {
			t.Errorf("the application got %s %q, want %q", name, got, want)
		}
	}
	for _, name := range identity {
		if got := h.all(name); len(got) > 1 || slices.Contains(got, "") {
			t.Errorf("the application got %s %q", name, got)
		}
	}
}
