// Package upstream is idp as a relying party of other OpenID providers: people log in
// there, by authorization code with PKCE and nonce (OIDC Core §3.1), and come back with
// a code for an ID token, which is believed as far as the configuration says.
//
// An upstream is somebody else's. It may be down, slow, lying or rotating its keys, and
// all of that may hurt its own people only: nothing is asked of it before somebody
// wants to go there, every question has a deadline, and one that failed is not asked
// again for some seconds. It may not choose who somebody is here: people are found by
// its issuer and their sub there, nothing else; its groups and levels of
// authentication count where a rule names them. Where it says that it is to be asked,
// its keys are and its people log in, comes from its discovery document alone, and is
// dialled by package fetch: never an address of our own networks unless its entry
// allows it, and never by a redirect.
//
// Every login that leaves has a state of its own, which belongs to one browser, one
// login request and one upstream (package store, UpstreamLogin): what comes back
// elsewhere is nobody's.
package upstream

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"idp/internal/fetch"
	"idp/internal/secret"
)

// maxBody bounds what an upstream answers: discovery, keys, tokens, claims.
const maxBody = 256 << 10

// lives is how long somebody may take to log in at an upstream.
const lives = 30 * time.Minute

// Entry is an upstream and what its files hold.
type Entry struct {
	Config
	Secret secret.String // of client_secret_file; empty: none
	Key    []byte        // of client_key_file, PEM; nil: none
}

// Options are everything New needs.
type Options struct {
	Issuer  string // ours
	Entries []Entry
	RootCAs *x509.CertPool // nil: those of the system
	Now     func() time.Time
}

// Upstreams are all that are configured. Safe for concurrent use.
type Upstreams struct{ list []*Upstream }

// Upstream is one of them.
type Upstream struct {
	Config
	issuer string // ours
	now    func() time.Time
	fetch  *fetch.Fetcher
	about  *about
	keys   *keySet
	client credentials
}

// New makes Upstreams. It asks nobody.
func New(o Options) (*Upstreams, error) {
	if o.Issuer == "" {
		return nil, errors.New("upstream: Issuer is required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	all := &Upstreams{}
	for _, e := range o.Entries {
		u, err := newUpstream(e, o)
		if err != nil {
			return nil, fmt.Errorf("upstream %s: %w", e.ID, err)
		}
		all.list = append(all.list, u)
	}
	return all, nil
}

// anywhere are all networks, for what an administrator allows to be private; package
// fetch still refuses the addresses at which clouds keep their secrets.
var anywhere = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
}

func newUpstream(e Entry, o Options) (*Upstream, error) {
	u := &Upstream{Config: e.Config.withDefaults(), issuer: o.Issuer, now: o.Now}
	fc := fetch.Config{RootCAs: o.RootCAs, MaxBytes: maxBody}
	if e.AllowPrivate {
		fc.AllowPrivate = anywhere
	}
	var err error
	if u.fetch, err = fetch.New(fc); err != nil {
		return nil, err
	}
	if u.client, err = newCredentials(u.Config, e.Secret, e.Key); err != nil {
		return nil, err
	}
	u.about = &about{issuer: u.Issuer, get: u.fetch.Get, now: o.Now}
	u.keys = &keySet{get: u.fetch.Get, now: o.Now}
	return u, nil
}

// Button is an upstream on the login page. Mail addresses of Domains are its people's.
type Button struct {
	ID, Name string
	Domains  []string
}

// Buttons are in the order of the configuration.
func (us *Upstreams) Buttons() (all []Button) {
	for _, u := range us.list {
		all = append(all, Button{u.ID, u.Name, u.AllowDomains})
	}
	return all
}

// ByID is an upstream by its id, or nil.
func (us *Upstreams) ByID(id string) *Upstream {
	return us.find(func(u *Upstream) bool { return u.ID == id })
}

// ByIssuer is an upstream by its issuer, or nil.
func (us *Upstreams) ByIssuer(issuer string) *Upstream {
	return us.find(func(u *Upstream) bool { return u.Issuer == issuer })
}

func (us *Upstreams) find(is func(*Upstream) bool) *Upstream {
	i := slices.IndexFunc(us.list, is)
	if i < 0 {
		return nil
	}
	return us.list[i]
}

// MakesUsers reports whether whoever logs in by it for the first time becomes a user.
func (u *Upstream) MakesUsers() bool { return u.Create == CreateFirstLogin }

// RedirectURI is where its people come back to; to be registered there, to the letter.
func (u *Upstream) RedirectURI() string { return u.issuer + "/upstream/" + u.ID + "/callback" }
