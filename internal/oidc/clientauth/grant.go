package clientauth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/proof"
	"idp/internal/oidc/wire"
	"idp/internal/store"
	"idp/internal/web"
)

// A JWT as a grant (RFC 7523 §2.1) gets a client a token for itself: one that it
// signed, or one that another issuer gave to the program in whose place the client
// is registered (trusted_assertions), such as a workflow or a service account of a
// cluster. It proves the client as well, so that no other proof is needed; where
// one comes along, it has to be the same client's.
//
// It never gets a token for a person: a client that could name one would be
// everybody.

// authMethodGrant is the method of a client that shows nothing but its grant.
const authMethodGrant protocol.AuthMethod = "assertion"

// readGrant reads the assertion of a JWT bearer grant; nil where the request is
// another. At other endpoints it counts for nothing.
func readGrant(at Endpoint, ps wire.Params) (*proof.Claimed, error) {
	if !at.Grants || ps["grant_type"] != string(protocol.GrantTypeBearer) {
		return nil, nil //nolint:nilnil // another grant is an answer, not an error
	}
	text, err := ps.Need("assertion")
	if err != nil {
		return nil, err
	}
	claimed, err := proof.ParseAssertion(text)
	return claimed, grantRefused(err)
}

// grantCredentials: the client is the one named by client_id, or the assertion's
// issuer (RFC 7523 §2.1: client_id is needed only where something relies on it).
func grantCredentials(ps wire.Params, grant *proof.Claimed) credentials {
	return credentials{method: authMethodGrant, id: cmp.Or(ps["client_id"], grant.Client())}
}

// checkGrant verifies the assertion of a grant for a client.
func (a *Auth) checkGrant(r *http.Request, at Endpoint, client *store.Client, grant *proof.Claimed) ([]onetime, error) {
	if grant.Client() == client.ClientID {
		return a.checkOwnGrant(r, at, client, grant)
	}
	return nil, a.checkTrustedGrant(r, client, grant)
}

// checkOwnGrant: signed by the client, by the rules for client authentication, and
// about itself.
func (a *Auth) checkOwnGrant(r *http.Request, at Endpoint, client *store.Client, grant *proof.Claimed) ([]onetime, error) {
	verified, err := grant.Verify(r.Context(), proof.Rules{
		Issuer: client.ClientID, Audiences: a.audiences(at, client), Algorithm: client.TokenEndpointAuthAlg,
		FAPI: clients.FAPI(client), Grant: true, Now: a.Now(),
	}, a.Keys.Of(client))
	if err != nil {
		return nil, grantRefused(err)
	}
	if verified.Subject != client.ClientID {
		return nil, provenError{protocol.ErrInvalidGrant().WithDescription("sub of the assertion is not the client_id: a client gets a token for itself by it, and never for a user")}
	}
	return []onetime{{verified.Once, protocol.ErrInvalidGrant().WithDescription("the assertion was used before")}}, nil
}

// checkTrustedGrant: of an issuer and about a subject that the client is registered
// with. Nothing is fetched before both are known to be.
func (a *Auth) checkTrustedGrant(r *http.Request, client *store.Client, grant *proof.Claimed) error {
	var refused error = protocol.ErrInvalidGrant().WithDescription("the client trusts no assertion with this iss and sub (trusted_assertions)").
		WithParent(fmt.Errorf("iss %s, sub %s", web.Quote(grant.Client()), web.Quote(grant.Subject())))
	for _, trusted := range client.TrustedAssertions {
		if trusted.Issuer != grant.Client() || trusted.Subject != grant.Subject() {
			continue
		}
		_, err := grant.Verify(r.Context(), proof.Rules{
			Issuer: trusted.Issuer, Audiences: []string{cmp.Or(trusted.Audience, a.Issuer)},
			Grant: true, Repeated: true, Now: a.Now(),
		}, a.Keys.At(trusted.JWKSURI))
		if err == nil {
			return nil
		}
		refused = grantRefused(err)
	}
	return refused
}

// grantRefused: RFC 7523 §3.1.
func grantRefused(err error) error {
	var e *proof.Error
	switch {
	case errors.As(err, &e):
		return protocol.ErrInvalidGrant().WithDescription("%s", e.Hint)
	case errors.Is(err, proof.ErrNoKeys):
		return protocol.ErrInvalidGrant().WithDescription("the keys of the assertion's issuer cannot be had now").WithParent(err)
	}
	return err
}

// unknownClient answers for a client that is not there: named by its grant alone,
// it has not tried to authenticate. The log has the name that it gave.
func unknownClient(cred credentials) error {
	err := wire.InvalidClient("client " + web.Quote(cred.id) + " is unknown")
	if cred.method == authMethodGrant {
		return unproven(err)
	}
	return err
}

// unproven is the one answer to whoever shows nothing but a grant that does not hold:
// strangers do not find out which clients there are, and what of an assertion would
// do. Whoever signed it, or authenticated as well, is told what is wrong; the log has
// it of all.
func unproven(err error) error {
	var proven provenError
	switch f := wire.AsFailure(err); {
	case err == nil:
		return nil
	case errors.As(err, &proven), f.Status == http.StatusInternalServerError:
		return err
	default:
		return protocol.ErrInvalidGrant().WithDescription("the assertion is not one of a client, or does not hold (iss, sub, aud, exp, jti, signature); the log of this server says what is wrong").WithParent(f.Err)
	}
}

// provenError refuses an assertion that was signed by whom it names.
type provenError struct{ error }

func (e provenError) Unwrap() error { return e.error }
