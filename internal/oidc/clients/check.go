package clients

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/fetch"
	"idp/internal/keys"
	"idp/internal/oidc/proof"
	"idp/internal/store"
)

// Check returns everything that is wrong with a relying party's registration, named
// as in RFC 7591. What we do not support is an error and not ignored: somebody relies
// on it.
func Check(c *store.Client) []error {
	var problems []error
	for _, check := range []func(*store.Client) error{
		checkID,
		checkAbout,
		checkInitiateLoginURI,
		checkAuthMethod,
		checkSecret,
		checkKeys,
		checkAuthAlg,
		checkProfile,
		checkGrantTypes,
		checkAssertions,
		checkExchange,
		checkTicketExchange,
		checkRedirectURIs,
		checkPostLogoutURIs,
		checkBackchannelURI,
		checkFrontchannelURI,
		checkScopeSyntax,
		checkAlg,
		checkPKCERule,
		checkNonceRule,
		checkMaxAge,
		checkTemplate,
		checkGroups,
		checkRegistered,
	} {
		if err := check(c); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// checkID: RFC 6749 appendix A.1 allows visible ASCII.
func checkID(c *store.Client) error {
	if c.ClientID == "" || len(c.ClientID) > maxClientID || strings.ContainsFunc(c.ClientID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("client_id: want 1 to %d visible ASCII characters", maxClientID)
	}
	return nil
}

// checkAbout: what people are shown links to (RFC 7591 §2).
func checkAbout(c *store.Client) error {
	for name, text := range map[string]string{"client_uri": c.ClientURI, "policy_uri": c.PolicyURI, "tos_uri": c.TOSURI} {
		if text != "" && webPage(text) == "" {
			return fmt.Errorf("%s: %q: want an absolute http or https URL, with a host name of letters, digits, hyphens and dots", name, text)
		}
	}
	return nil
}

func checkAuthMethod(c *store.Client) error {
	supported := []protocol.AuthMethod{protocol.AuthMethodBasic, protocol.AuthMethodPost, protocol.AuthMethodPrivateKeyJWT, protocol.AuthMethodNone}
	if !slices.Contains(supported, AuthMethod(c)) {
		return fmt.Errorf("token_endpoint_auth_method: %q is not supported: want one of %v", c.TokenEndpointAuthMethod, supported)
	}
	return nil
}

// checkSecret: who authenticates by a secret has one, and nobody else.
func checkSecret(c *store.Client) error {
	byKey := AuthMethod(c) == protocol.AuthMethodPrivateKeyJWT
	switch some := len(c.SecretHashes) > 0 || c.ClientSecretFile != ""; {
	case some && c.Public():
		return errors.New("token_endpoint_auth_method: a public client (none) has no secret")
	case some && byKey:
		return errors.New("token_endpoint_auth_method: a client with private_key_jwt has no secret")
	case some || !UsesSecret(c) || FAPI(c): // checkProfile says what FAPI needs
		return nil
	case len(c.JWKS) > 0 || c.JWKSURI != "":
		return errors.New("client_secret_file: missing; a client that has keys in its place: token_endpoint_auth_method: private_key_jwt")
	case MayUse(c, protocol.GrantTypeClientCredentials):
		return errors.New("client_secret_file: missing; openssl rand -hex 32 makes a secret")
	default:
		return errors.New("client_secret_file: missing; openssl rand -hex 32 makes a secret; a client that can keep none is public: token_endpoint_auth_method: none")
	}
}

// checkKeys: OIDC Registration §2: jwks or jwks_uri, not both, and one of them
// where the client signs; jwks_uri by https.
func checkKeys(c *store.Client) error {
	switch {
	case len(c.JWKS) > 0 && c.JWKSURI != "":
		return errors.New("jwks: there is a jwks_uri too; only one of them counts")
	case len(c.JWKS) == 0 && c.JWKSURI == "" && AuthMethod(c) == protocol.AuthMethodPrivateKeyJWT:
		return errors.New("jwks: missing; private_key_jwt needs the client's public keys, by jwks or jwks_uri")
	case len(c.JWKS) > 0:
		if _, err := proof.ParseKeys(c.JWKS); err != nil {
			return fmt.Errorf("jwks: %w", err)
		}
	case c.JWKSURI != "":
		return checkKeyURL(c.JWKSURI)
	}
	return nil
}

// checkKeyURL: who answers in its place signs as the client (OIDC Registration §2).
func checkKeyURL(text string) error {
	if err := fetch.Check(text); err != nil {
		return fmt.Errorf("jwks_uri: %w", err)
	}
	if u, err := url.Parse(text); err != nil || (u.Scheme != "https" && !local(u.Hostname())) {
		return errors.New("jwks_uri: want https, or http on this machine: who answers in its place is the client")
	}
	return nil
}

func checkAuthAlg(c *store.Client) error {
	switch alg := c.TokenEndpointAuthAlg; {
	case alg == "" || slices.Contains(proof.Algorithms(FAPI(c)), alg):
		return nil
	case slices.Contains(proof.Algorithms(false), alg):
		return fmt.Errorf("token_endpoint_auth_signing_alg: %q is not for profile fapi2: want one of %v", alg, proof.Algorithms(true))
	default:
		return fmt.Errorf("token_endpoint_auth_signing_alg: %q is not supported: want one of %v", alg, proof.Algorithms(FAPI(c)))
	}
}

// checkProfile: FAPI 2.0 Security Profile §5.3.2.1, §5.4.1.
func checkProfile(c *store.Client) error {
	switch {
	case c.Profile == "":
		return nil
	case c.Profile != ProfileFAPI2:
		return fmt.Errorf("profile: %q is not known: want %s, or nothing", c.Profile, ProfileFAPI2)
	case AuthMethod(c) != protocol.AuthMethodPrivateKeyJWT:
		return errors.New("profile: fapi2 needs token_endpoint_auth_method: private_key_jwt")
	case len(c.TrustedAssertions) > 0:
		return errors.New("profile: fapi2 knows the client by its own key alone: no trusted_assertions")
	case !RequiresPKCE(c):
		return errors.New("profile: fapi2 needs PKCE: require_pkce must not be false")
	case c.IDTokenAlg == keys.RS256 || c.UserinfoAlg == keys.RS256:
		return errors.New("profile: fapi2 does without RS256: want ES256, PS256 or EdDSA")
	}
	for _, uri := range c.RedirectURIs {
		if !strings.HasPrefix(uri, "https://") {
			return fmt.Errorf("profile: fapi2 needs https: redirect_uris has %q", uri)
		}
	}
	return nil
}

func checkGrantTypes(c *store.Client) error {
	for _, g := range c.GrantTypes {
		if !slices.Contains(GrantTypesSupported, protocol.GrantType(g)) {
			return fmt.Errorf("grant_types: %q is not supported: want some of %v", g, GrantTypesSupported)
		}
	}
	if c.Public() && MayUse(c, protocol.GrantTypeClientCredentials) {
		return errors.New("grant_types: a public client cannot use client_credentials (RFC 6749 §4.4)")
	}
	return nil
}

// checkScopeSyntax: RFC 6749 §3.3.
func checkScopeSyntax(c *store.Client) error {
	if strings.ContainsFunc(c.Scope, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return errors.New("scope: want names of plain ASCII, separated by spaces")
	}
	return nil
}

func checkAlg(c *store.Client) error {
	if alg := IDTokenAlg(c); !slices.Contains(keys.Algorithms, alg) {
		return fmt.Errorf("id_token_signed_response_alg: %q is not supported: want one of %v", alg, keys.Algorithms)
	}
	if alg := c.UserinfoAlg; alg != "" && !slices.Contains(keys.Algorithms, alg) {
		return fmt.Errorf("userinfo_signed_response_alg: %q is not supported: want one of %v, or nothing for plain JSON", alg, keys.Algorithms)
	}
	return nil
}

// checkPKCERule: RFC 9700 §2.1.1.
func checkPKCERule(c *store.Client) error {
	if c.Public() && c.RequirePKCE != nil && !*c.RequirePKCE {
		return errors.New("require_pkce: a public client cannot do without")
	}
	return nil
}

// checkNonceRule: a public client has PKCE, and so needs no exception.
func checkNonceRule(c *store.Client) error {
	if c.RequireNonce != nil && !*c.RequireNonce && RequiresPKCE(c) {
		return errors.New("require_nonce: false is for clients with require_pkce: false; with PKCE none is asked for")
	}
	return nil
}

func checkMaxAge(c *store.Client) error {
	if c.DefaultMaxAge != nil && *c.DefaultMaxAge < 0 {
		return errors.New("default_max_age: want a number of seconds, 0 or more")
	}
	return nil
}

func checkTemplate(c *store.Client) error {
	rest := strings.NewReplacer("{name}", "", "{realm}", "", "{domain}", "").Replace(c.PreferredUsername)
	if strings.ContainsAny(rest, "{}") || (c.PreferredUsername != "" && !strings.Contains(c.PreferredUsername, "{name}")) {
		return errors.New("preferred_username: want {name}, and {realm} or {domain} beside it")
	}
	return nil
}

func checkGroups(c *store.Client) error {
	for _, g := range c.Groups {
		if g == "" || strings.Contains(strings.TrimSuffix(g, "*"), "*") {
			return fmt.Errorf("groups: %q: want a name, or a prefix and *", g)
		}
	}
	if slices.Contains(c.AllowGroups, "") {
		return errors.New("allow_groups: holds an empty name")
	}
	return nil
}

// checkRegistered: whoever registered itself is nobody whose word counts, also
// after an admin has changed it: no exception from RFC 9700 §2.1.1, and nothing
// unencrypted but an app's own machine.
func checkRegistered(c *store.Client) error {
	if !c.Registered {
		return nil
	}
	if !RequiresPKCE(c) {
		return errors.New("require_pkce: must not be false for a relying party that registered itself")
	}
	for _, list := range []struct {
		name string
		uris []string
	}{
		{"redirect_uris", c.RedirectURIs}, {"post_logout_redirect_uris", c.PostLogoutRedirectURIs}, {"jwks_uri", []string{c.JWKSURI}}, {"initiate_login_uri", []string{c.InitiateLoginURI}},
		{"backchannel_logout_uri", []string{c.BackchannelLogoutURI}}, {"frontchannel_logout_uri", []string{c.FrontchannelLogoutURI}},
	} {
		for _, text := range list.uris {
			if u, err := url.Parse(text); err == nil && u.Scheme == "http" && (!strings.HasSuffix(list.name, "redirect_uris") || !local(u.Hostname())) {
				return fmt.Errorf("%s: %q: want https; http is for redirect URIs of native apps on their own machine", list.name, text)
			}
		}
	}
	return checkOneHost(c)
}
