// Package oidc is our OpenID provider: the endpoints a relying party talks to.
//
// A file or package per endpoint, and in it a small function per check, in the order and
// under the name its specification gives it: OpenID Connect Core 1.0 (OIDC Core),
// OAuth 2.0 (RFC 6749) as RFC 9700 wants it today, Form Post Response Mode, issuer
// identification (RFC 9207), introspection (RFC 7662), revocation (RFC 7009),
// registration (RFC 7591) and metadata (RFC 8414). What the endpoints ask stands
// below, and knows none of them: what a request has to look like (authreq; pushed,
// for those that we keep), which client sends it (clientauth, proof), what that
// client may (clients), what it is given (tokens), what that is still worth
// (standing), and how all of it is written (wire). The token endpoint (grant),
// devices (device) and sign-outs (signout) are answered beside logins.
//
// Who somebody is, is not decided here: /authorize either finds a session that
// satisfies the request or writes a login request, a row that belongs to one
// browser, and sends the browser to package login; /authorize/resume takes over
// when the row says that the login is done. What must happen once (a code is
// redeemed, a refresh token rotated, a login or pushed request consumed) is one conditional
// statement of package store.
//
// Every error that leaves is one of the protocol's, with its cause beside it for
// the log: as a page until the redirect URI is proven, then to the relying party.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"idp/internal/authn"
	"idp/internal/keys"
	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/device"
	"idp/internal/oidc/grant"
	"idp/internal/oidc/proof"
	"idp/internal/oidc/pushed"
	"idp/internal/oidc/signout"
	"idp/internal/oidc/standing"
	"idp/internal/oidc/tokens"
	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/upstream"
	"idp/internal/web"
)

// Lifetimes of what the provider issues; zero values take the default.
type Lifetimes struct {
	Code            time.Duration // default 60 s
	AccessToken     time.Duration // default 5 min
	IDToken         time.Duration // default 5 min
	RefreshIdle     time.Duration // an unused refresh token ends; default 8 h
	SessionAbsolute time.Duration // and all that lives by a session; default 12 h
}

// Config is everything New needs.
type Config struct {
	Issuer    string // the one public URL, without a path or a final slash
	Store     *store.Store
	Sessions  *session.Sessions
	Keys      *keys.Keys
	Pages     *web.Pages
	Clients   *clients.Registry
	Fetchers  *clients.Fetchers // ask clients' jwks_uri; nil: the system's certificates are believed
	Policy    *policy.Policy
	Authn     *authn.Authn        // checks tickets that are exchanged; nil: none are
	Upstreams *upstream.Upstreams // whom people who sign out here sign out at, too; nil: nobody
	Ring      *secret.Ring
	Resources []store.Resource // whom access tokens can be made for, beside this issuer itself
	Realm     string           // default Kerberos realm, for {realm} in a client's preferred_username
	Lifetimes Lifetimes
	Now       func() time.Time

	// Directory asks whether a user is still enabled, and how they are known now;
	// vouches: it knows them. user.ErrDisabled: they are not, and what they had has
	// ended. Nil: there is no directory.
	Directory func(context.Context, *store.User) (now *store.User, vouches bool, err error)

	// InitialAccessToken is the SHA-256 of what lets relying parties register
	// themselves (RFC 7591 §3); nil: nothing does, and /register is not there.
	InitialAccessToken []byte
}

// Provider serves the endpoints. Safe for concurrent use.
type Provider struct {
	Config
	tokens    *tokens.Tokens
	auth      *clientauth.Auth
	standing  *standing.Judge
	discovery []byte

	Grants  *grant.Endpoint
	Pushed  *pushed.Requests
	Devices *device.Endpoints
	SignOut *signout.Endpoints
}

// New checks the configuration and makes a Provider.
func New(c Config) (*Provider, error) {
	if c.Store == nil || c.Sessions == nil || c.Keys == nil || c.Pages == nil || c.Clients == nil || c.Policy == nil || c.Ring == nil {
		return nil, errors.New("oidc: Store, Sessions, Keys, Pages, Clients, Policy and Ring are required")
	}
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("oidc: issuer %q: want a URL without path, query and fragment", c.Issuer)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Lifetimes = c.Lifetimes.withDefaults()
	if c.Fetchers == nil {
		if c.Fetchers, err = clients.NewFetchers(nil); err != nil {
			return nil, err
		}
	}
	p := &Provider{Config: c}
	if err := p.build(); err != nil {
		return nil, err
	}
	p.discovery, err = p.metadata()
	return p, err
}

// build makes the parts, each of what stands before it.
func (p *Provider) build() (err error) {
	c := p.Config
	if p.tokens, err = tokens.New(tokens.Config{Issuer: c.Issuer, Keys: c.Keys, Ring: c.Ring, Resources: c.Resources, Realm: c.Realm, Now: c.Now,
		AccessToken: c.Lifetimes.AccessToken, IDToken: c.Lifetimes.IDToken}); err != nil {
		return err
	}
	if p.auth, err = clientauth.New(clientauth.Config{Issuer: c.Issuer, Store: c.Store, Clients: c.Clients, Keys: clients.NewKeySources(c.Fetchers),
		Nonces: proof.NewNonces(c.Ring), Now: c.Now}); err != nil {
		return err
	}
	if p.standing, err = standing.New(standing.Config{Store: c.Store, Clients: c.Clients, Tokens: p.tokens, Directory: c.Directory, Now: c.Now}); err != nil {
		return err
	}
	if p.Grants, err = grant.New(grant.Config{Issuer: c.Issuer, Store: c.Store, Policy: c.Policy, Authn: c.Authn, Tokens: p.tokens, Auth: p.auth, Standing: p.standing,
		Now: c.Now, AccessToken: c.Lifetimes.AccessToken, RefreshIdle: c.Lifetimes.RefreshIdle, SessionAbsolute: c.Lifetimes.SessionAbsolute}); err != nil {
		return err
	}
	if p.Pushed, err = pushed.New(pushed.Config{Store: c.Store, Auth: p.auth, Tokens: p.tokens, Now: c.Now}); err != nil {
		return err
	}
	if p.Devices, err = device.New(device.Config{Issuer: c.Issuer, Store: c.Store, Sessions: c.Sessions, Pages: c.Pages, Clients: c.Clients,
		Policy: c.Policy, Auth: p.auth, Tokens: p.tokens, Codes: authn.NewUserCodes(c.Store, c.Ring, c.Now), Now: c.Now}); err != nil {
		return err
	}
	p.SignOut, err = signout.New(signout.Config{Issuer: c.Issuer, Store: c.Store, Sessions: c.Sessions, Pages: c.Pages, Clients: c.Clients,
		Tokens: p.tokens, Kept: p.Pushed, Policy: c.Policy, Upstreams: c.Upstreams})
	return err
}

func (l Lifetimes) withDefaults() Lifetimes {
	or := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	or(&l.Code, time.Minute)
	or(&l.AccessToken, 5*time.Minute)
	or(&l.IDToken, 5*time.Minute)
	or(&l.RefreshIdle, 8*time.Hour)
	or(&l.SessionAbsolute, 12*time.Hour)
	return l
}
