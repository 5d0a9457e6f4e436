// Package clients knows the relying parties: who is registered, and what each
// registration allows.
//
// A relying party is a row of metadata with the names of RFC 7591 §2, owned by
// the configuration file or by the database. Check is what a registration must
// obey before it counts (OpenID Connect Registration 1.0 §2, RFC 9700); the other
// functions answer what the endpoints ask of one that does: may it use this
// grant, this redirect URI (RFC 9700 §2.1), this scope (RFC 6749 §3.3), and is
// this user among those it is for.
package clients

import (
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/keys"
	"idp/internal/store"
)

// RequiresPKCE reports whether the client must send a challenge: all must, but
// confidential ones whose admin said that they cannot (RFC 9700 §2.1.1).
func RequiresPKCE(c *store.Client) bool {
	return c.Public() || c.RequirePKCE == nil || *c.RequirePKCE
}

// RequiresNonce reports whether the client must send a nonce where it sends no
// challenge (RFC 9700 §2.1.1): all must, but those whose admin said that they can
// do neither.
func RequiresNonce(c *store.Client) bool { return c.RequireNonce == nil || *c.RequireNonce }

// Trusted reports whether nobody is asked for consent: the admin has given it. Who
// registered itself is not trusted until an admin says so.
func Trusted(c *store.Client) bool {
	if c.Trusted == nil {
		return !c.Registered
	}
	return *c.Trusted
}

// RegisteredItself reports whether the client is here by its own registration (RFC
// 7591) alone: no administrator has vouched for its name and addresses by trusting it.
func RegisteredItself(c *store.Client) bool { return c.Registered && !Trusted(c) }

// LowersTrust reports whether a changed client may do less than before, so that what
// it was granted has to end. All of it is looked at again whenever something is given;
// what has ended does not come back when the client may do more again. Groups, claims
// and whom it is for come and go with the user.
func LowersTrust(before, after *store.Client) bool {
	lost := func(had, has []string) bool {
		return slices.ContainsFunc(had, func(one string) bool { return !slices.Contains(has, one) })
	}
	return Trusted(before) && !Trusted(after) || lost(GrantTypes(before), GrantTypes(after)) ||
		lost(strings.Fields(Scope(before)), strings.Fields(Scope(after))) || !RequiresDPoP(before) && RequiresDPoP(after)
}

// GrantTypesSupported are those that a client may be registered for.
var GrantTypesSupported = []protocol.GrantType{
	protocol.GrantTypeCode, protocol.GrantTypeRefreshToken, protocol.GrantTypeClientCredentials, protocol.GrantTypeDeviceCode, protocol.GrantTypeBearer,
	protocol.GrantTypeTokenExchange,
}

// Proven reports whether nobody but the client can redeem a code that is sent to a
// redirect URI: a confidential client proves itself, and who holds an https address
// is known by it. Any program of the person's machine can listen on a loopback port
// or claim a scheme (RFC 8252 §8.6).
func Proven(c *store.Client, redirect string) bool {
	return !c.Public() || strings.HasPrefix(redirect, "https://")
}

// LearnsSession reports whether the client's ID tokens say which session a login
// is of (sid; OpenID Connect Back-Channel Logout §2.1, Front-Channel Logout §3).
// Only to a client of FAPI 2.0 that has registered for the end of no session it is
// a claim that nobody asked for.
func LearnsSession(c *store.Client) bool {
	return !FAPI(c) || len(c.PostLogoutRedirectURIs) > 0 || c.BackchannelLogoutURI != "" || c.FrontchannelLogoutURI != ""
}

// MayUse reports whether the client is registered for a grant type; the default
// is authorization_code (RFC 7591 §2).
func MayUse(c *store.Client, grant protocol.GrantType) bool {
	return slices.Contains(GrantTypes(c), string(grant))
}

// MayLogIn reports whether the client is for this user: in one of allow_groups,
// or everybody's.
func MayLogIn(c *store.Client, u *store.User) bool {
	return len(c.AllowGroups) == 0 || slices.ContainsFunc(c.AllowGroups, func(g string) bool { return slices.Contains(u.Groups, g) })
}

// ProfileFAPI2 is a client's profile of FAPI 2.0 (Security Profile, Final): pushed
// requests, private_key_jwt and DPoP are required of it, and what it is given is
// signed with an algorithm of §5.4.1.
const ProfileFAPI2 = "fapi2"

// FAPI reports whether the client is registered for FAPI 2.0.
func FAPI(c *store.Client) bool { return c.Profile == ProfileFAPI2 }

// RequiresPAR reports whether an authorization request of the client counts only
// when it was pushed (RFC 9126 §6).
func RequiresPAR(c *store.Client) bool { return c.RequirePAR || FAPI(c) }

// RequiresDPoP reports whether the client gets bound access tokens only
// (RFC 9449 §5.2).
func RequiresDPoP(c *store.Client) bool { return c.DPoPBoundAccessTokens || FAPI(c) }

// AuthMethod is client_secret_basic by default (RFC 7591 §2).
func AuthMethod(c *store.Client) protocol.AuthMethod {
	if c.TokenEndpointAuthMethod == "" {
		return protocol.AuthMethodBasic
	}
	return protocol.AuthMethod(c.TokenEndpointAuthMethod)
}

// UsesSecret reports whether the client authenticates by a secret.
func UsesSecret(c *store.Client) bool {
	return !c.Public() && AuthMethod(c) != protocol.AuthMethodPrivateKeyJWT
}

// IDTokenAlg is RS256 unless registered otherwise (OIDC Registration §2), or
// unless FAPI rules that out.
func IDTokenAlg(c *store.Client) string {
	switch {
	case c.IDTokenAlg != "":
		return c.IDTokenAlg
	case FAPI(c):
		return keys.ES256
	}
	return keys.RS256
}

// VisibleGroups are those of a user's groups that a client is shown; never nil,
// for a member of no group has an empty list, which is not "unknown".
func VisibleGroups(c *store.Client, groups []string) []string {
	visible := []string{}
	for _, g := range groups {
		if len(c.Groups) == 0 || slices.ContainsFunc(c.Groups, func(pattern string) bool { return groupMatches(pattern, g) }) {
			visible = append(visible, g)
		}
	}
	return visible
}

// groupMatches compares with a name or prefix*.
func groupMatches(pattern, group string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(group, prefix)
	}
	return pattern == group
}
