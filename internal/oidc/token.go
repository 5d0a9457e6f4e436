package oidc

import (
	"errors"
	"net/http"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/store"
	"idp/internal/web"
)

// refreshGrace is how long the refresh token before the current one still yields
// the current one: an answer may get lost, and a browser ask twice at once.
const refreshGrace = 30 * time.Second

// ServeToken answers the token endpoint (RFC 6749 §3.2): POST, and everything in
// the body.
func (p *Provider) ServeToken(w http.ResponseWriter, r *http.Request) error {
	if wire.AnyOrigin(w, r, "POST") {
		return nil
	}
	var answer grantAnswer
	check := func(client *store.Client, ps wire.Params, _ string) (err error) {
		answer, err = p.grant(w, r, client, ps)
		return err
	}
	wire.NextNonce(w, p.auth.NextNonce(r))
	client, ps, jkt, err := p.auth.FromClientWithKey(r, tokenEndpoint, check)
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
func (p *Provider) grant(w http.ResponseWriter, r *http.Request, client *store.Client, ps wire.Params) (answer grantAnswer, err error) {
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

// entry is what the audit log learns of a request: who asked, from where.
func entry(r *http.Request, client *store.Client) store.Entry {
	info := web.InfoFrom(r.Context())
	return store.Entry{Actor: "client:" + client.ClientID, ClientID: client.ClientID, Address: info.Client.String(), RequestID: info.RequestID}
}
