package clients

import (
	"testing"

	"idp/internal/store"
)

// RFC 8252 §7 and §8.4, OIDC Core §3.1.2.1: where a native app may be reached. A
// scheme without a dot could be anybody's, and http could be read on the way.
func TestPublicClientsRegisterAddressesOfTheirOwn(t *testing.T) {
	for uri, want := range map[string]bool{
		"https://app.example.com/cb":  true,
		"com.example.app:/cb":         true,
		"http://127.0.0.1/cb":         true,
		"http://[::1]:8080/cb":        true,
		"http://localhost/cb":         true,
		"http://app.example.com/cb":   false,
		"http://127.0.0.1.example/cb": false,
		"app:/cb":                     false,
		"javascript:alert()":          false,
		"com.example.app:/cb#x":       false,
	} {
		c := store.Client{ClientID: "app", TokenEndpointAuthMethod: "none", RedirectURIs: []string{uri}}
		if problems := Check(&c); (len(problems) == 0) != want {
			t.Errorf("%s: %v, want accepted: %v", uri, problems, want)
		}
	}
}
