// Package forwardauth protects sites that know no OpenID: it answers the yes/no
// question of the reverse proxy in front of them, and tells them who asks.
//
// The proxy asks about every request (nginx's auth_request, Traefik's ForwardAuth,
// Envoy's ext_authz and their kin) at /forward-auth, and passes the request on only
// after a 200, with the identity headers of our answer in place of whatever its client
// sent under those names. A site that does not want to believe headers, or the network
// between, verifies the assertion instead: a JWT that we signed, for this host alone, a
// minute long.
//
// A protected site has a host of its own, where the issuer's cookies do not go. Its
// proxy routes /.idp/ to us: there a login begins and ends as one at a relying party,
// with the authorization endpoint in between (RFC 6749 §4.1, RFC 7636), whose client_id
// is the site's host, whose verifier is a cookie of the site, and whose code is redeemed
// here and not at the token endpoint. What comes of it is a cookie for that host alone.
// It carries the number of the grant, which we signed; whether that still counts, the
// database says at every question, so that a sign-out anywhere is one here.
//
// Nothing of a request is believed because its client says so. What the proxy says is
// believed if it comes from trusted_proxies and is not contradicted by another header.
package forwardauth

import (
	"errors"
	"net/url"
	"time"

	"idp/internal/authn"
	"idp/internal/factor"
	"idp/internal/forwardauth/sites"
	"idp/internal/keys"
	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// Options is everything New needs.
type Options struct {
	Sites      sites.Config // checked
	Issuer     *url.URL
	Store      *store.Store
	Sessions   *session.Sessions
	Authn      *authn.Authn
	Factors    *factor.Factors
	Policy     *policy.Policy
	Keys       *keys.Keys
	Ring       *secret.Ring
	Pages      *web.Pages
	BasicRealm string        // what programs are asked for a password with
	Longest    time.Duration // the longest life of a session; default 12 h
	Now        func() time.Time
}

// ForwardAuth answers proxies, and the requests for /.idp/ that they pass on. Safe for
// concurrent use.
type ForwardAuth struct {
	Options
	sites       sites.Index
	cookieKeys  [][]byte
	assertions  kept[string, string]       // signed, by all that they say but when
	stated      kept[statement, string]    // the same, by what the database answered
	passwords   kept[string, authn.Result] // whose they were, by passwordKey
	notEnough   kept[string, bool]         // those that were right, and not enough, by passwordKey: the audit log has it
	passwordMAC []byte                     // of this process alone
}

// New checks the options and makes a ForwardAuth.
func New(o Options) (*ForwardAuth, error) {
	if o.Issuer == nil || o.Store == nil || o.Sessions == nil || o.Authn == nil || o.Factors == nil || o.Policy == nil || o.Keys == nil || o.Ring == nil || o.Pages == nil {
		return nil, errors.New("forwardauth: Issuer, Store, Sessions, Authn, Factors, Policy, Keys, Ring and Pages are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Longest == 0 {
		o.Longest = 12 * time.Hour
	}
	f := &ForwardAuth{Options: o, sites: o.Sites.Index(), cookieKeys: o.Ring.Derive("site cookie"), passwordMAC: secret.Bytes(32)}
	return f, nil
}
