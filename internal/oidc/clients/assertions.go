package clients

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/store"
)

// checkAssertions: the JWT bearer grant (RFC 7523 §2.1) needs somebody who signs,
// the client itself or another issuer that is named with one subject.
func checkAssertions(c *store.Client) error {
	grants := MayUse(c, protocol.GrantTypeBearer)
	switch {
	case grants && len(c.JWKS) == 0 && c.JWKSURI == "" && len(c.TrustedAssertions) == 0:
		return fmt.Errorf("grant_types: %s needs the client's public keys (jwks, jwks_uri) or trusted_assertions", protocol.GrantTypeBearer)
	case !grants && len(c.TrustedAssertions) > 0:
		return fmt.Errorf("trusted_assertions: without %s in grant_types nobody looks at them", protocol.GrantTypeBearer)
	case c.Registered && len(c.TrustedAssertions) > 0:
		return errors.New("trusted_assertions: not for a relying party that registered itself")
	}
	for i, t := range c.TrustedAssertions {
		if err := checkTrusted(c, t); err != nil {
			return fmt.Errorf("trusted_assertions: entry %d: %w", i+1, err)
		}
		if slices.Contains(c.TrustedAssertions[:i], t) {
			return fmt.Errorf("trusted_assertions: entry %d is there twice", i+1)
		}
	}
	return nil
}

func checkTrusted(c *store.Client, t store.TrustedAssertion) error {
	u, err := url.Parse(t.Issuer)
	switch {
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "":
		return errors.New("issuer: want a URL, to the letter as in the iss of the tokens")
	case t.Issuer == c.ClientID:
		return errors.New("issuer: is the client itself, whose keys are in jwks or jwks_uri")
	case t.Subject == "":
		return errors.New("subject: missing; want one, to the letter as in the sub of the tokens")
	case t.JWKSURI == "":
		return errors.New("jwks_uri: missing; want where the issuer's keys are")
	}
	return checkKeyURL(t.JWKSURI)
}
