package config

import (
	"fmt"
	"slices"
	"strings"

	"idp/internal/policy"
	"idp/internal/upstream"
)

// upstreams checks the OpenID providers that people may log in with; which levels of
// authentication there are package authn knows.
func (k *checks) upstreams() {
	for _, p := range upstream.Problems(k.c.Upstreams, k.c.Issuer) {
		k.add(fmt.Sprintf("$.upstreams[%d].%s", p.Entry, p.Field), p.Text, p.Hint)
	}
	for i, u := range k.c.Upstreams {
		at := fmt.Sprintf("$.upstreams[%d]", i)
		k.file(at+".client_secret_file", u.ClientSecretFile)
		k.file(at+".client_key_file", u.ClientKeyFile)
		for theirs, ours := range u.ACR {
			if theirs == "" || !slices.Contains(policy.ACRLevels, ours) {
				k.add(at+".acr", fmt.Sprintf("%q: %q is no level", theirs, ours), "its acr: one of "+strings.Join(policy.ACRLevels, ", "))
			}
		}
	}
}
