package oidc

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/keys"
	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/device"
	"idp/internal/oidc/proof"
	"idp/internal/oidc/pushed"
	"idp/internal/oidc/signout"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
)

// Paths of endpoints that are named in more than one place.
const (
	pathUserinfo   = "/userinfo"
	pathIntrospect = "/introspect"
	pathRevoke     = "/revoke"
)

// metadata is what OpenID Connect Discovery 1.0 §3 and RFC 8414 §2 have, with
// what the library's type lacks. It is true to the last entry: what is not
// switched on is not in it, and lists that have a default are always written out.
type metadata struct {
	protocol.DiscoveryConfiguration
	RequestParameter          bool     `json:"request_parameter_supported"`                    // OIDC Discovery §3
	RequestURIParameter       bool     `json:"request_uri_parameter_supported"`                // without it: true
	PAREndpoint               string   `json:"pushed_authorization_request_endpoint"`          // RFC 9126 §5
	PARRequired               bool     `json:"require_pushed_authorization_requests"`          // of every client; some must
	PromptValuesSupported     []string `json:"prompt_values_supported"`                        // Initiating User Registration §4
	IssInResponse             bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
	DPoPAlgs                  []string `json:"dpop_signing_alg_values_supported"`              // RFC 9449 §5.1
	FrontchannelLogout        bool     `json:"frontchannel_logout_supported"`                  // OIDC Front-Channel Logout §3
	FrontchannelLogoutSession bool     `json:"frontchannel_logout_session_supported"`
}

func (p *Provider) metadata() ([]byte, error) {
	registration := ""
	if p.Registers() {
		registration = p.Issuer + "/register"
	}
	confidential := []protocol.AuthMethod{protocol.AuthMethodBasic, protocol.AuthMethodPost, protocol.AuthMethodPrivateKeyJWT}
	all := append(slices.Clip(confidential), protocol.AuthMethodNone)
	algs := proof.Algorithms(false)
	return json.Marshal(metadata{
		DiscoveryConfiguration: protocol.DiscoveryConfiguration{
			Issuer:                                    p.Issuer,
			AuthorizationEndpoint:                     p.Issuer + "/authorize",
			TokenEndpoint:                             p.Issuer + clientauth.PathToken,
			UserinfoEndpoint:                          p.Issuer + pathUserinfo,
			JwksURI:                                   p.Issuer + "/jwks",
			IntrospectionEndpoint:                     p.Issuer + pathIntrospect,
			RevocationEndpoint:                        p.Issuer + pathRevoke,
			DeviceAuthorizationEndpoint:               p.Issuer + device.PathAuthorization,
			EndSessionEndpoint:                        p.Issuer + signout.PathEndSession,
			RegistrationEndpoint:                      registration,
			ScopesSupported:                           clients.UserScopes,
			ResponseTypesSupported:                    []string{string(protocol.ResponseTypeCode)},
			ResponseModesSupported:                    authreq.ResponseModes,
			GrantTypesSupported:                       clients.GrantTypesSupported,
			ACRValuesSupported:                        policy.ACRLevels,
			SubjectTypesSupported:                     []string{"public"},
			IDTokenSigningAlgValuesSupported:          keys.Algorithms,
			UserinfoSigningAlgValuesSupported:         append([]string{"none"}, keys.Algorithms...), // none: JSON, not signed
			TokenEndpointAuthMethodsSupported:         all,
			RevocationEndpointAuthMethodsSupported:    all,
			IntrospectionEndpointAuthMethodsSupported: confidential,

			TokenEndpointAuthSigningAlgValuesSupported:         algs,
			RevocationEndpointAuthSigningAlgValuesSupported:    algs,
			IntrospectionEndpointAuthSigningAlgValuesSupported: algs,
			BackChannelLogoutSupported:                         true,
			BackChannelLogoutSessionSupported:                  true,
			ClaimTypesSupported:                                []string{"normal"},
			ClaimsSupported:                                    claimsSupported(),
			ClaimsParameterSupported:                           true,
			CodeChallengeMethodsSupported:                      []protocol.CodeChallengeMethod{protocol.CodeChallengeMethodS256},
		},
		PAREndpoint:               p.Issuer + pushed.PathPAR,
		PromptValuesSupported:     authreq.Prompts,
		IssInResponse:             true,
		DPoPAlgs:                  algs,
		FrontchannelLogout:        true,
		FrontchannelLogoutSession: true,
	})
}

// claimsSupported are the claims of ID tokens and those about people.
func claimsSupported() []string {
	names := []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}
	for _, claim := range tokens.UserClaims {
		names = append(names, claim.Name)
	}
	return names
}

// ServeDiscovery answers both well-known paths: OpenID Connect Discovery §4 and
// RFC 8414 §3.
func (p *Provider) ServeDiscovery(w http.ResponseWriter, r *http.Request) error {
	serveDocument(w, r, p.discovery)
	return nil
}

// ServeJWKS answers with the public keys (RFC 7517 §5).
func (p *Provider) ServeJWKS(w http.ResponseWriter, r *http.Request) error {
	serveDocument(w, r, p.Keys.JWKS())
	return nil
}

var (
	cacheable = []string{fmt.Sprintf("public, max-age=%d", int(keys.MaxAge.Seconds()))}
	anybody   = []string{"*"}
)

// serveDocument answers with public bytes that may be kept for a while, and by
// scripts of any site.
func serveDocument(w http.ResponseWriter, r *http.Request, body []byte) {
	sum := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	h := w.Header()
	h["Content-Type"], h["Cache-Control"], h["Access-Control-Allow-Origin"] = wire.JSONType, cacheable, anybody
	h["Etag"] = []string{etag}
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body) // the client may be gone; nothing is left to do then
}
