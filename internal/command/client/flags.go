package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"idp/internal/oidc/proof"
	"idp/internal/store"
)

// changes are what the flags of `client add` and `client set` do to a relying
// party, in the order in which they were typed. A flag that was not typed changes
// nothing, so that one table does for both.
type changes []func(*store.Client)

// flags defines them: a flag for everything that a relying party can be.
func flags(cmd *cobra.Command) *changes {
	ch := &changes{}
	ch.text(cmd, "name", "`NAME` that people see", func(c *store.Client) *string { return &c.ClientName })
	ch.text(cmd, "client-uri", "`URL` of the site's own page, for people", func(c *store.Client) *string { return &c.ClientURI })
	ch.text(cmd, "initiate-login-uri", "`URL` at the site that begins a login there: people's start page leads to it", func(c *store.Client) *string { return &c.InitiateLoginURI })
	ch.text(cmd, "policy-uri", "`URL` of what it says about data", func(c *store.Client) *string { return &c.PolicyURI })
	ch.text(cmd, "tos-uri", "`URL` of its terms", func(c *store.Client) *string { return &c.TOSURI })

	ch.text(cmd, "auth-method", "`METHOD`: client_secret_basic (default), client_secret_post, private_key_jwt (needs --jwks or --jwks-uri) or none (--public)",
		func(c *store.Client) *string { return &c.TokenEndpointAuthMethod })
	ch.yes(cmd, "public", "a relying party without a secret (in a browser, on a phone or desktop)", func(c *store.Client, on bool) {
		if c.TokenEndpointAuthMethod = ""; on {
			c.TokenEndpointAuthMethod = "none"
		}
	})
	ch.keys(cmd)
	jsonList(ch, cmd, "trusted-assertions", "`FILE` with a JSON array of {issuer, jwks_uri, subject, audience}: whose JWTs get it a token",
		`[{"issuer": …, "jwks_uri": …, "subject": …}]`, func(c *store.Client) *[]store.TrustedAssertion { return &c.TrustedAssertions })
	ch.text(cmd, "auth-alg", "the only `ALG` that its assertions may be signed with (default any of ES256, RS256, PS256, EdDSA)",
		func(c *store.Client) *string { return &c.TokenEndpointAuthAlg })
	ch.yes(cmd, "dpop", "it gets tokens bound to a key only (RFC 9449)", func(c *store.Client, on bool) { c.DPoPBoundAccessTokens = on })
	ch.text(cmd, "profile", "`fapi2`: FAPI 2.0 Security Profile", func(c *store.Client) *string { return &c.Profile })

	ch.list(cmd, "redirect-uri", "`URL` where codes are sent, exactly; may be repeated", false, func(c *store.Client) *[]string { return &c.RedirectURIs })
	ch.list(cmd, "grant-types", "`LIST` of authorization_code (default), refresh_token, client_credentials, urn:ietf:params:oauth:grant-type:device_code, urn:ietf:params:oauth:grant-type:jwt-bearer, urn:ietf:params:oauth:grant-type:token-exchange", true, func(c *store.Client) *[]string { return &c.GrantTypes })
	ch.text(cmd, "scope", "`SCOPE` that it may ask for (default openid profile email groups)", func(c *store.Client) *string { return &c.Scope })
	ch.yes(cmd, "no-pkce", "a confidential client that cannot do PKCE; it has to send a nonce", func(c *store.Client, on bool) { c.RequirePKCE = required(!on) })
	ch.yes(cmd, "no-nonce", "beside --no-pkce: one that sends no nonce either, and is open to injected codes", func(c *store.Client, on bool) { c.RequireNonce = required(!on) })
	ch.yes(cmd, "require-pushed-requests", "its requests come by the pushed authorization request endpoint only (RFC 9126)", func(c *store.Client, on bool) { c.RequirePAR = on })
	ch.maxAge(cmd)
	jsonList(ch, cmd, "exchange", "`FILE` with a JSON array of {audience, scopes, lifetime, from}: what it may get in exchange for its users' tokens (RFC 8693)",
		`[{"audience": …, "scopes": [ … ], "lifetime": "2m"}]`, func(c *store.Client) *[]store.Exchange { return &c.Exchange })
	ch.list(cmd, "ticket-exchange", "`AUDIENCE` that it gets tokens for by its user's Kerberos ticket; may be repeated", false, func(c *store.Client) *[]string { return &c.TicketExchange })

	ch.yes(cmd, "trusted", "nobody is asked for consent (default, but for relying parties that registered themselves)", func(c *store.Client, on bool) { c.Trusted = &on })
	ch.yes(cmd, "untrusted", "people are asked before it learns who they are, and can take that back", func(c *store.Client, on bool) {
		on = !on
		c.Trusted = &on
	})
	ch.list(cmd, "allow-group", "`GROUP` whose members alone may log in there; may be repeated", true, func(c *store.Client) *[]string { return &c.AllowGroups })
	ch.yes(cmd, "reauth-by-ticket", "a Kerberos ticket satisfies prompt=login and max_age", func(c *store.Client, on bool) { c.ReauthByTicket = on })

	ch.list(cmd, "groups", "`GROUP` of a user that it may see, or prefix* (default all); may be repeated", true, func(c *store.Client) *[]string { return &c.Groups })
	ch.text(cmd, "preferred-username", "`TEMPLATE` such as {name}@{realm}", func(c *store.Client) *string { return &c.PreferredUsername })
	ch.text(cmd, "id-token-alg", "`ALG`: ES256 (fast; what add takes), RS256 (what some libraries insist on), PS256 or EdDSA", func(c *store.Client) *string { return &c.IDTokenAlg })
	ch.text(cmd, "userinfo-alg", "`ALG` by which userinfo answers it with a signed JWT (default plain JSON)", func(c *store.Client) *string { return &c.UserinfoAlg })
	ch.yes(cmd, "claims-in-id-token", "put scope claims into the ID token (Kubernetes reads nothing else)", func(c *store.Client, on bool) { c.ClaimsInIDToken = on })

	ch.list(cmd, "post-logout-redirect-uri", "`URL` where people may return after signing out; may be repeated", false, func(c *store.Client) *[]string { return &c.PostLogoutRedirectURIs })
	ch.text(cmd, "backchannel-logout-uri", "`URL` where the server posts a logout token when a session ends", func(c *store.Client) *string { return &c.BackchannelLogoutURI })
	ch.yes(cmd, "backchannel-logout-session-required", "the logout token must name the session (it always does)", func(c *store.Client, on bool) { c.BackchannelLogoutSession = on })
	ch.text(cmd, "frontchannel-logout-uri", "`URL` that the browser opens in a hidden frame when somebody signs out", func(c *store.Client) *string { return &c.FrontchannelLogoutURI })
	ch.yes(cmd, "frontchannel-logout-session-required", "the frame's address gets iss and sid", func(c *store.Client, on bool) { c.FrontchannelLogoutSession = on })
	for _, pair := range [][2]string{{"public", "auth-method"}, {"jwks", "jwks-uri"}, {"trusted", "untrusted"}} {
		cmd.MarkFlagsMutuallyExclusive(pair[0], pair[1])
	}
	return ch
}

