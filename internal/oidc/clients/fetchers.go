package clients

import (
	"crypto/x509"
	"net/netip"

	"idp/internal/fetch"
	"idp/internal/oidc/proof"
	"idp/internal/store"
)

// Fetchers ask what the registrations name: jwks_uri, backchannel_logout_uri. What
// an administrator wrote may be in the company's own networks and on this machine;
// what registered itself (RFC 7591) is asked on the public Internet only.
// Link-local addresses, where clouds keep their secrets, are never asked.
type Fetchers struct{ ours, strangers, logouts *fetch.Fetcher }

// company are the networks that a company's own sites are in.
var company = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
}

// NewFetchers makes Fetchers; roots say whose certificates are believed (nil: the
// system's).
func NewFetchers(roots *x509.CertPool) (*Fetchers, error) {
	ours, err := fetch.New(fetch.Config{AllowPrivate: company, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	logouts, err := fetch.New(fetch.Config{AllowPrivate: company, AllowPlain: true, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	strangers, err := fetch.New(fetch.Config{RootCAs: roots})
	return &Fetchers{ours, strangers, logouts}, err
}

// ForLogouts returns the one that tells a client of ended sessions. The company's
// own may be told by plain http (OIDC Back-Channel Logout §2.2): the token is
// signed, good for two minutes, and opens nothing.
func (f *Fetchers) ForLogouts(c *store.Client) *fetch.Fetcher {
	if c.Registered {
		return f.strangers
	}
	return f.logouts
}

// KeySources find the keys that clients sign with, by way of Fetchers.
type KeySources struct{ ours, strangers *proof.KeySource }

// NewKeySources makes KeySources.
func NewKeySources(f *Fetchers) *KeySources {
	return &KeySources{proof.NewKeySource(f.ours.Get), proof.NewKeySource(f.strangers.Get)}
}

// Of returns the Finder of a client's keys.
func (k *KeySources) Of(c *store.Client) proof.Finder {
	if c.Registered {
		return k.strangers.Of(string(c.JWKS), c.JWKSURI)
	}
	return k.ours.Of(string(c.JWKS), c.JWKSURI)
}

// At returns the Finder of the keys behind a URL that an administrator wrote.
func (k *KeySources) At(jwksURI string) proof.Finder { return k.ours.Of("", jwksURI) }
