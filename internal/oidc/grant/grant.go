// Package grant is the token endpoint (RFC 6749 §3.2): a grant in, tokens out. A file for
// each grant_type: a code, a refresh token, a device code, a client's own credentials or
// assertion, a token or a Kerberos ticket in exchange. What must happen once is one
// conditional statement of package store, and what a grant is still good for is asked of
// package standing in its transaction.
package grant

import (
	"errors"
	"net/http"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/authn"
	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/standing"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/store"
	"idp/internal/web"
)

// Config is everything New needs.
type Config struct {
	Issuer   string
	Store    *store.Store
	Policy   *policy.Policy
	Authn    *authn.Authn // checks tickets that are exchanged; nil: none are
	Tokens   *tokens.Tokens
	Auth     *clientauth.Auth
	Standing *standing.Judge
	Now      func() time.Time

	AccessToken     time.Duration // how long one is good
	RefreshIdle     time.Duration // an unused refresh token ends
	SessionAbsolute time.Duration // and all that lives by a session
}

// Endpoint serves the token endpoint. Safe for concurrent use.
type Endpoint struct{ Config }

// New checks the configuration and makes an Endpoint.
func New(c Config) (*Endpoint, error) {
	if c.Issuer == "" || c.Store == nil || c.Policy == nil || c.Tokens == nil || c.Auth == nil || c.Standing == nil || c.Now == nil {
		return nil, errors.New("grant: Issuer, Store, Policy, Tokens, Auth, Standing and Now are required")
	}
	return &Endpoint{c}, nil
}

// RefreshGrace is how long the refresh token before the current one still yields
// the current one: an answer may get lost, and a browser ask twice at once.
const RefreshGrace = 30 * time.Second

// ServeToken answers: POST, and everything in the body.
func (p *Endpoint) ServeToken(w http.ResponseWriter, r *http.Request) error {
	if wire.AnyOrigin(w, r, "POST") {
		return nil
	}
	var answer grantAnswer
	check := func(client *store.Client, ps wire.Params, _ string) (err error) {
		answer, err = p.grant(w, r, client, ps)
		return err
	}
	wire.NextNonce(w, p.Auth.NextNonce(r))
	client, ps, jkt, err := p.Auth.FromClientWithKey(r, tokenEndpoint, check)
	if err != nil {
		return err
	}
	body, err := answer(r, client, ps, jkt)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, body)
	return nil
}

// tokenEndpoint is the one where tokens are got.
var tokenEndpoint = clientauth.Endpoint{Path: clientauth.PathToken, Grants: true, Proof: true}

// grantAnswer answers a request of one grant_type. jkt is the thumbprint of the DPoP
// key that was shown, to which the tokens are bound.
type grantAnswer func(r *http.Request, client *store.Client, ps wire.Params, jkt string) ([]byte, error)

// grant chooses by grant_type, one the client is registered for.
func (p *Endpoint) grant(w http.ResponseWriter, r *http.Request, client *store.Client, ps wire.Params) (answer grantAnswer, err error) {
	name, err := ps.Need("grant_type")
	if err != nil {
		return nil, err
	}
	grant := protocol.GrantType(name)
	switch grant {
	case protocol.GrantTypeCode:
		answer = p.codeGrant
	case protocol.GrantTypeRefreshToken:
		answer = p.refreshGrant
	case protocol.GrantTypeClientCredentials:
		answer = p.clientGrant
	case protocol.GrantTypeDeviceCode:
		answer = p.deviceGrant
	case protocol.GrantTypeBearer:
		answer = p.bearerGrant
	case protocol.GrantTypeTokenExchange:
		answer = p.exchangeGrant
	default:
		return nil, protocol.ErrUnsupportedGrantType().WithDescription("grant_type is none of those in grant_types_supported").WithParent(errors.New(web.Quote(name)))
	}
	if !clients.MayUse(client, grant) {
		return nil, protocol.ErrUnauthorizedClient().WithDescription("the client is not registered for this grant_type")
	}
	web.InfoFrom(r.Context()).Method = string(grant)
	if grant == protocol.GrantTypeTokenExchange && ps["subject_token_type"] == ticketType {
		return p.ticketAnswer(w, r, client)
	}
	return answer, nil
}
