// Package device lets devices without a browser log in (RFC 8628).
//
// A television, a printer or a command asks at the device authorization endpoint and
// gets two codes (§3.2): one to ask with, which is its secret, and a short one to show.
// A person types the short one, or follows a link with it, in a browser of their own,
// where they are logged in; they see who asks for what, and answer (§3.3). Meanwhile the
// device asks at the token endpoint, every few seconds, which is package oidc's
// (grant_device.go).
//
// The short code is what can be attacked. It is looked up in one place only, find.go,
// where wrong guesses count; and a person may be sent a code of somebody else's device,
// so the page shows it, says how long ago and from where it was asked for, and allows
// nothing by being opened (§5.4).
package device

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/authn"
	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

const (
	// PathAuthorization is the path of the device authorization endpoint.
	PathAuthorization = "/device_authorization"
	// pathDevice is the page where the short code is typed.
	pathDevice = "/device"
)

// Config is everything New needs.
type Config struct {
	Issuer   string
	Store    *store.Store
	Sessions *session.Sessions
	Pages    *web.Pages
	Clients  *clients.Registry
	Policy   *policy.Policy
	Auth     *clientauth.Auth
	Tokens   *tokens.Tokens
	Codes    *authn.UserCodes // against guessing
	Now      func() time.Time
}

// Endpoints serve the device grant: the endpoint that begins it, and the page. Safe
// for concurrent use.
type Endpoints struct{ Config }

// New checks the configuration.
func New(c Config) (*Endpoints, error) {
	if c.Issuer == "" || c.Store == nil || c.Sessions == nil || c.Pages == nil || c.Clients == nil || c.Policy == nil ||
		c.Auth == nil || c.Tokens == nil || c.Codes == nil || c.Now == nil {
		return nil, errors.New("device: every field is required")
	}
	return &Endpoints{c}, nil
}

const (
	// deviceLifetime is how long a device waits for its person (RFC 8628 §3.2).
	deviceLifetime = 10 * time.Minute
	// pollEvery is how often it may ask, until it is told to slow down (§3.5).
	pollEvery = 5 * time.Second
	// userCodeTries: that so many fresh codes are all taken does not happen.
	userCodeTries = 5
)

// ServeAuthorization answers the device authorization endpoint (RFC 8628
// §3.1): a device without a browser of its own gets a code to ask with, and one to
// show. What it gets by them, a person decides at /device.
func (p *Endpoints) ServeAuthorization(w http.ResponseWriter, r *http.Request) error {
	client, ps, err := p.Auth.FromClient(r, clientauth.Endpoint{Path: PathAuthorization})
	if err != nil {
		return err
	}
	if !clients.MayUse(client, protocol.GrantTypeDeviceCode) {
		return protocol.ErrUnauthorizedClient().WithDescription("the client is not registered for the device grant")
	}
	row, err := p.deviceRow(r, client, ps)
	if err != nil {
		return err
	}
	code := secret.Token()
	row.Hash = secret.Hash(code)
	if err := p.putDevice(r, &row); err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, p.deviceResponse(code, row))
	return nil
}

// deviceRow is what the device asks for, by the same rules as at /authorize.
func (p *Endpoints) deviceRow(r *http.Request, client *store.Client, ps wire.Params) (store.DeviceCode, error) {
	scope := clients.AllowedScope(client, ps["scope"])
	if scope == "" {
		return store.DeviceCode{}, wire.NoScope()
	}
	resource, err := p.Tokens.Targets(client, ps)
	if err != nil {
		return store.DeviceCode{}, err
	}
	now, info := p.Now(), web.InfoFrom(r.Context())
	return store.DeviceCode{
		GrantID: secret.ID(), ClientID: client.ClientID, Address: info.Client.String(), Outside: info.Outside,
		Network: policy.Network(info.Client), Wide: policy.WideNetwork(info.Client),
		Scope: scope, Resource: resource, PollEvery: pollEvery.Milliseconds(),
		CreatedAt: now.UnixMilli(), ExpiresAt: now.Add(deviceLifetime).UnixMilli(),
	}, nil
}

// putDevice stores the row under a user code that no other has.
func (p *Endpoints) putDevice(r *http.Request, row *store.DeviceCode) (err error) {
	for range userCodeTries {
		row.UserCode = newUserCode()
		if err = p.Store.PutDeviceCode(r.Context(), *row); !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return err
}

// deviceResponse: RFC 8628 §3.2.
func (p *Endpoints) deviceResponse(code secret.String, row store.DeviceCode) []byte {
	shown, page := showUserCode(row.UserCode), p.Issuer+pathDevice
	o := wire.NewObject(512)
	o.Text("device_code", code.Reveal())
	o.Text("user_code", shown)
	o.Text("verification_uri", page)
	o.Text("verification_uri_complete", page+"?"+url.Values{"user_code": {shown}}.Encode())
	o.Number("expires_in", int64(deviceLifetime/time.Second))
	o.Number("interval", int64(pollEvery/time.Second))
	return o.Close()
}