// apply does what was typed.
func (ch *changes) apply(c *store.Client) {
	for _, change := range *ch {
		change(c)
	}
}

func (ch *changes) add(change func(*store.Client)) error {
	*ch = append(*ch, change)
	return nil
}

// text defines a flag for a text; an empty one is the default again.
func (ch *changes) text(cmd *cobra.Command, name, usage string, field func(*store.Client) *string) {
	cmd.Flags().Func(name, usage, func(value string) error {
		return ch.add(func(c *store.Client) { *field(c) = value })
	})
}

// list defines a flag for a list, which replaces the one that is there; an empty
// text makes it empty. Where split is set, commas separate values too.
func (ch *changes) list(cmd *cobra.Command, name, usage string, split bool, field func(*store.Client) *[]string) {
	var all []string
	cmd.Flags().Func(name, usage, func(value string) error {
		values := []string{value}
		if split {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if v != "" {
				all = append(all, v)
			}
		}
		return ch.add(func(c *store.Client) { *field(c) = all })
	})
}

// yes defines a flag that is on or, by =false, off.
func (ch *changes) yes(cmd *cobra.Command, name, usage string, set func(*store.Client, bool)) {
	cmd.Flags().BoolFunc(name, usage, func(value string) error {
		on, err := strconv.ParseBool(value)
		if err != nil {
			return err
		}
		return ch.add(func(c *store.Client) { set(c, on) })
	})
}

// keys defines the flags for a client's public keys, of which one counts.
func (ch *changes) keys(cmd *cobra.Command) {
	cmd.Flags().Func("jwks", "`FILE` with its public keys: a JWKS (RFC 7517 §5), or PEM", func(path string) error {
		text, err := os.ReadFile(path) //nolint:gosec // the administrator names the file
		if err != nil {
			return err
		}
		keys, err := proof.ReadKeys(text)
		if err != nil {
			return fmt.Errorf("%s %w", path, err)
		}
		return ch.add(func(c *store.Client) { c.JWKS, c.JWKSURI = keys, "" })
	})
	cmd.Flags().Func("jwks-uri", "`URL` where they are found", func(url string) error {
		return ch.add(func(c *store.Client) { c.JWKS, c.JWKSURI = nil, url })
	})
}

// jsonList defines a flag for a file that holds a list as JSON, which replaces the one
// that is there; want is what such a file looks like.
func jsonList[T any](ch *changes, cmd *cobra.Command, name, usage, want string, field func(*store.Client) *[]T) {
	cmd.Flags().Func(name, usage, func(path string) error {
		text, err := os.ReadFile(path) //nolint:gosec // the administrator names the file
		if err != nil {
			return err
		}
		var list []T
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&list); err != nil {
			return fmt.Errorf("%s: want a JSON array, %s: %w", path, want, err)
		}
		return ch.add(func(c *store.Client) { *field(c) = list })
	})
}

func (ch *changes) maxAge(cmd *cobra.Command) {
	cmd.Flags().Func("default-max-age", "`SECONDS`: an older login counts as none where a request says no max_age; empty: none", func(value string) error {
		if value == "" {
			return ch.add(func(c *store.Client) { c.DefaultMaxAge = nil })
		}
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return err
		}
		return ch.add(func(c *store.Client) { c.DefaultMaxAge = &seconds })
	})
}

// required is nil for what is so by default.
func required(is bool) *bool {
	if is {
		return nil
	}
	return &is
}
