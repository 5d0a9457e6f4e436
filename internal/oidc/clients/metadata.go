package clients

import (
	"slices"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/store"
)

// Metadata is a relying party as it counts, to be shown: with the names of RFC 7591
// §2 and §3.2.1, defaults filled in, and without the hashes of its secrets.
type Metadata struct {
	store.Client
	IssuedAt      int64    `json:"client_id_issued_at,omitempty"` // seconds since 1970; 0: the file's
	ResponseTypes []string `json:"response_types"`
}

// MetadataOf returns a client's metadata.
func MetadataOf(c store.Client) Metadata {
	m := Metadata{Client: c, IssuedAt: c.CreatedAt / 1000, ResponseTypes: responseTypes(&c)}
	m.SecretHashes = nil
	m.TokenEndpointAuthMethod = string(AuthMethod(&c))
	m.GrantTypes = GrantTypes(&c)
	m.Scope = Scope(&c)
	m.IDTokenAlg = IDTokenAlg(&c)
	m.RequirePAR, m.DPoPBoundAccessTokens = RequiresPAR(&c), RequiresDPoP(&c)
	trusted, pkce := Trusted(&c), RequiresPKCE(&c)
	m.Trusted, m.RequirePKCE = &trusted, &pkce
	return m
}

var defaultGrants = []string{string(protocol.GrantTypeCode)}

// GrantTypes are authorization_code by default (RFC 7591 §2). Whoever has something to
// exchange may do so, whether token-exchange is listed or not.
func GrantTypes(c *store.Client) []string {
	grants := c.GrantTypes
	if len(grants) == 0 {
		grants = defaultGrants
	}
	if exchanges(c) && !slices.Contains(grants, string(protocol.GrantTypeTokenExchange)) {
		grants = append(slices.Clip(grants), string(protocol.GrantTypeTokenExchange))
	}
	return grants
}

// responseTypes are code where there is a grant that begins with one (RFC 7591 §2.1).
func responseTypes(c *store.Client) []string {
	if MayUse(c, protocol.GrantTypeCode) {
		return []string{string(protocol.ResponseTypeCode)}
	}
	return []string{}
}
