package clients

import (
	"regexp"
	"slices"
	"testing"

	"idp/internal/store"
)

// loopback is RFC 8252 §7.3 written another way than the code: address, port of
// up to five digits, and the rest.
var loopback = regexp.MustCompile(`(?s)^http://(127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?((?:[/?].*)?)$`)

func FuzzRedirectAllowed(f *testing.F) {
	f.Add("https://a.example/cb", "https://a.example/cb", true)
	f.Add("http://127.0.0.1/cb", "http://127.0.0.1:8080/cb", true)
	f.Add("http://[::1]:1234?x=1", "http://[::1]?x=1", true)
	f.Add("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", true)
	f.Add("http://127.0.0.1:80", "http://127.0.0.1:123456", false)
	f.Add("com.example.app:/cb", "com.example.app:/cb", true)
	f.Fuzz(func(t *testing.T, registered, asked string, public bool) {
		c := &store.Client{RedirectURIs: []string{"https://other.example/", registered}}
		if public {
			c.TokenEndpointAuthMethod = "none"
		}
		want := slices.Contains(c.RedirectURIs, asked)
		r, a := loopback.FindStringSubmatch(registered), loopback.FindStringSubmatch(asked)
		if public && r != nil && a != nil && r[1] == a[1] && r[2] == a[2] {
			want = true
		}
		if got := RedirectAllowed(c, asked); got != want {
			t.Errorf("%q for %q, public %v: %v, want %v", asked, registered, public, got, want)
		}
	})
}
