package grant

import (
	"net/http"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
)

// deviceGrant tells a device whether it was allowed (RFC 8628 §3.4, §3.5), and
// gives it the tokens once. As with an authorization code, the conditions are those
// of the statement that uses the device code up.
func (p *Endpoint) deviceGrant(r *http.Request, client *store.Client, ps wire.Params, jkt string) ([]byte, error) {
	code, err := ps.Need("device_code")
	if err != nil {
		return nil, err
	}
	t := tokens.Response{Client: client, JKT: jkt}
	polled, err := p.Store.PollDevice(r.Context(), store.Poll{
		Hash: secret.Hash(secret.String(code)), ClientID: client.ClientID, Now: p.Now().UnixMilli(), Entry: clientauth.Entry(r, client),
		Grant: func(d store.DeviceCode, now store.Standing) (store.Grant, *store.RefreshFamily, error) {
			if !clients.MayLogIn(client, &now.User) { // RFC 8628 §3.5
				return store.Grant{}, nil, protocol.ErrAccessDenied().WithDescription("the user may not use this client any more")
			}
			c := store.Code{GrantID: d.GrantID, Scope: d.Scope, Resource: d.Resource, AMR: d.AMR, ACR: d.ACR, AuthTime: d.AuthTime}
			return p.firstGrant(&t, protocol.GrantTypeDeviceCode, c, &now, ps.Resources())
		},
	})
	if err != nil {
		return nil, invalidGrant(err, "the device code is unknown or used, was given to another client, or the login that allowed it has ended")
	}
	if err := deviceError(polled.State); err != nil {
		return nil, err
	}
	t.Grant, t.Scope = polled.Grant, polled.Grant.Scope
	if clients.MayUse(t.Client, protocol.GrantTypeRefreshToken) {
		if t.Refresh, err = p.Tokens.EncodeRefresh(t.Grant.ID, 0); err != nil {
			return nil, err
		}
	}
	return p.Tokens.Respond(t)
}

// deviceError: RFC 8628 §3.5; nil when the tokens are granted.
func deviceError(state store.DeviceState) error {
	switch state {
	case store.DeviceGranted:
		return nil
	case store.DeviceTooFast:
		return &protocol.Error{ErrorType: protocol.SlowDown, Description: "wait 5 seconds longer between two requests than so far"}
	case store.DeviceRefused:
		return protocol.ErrAccessDenied().WithDescription("the user did not allow it")
	case store.DeviceExpired:
		return &protocol.Error{ErrorType: protocol.ExpiredToken, Description: "the device code has expired; ask for a new one"}
	}
	return &protocol.Error{ErrorType: protocol.AuthorizationPending, Description: "the user has not answered yet"}
}
