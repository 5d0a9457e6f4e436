package clients

import (
	"fmt"
	"net/url"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/proof"
	"idp/internal/store"
)

// Warnings are what a registration may have, and whoever wrote it probably did not
// mean; named as Check names what it must not have.
func Warnings(c *store.Client) []error {
	var warnings []error
	for _, warn := range []func(*store.Client) error{warnName, warnInClear, warnPatterns, warnOffline, warnKeys} {
		if err := warn(c); err != nil {
			warnings = append(warnings, err)
		}
	}
	return warnings
}

// warnName: whoever registers itself may not have such a name at all.
func warnName(c *store.Client) error {
	if err := CheckName(c.ClientName); err != nil {
		return fmt.Errorf("client_name: the name of %s %w; people read it where they log in and allow", c.ClientID, err)
	}
	return nil
}

// warnInClear: a redirect URI that leads to another machine without TLS (RFC 6749
// §3.1.2.1), which an administrator may want for a confidential client.
func warnInClear(c *store.Client) error {
	for _, text := range c.RedirectURIs {
		if u, err := url.Parse(text); err == nil && u.Scheme == "http" && !local(u.Hostname()) {
			return fmt.Errorf("redirect_uris: who listens on the way to %s reads the codes and the sessions of %s; https keeps them", text, c.ClientID)
		}
	}
	return nil
}

// warnPatterns: elsewhere a * in a subject stands for anything.
func warnPatterns(c *store.Client) error {
	for _, t := range c.TrustedAssertions {
		if strings.Contains(t.Subject, "*") {
			return fmt.Errorf("trusted_assertions: subject %q is compared to the letter: * stands for itself, and the sub of a token probably has none", t.Subject)
		}
	}
	return nil
}

// warnOffline: offline_access is given by refresh tokens (OIDC Core §11), and left
// out where there are none.
func warnOffline(c *store.Client) error {
	if HasScope(c.Scope, protocol.ScopeOfflineAccess) && !MayUse(c, protocol.GrantTypeRefreshToken) {
		return fmt.Errorf("scope: offline_access is never granted to %s: grant_types has no refresh_token", c.ClientID)
	}
	return nil
}

// warnKeys: keys that are left out where others do (RFC 7517 §5).
func warnKeys(c *store.Client) error {
	keys, err := proof.ParseKeys(c.JWKS)
	if err != nil || len(keys.Problems()) == 0 {
		return nil //nolint:nilerr // none, or Check says what is wrong
	}
	return fmt.Errorf("jwks: %s has keys that are left out: %s", c.ClientID, strings.Join(keys.Problems(), "; "))
}
