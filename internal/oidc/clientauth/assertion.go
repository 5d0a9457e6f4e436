package clientauth

import (
	"context"
	"errors"
	"net/http"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/proof"
	"idp/internal/oidc/wire"
	"idp/internal/store"
)

// assertionCredentials reads private_key_jwt (RFC 7523 §2.2). client_id may be
// left out, for the assertion names the client (RFC 7521 §4.2).
func assertionCredentials(ps wire.Params) (credentials, error) {
	if ps["client_assertion_type"] != protocol.ClientAssertionTypeJWTAssertion {
		return credentials{}, wire.InvalidClient("client_assertion_type is not " + protocol.ClientAssertionTypeJWTAssertion)
	}
	claimed, err := proof.ParseAssertion(ps["client_assertion"])
	if err != nil {
		return credentials{}, assertionRefused(err)
	}
	if id := ps["client_id"]; id != "" && id != claimed.Client() {
		return credentials{}, wire.InvalidClient("client_id is not the assertion's iss")
	}
	return credentials{method: protocol.AuthMethodPrivateKeyJWT, id: claimed.Client(), assertion: claimed}, nil
}

// checkAssertion verifies an assertion that authenticates a client (RFC 7523 §3).
func (a *Auth) checkAssertion(r *http.Request, at Endpoint, client *store.Client, claimed *proof.Claimed) ([]onetime, error) {
	verified, err := claimed.Verify(r.Context(), proof.Rules{
		Issuer: client.ClientID, Audiences: a.audiences(at, client), Algorithm: client.TokenEndpointAuthAlg,
		FAPI: clients.FAPI(client), Now: a.Now(),
	}, a.Keys.Of(client))
	if err != nil {
		return nil, assertionRefused(err)
	}
	return []onetime{{verified.Once, wire.InvalidClient("the assertion was used before")}}, nil
}

// audiences are what an assertion may be made out to: the issuer. Who is not of
// FAPI may name the token endpoint or the one that is asked, as older libraries
// do (OIDC Core §9).
func (a *Auth) audiences(at Endpoint, client *store.Client) []string {
	if clients.FAPI(client) {
		return []string{a.Issuer}
	}
	return []string{a.Issuer, a.Issuer + PathToken, a.Issuer + at.Path}
}

// useUp uses assertions up on all nodes.
func (a *Auth) useUp(ctx context.Context, singles []onetime) error {
	for _, s := range singles {
		first, err := a.Store.SeenOnce(ctx, store.UseAssertion, s.Hash, s.Until)
		if err == nil && !first {
			err = s.used
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// assertionRefused turns what package proof says into the protocol's answer. Keys
// that cannot be had are the client's own trouble (its jwks_uri), not ours.
func assertionRefused(err error) error {
	var e *proof.Error
	if errors.As(err, &e) || errors.Is(err, proof.ErrNoKeys) {
		return wire.InvalidClient(err.Error())
	}
	return err
}
