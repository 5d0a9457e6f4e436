package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"idp/internal/account"
	"idp/internal/authn"
	"idp/internal/config"
	"idp/internal/factor"
	"idp/internal/forwardauth"
	"idp/internal/kerberos"
	"idp/internal/login"
	"idp/internal/oidc"
	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/session"
	"idp/internal/setup"
	"idp/internal/store"
	"idp/internal/upstream"
	"idp/internal/user"
	"idp/internal/web"
)

// parts are what a generation is made of, from below: each layer is made of those
// before it, and routes puts the last together.
type parts struct {
	*generation // what outlives building it: the acceptor, the directory, the clients, the sender
	config      *config.Config

	upstreams *upstream.Upstreams

	auth      *authn.Authn
	sessions  *session.Sessions
	policy    *policy.Policy
	passwords *user.Policy
	passkeys  *factor.Passkeys // nil: there can be none

	pages   *web.Pages
	login   *login.Login
	setup   *setup.Setup
	account *account.Account
	oidc    *oidc.Provider
	forward *forwardauth.ForwardAuth // nil: no site is protected
}

// reach makes what asks others: realms, a directory, a mail server, OpenID providers.
func (p *parts) reach(context.Context) (err error) {
	s, c := p.server, p.config
	if p.acceptor, err = s.acceptor(c); err != nil {
		return err
	}
	if p.people, err = s.directory(c); err != nil {
		return err
	}
	if p.sender, err = Sender(c); err != nil {
		return err
	}
	p.upstreams, err = s.upstreams(c)
	return err
}

// recognise makes what says who somebody is, what they have to show, and at whose site.
func (p *parts) recognise(ctx context.Context) (err error) {
	s, c := p.server, p.config
	if p.auth, err = authn.New(authn.Config{Store: s.store, Ring: s.ring, Kerberos: p.acceptor, Section: c.Kerberos, Directory: p.people,
		Limits: c.Limits, Sites: c.ForwardAuth.Hosts(), Log: s.log, Now: s.now}); err != nil {
		return err
	}
	if p.sessions, err = session.New(session.Config{Store: s.store, Ring: s.ring, Issuer: c.IssuerURL(), Idle: c.Lifetimes.SessionIdle.D(),
		Absolute: c.Lifetimes.SessionAbsolute.D(), Rules: c.Sessions, Now: s.now, Directory: asks(p.auth)}); err != nil {
		return err
	}
	p.policy = &policy.Policy{Store: s.store, OfferTo: c.Kerberos.OfferTo, Rules: c.Factors, Now: s.now}
	if p.acceptor != nil {
		p.policy.Usable = p.acceptor.Ready
	}
	if p.passwords, err = PasswordPolicy(c); err != nil {
		return err
	}
	if p.passkeys, err = s.passkeys(c); err != nil {
		return err
	}
	p.clients, err = s.clients(ctx, c)
	return err
}

// answer makes those that answer requests.
func (p *parts) answer(context.Context) (err error) {
	if p.pages, err = web.NewPages(brand(p.config)); err != nil {
		return err
	}
	for _, one := range []func() error{p.makeLogin, p.makeSetup, p.makeAccount, p.makeProvider, p.makeForwardAuth} {
		if err := one(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parts) makeLogin() (err error) {
	s, c := p.server, p.config
	p.login, err = login.New(login.Config{
		Store: s.store, Sessions: p.sessions, Authn: p.auth, Factors: s.factors, Passkeys: p.passkeys, Policy: p.policy, Passwords: p.passwords, Pages: p.pages,
		Kerberos: c.Kerberos, Issuer: c.IssuerURL(), Upstreams: p.upstreams, Name: companyName(c),
		Site: p.clients.Site, Shares: p.clients.Shares, About: p.clients.About, Remembered: p.clients.Remembered,
	})
	return err
}

func (p *parts) makeSetup() (err error) {
	p.setup, err = setup.New(setup.Config{Store: p.server.store, Sessions: p.sessions, Authn: p.auth, Policy: p.policy, Pages: p.pages, Issuer: p.config.IssuerURL()})
	return err
}

func (p *parts) makeAccount() (err error) {
	s, c := p.server, p.config
	p.account, err = account.New(account.Config{
		Store: s.store, Sessions: p.sessions, Policy: p.policy, Factors: s.factors, Passkeys: p.passkeys, Name: companyName(c), Authn: p.auth,
		Passwords: p.passwords, Upstreams: p.upstreams, Pages: p.pages, Site: p.clients.Site, Shares: p.clients.Shares, Sites: p.clients.MySites(c.Issuer),
		SignOut: func(w http.ResponseWriter, r *http.Request, c *session.Current) error {
			return p.oidc.SignOut.End(w, r, c)
		},
	})
	return err
}

func (p *parts) makeProvider() error {
	s, c := p.server, p.config
	token, err := initialAccessToken(c)
	if err != nil {
		return err
	}
	p.oidc, err = oidc.New(oidc.Config{
		Issuer: c.Issuer, Store: s.store, Sessions: p.sessions, Keys: s.keys, Pages: p.pages, Clients: p.clients, Policy: p.policy, Authn: p.auth,
		Upstreams: p.upstreams, Ring: s.ring, Now: s.now, Lifetimes: lifetimes(c), Realm: defaultRealm(c), Resources: c.Resources,
		InitialAccessToken: token, Directory: asks(p.auth),
	})
	return err
}

func (p *parts) makeForwardAuth() (err error) {
	s, c := p.server, p.config
	if len(c.ForwardAuth) == 0 {
		return nil
	}
	p.forward, err = forwardauth.New(forwardauth.Options{
		Sites: c.ForwardAuth, Issuer: c.IssuerURL(), Store: s.store, Sessions: p.sessions, Authn: p.auth, Factors: s.factors, Policy: p.policy,
		Keys: s.keys, Ring: s.ring, Pages: p.pages, BasicRealm: c.Kerberos.PromptRealm(), Longest: lifetimes(c).SessionAbsolute, Now: s.now,
	})
	return err
}

// initialAccessToken is the hash of what lets relying parties register themselves;
// nil: nothing does.
func initialAccessToken(c *config.Config) ([]byte, error) {
	if c.Registration.InitialAccessTokenFile == "" {
		return nil, nil
	}
	token, err := config.ReadSecret(c.Registration.InitialAccessTokenFile)
	if err != nil {
		return nil, err
	}
	return secret.Hash(token), nil
}

// companyName is what apps that make codes show; the issuer's host where nobody has
// named the company.
func companyName(c *config.Config) string {
	if c.Brand.Name == config.Default().Brand.Name {
		return c.IssuerURL().Hostname()
	}
	return c.Brand.Name
}

// passkeys is nil where the issuer's host is an address: there can be none there.
func (s *Server) passkeys(c *config.Config) (*factor.Passkeys, error) {
	p, err := factor.NewPasskeys(factor.PasskeyConfig{Store: s.store, Ring: s.ring, Issuer: c.IssuerURL(), Name: companyName(c), Now: s.now})
	if errors.Is(err, factor.ErrNoPasskeys) {
		return nil, nil //nolint:nilnil // no passkeys is an answer, not an error
	}
	return p, err
}

func defaultRealm(c *config.Config) string {
	if len(c.Kerberos.Realms) == 0 {
		return ""
	}
	return c.Kerberos.Realms[0].Name
}

func lifetimes(c *config.Config) oidc.Lifetimes {
	l := c.Lifetimes
	return oidc.Lifetimes{Code: l.Code.D(), AccessToken: l.AccessToken.D(), IDToken: l.IDToken.D(), RefreshIdle: l.RefreshIdle.D(), SessionAbsolute: c.Sessions.Longest(l.SessionAbsolute.D())}
}

// acceptor is nil without a kerberos section. A keytab that cannot be used is
// said here and does not stop the server: the other methods go on, and the
// acceptor looks again.
func (s *Server) acceptor(c *config.Config) (*kerberos.Acceptor, error) {
	if !c.HasKerberos {
		return nil, nil //nolint:nilnil // no section, no acceptor
	}
	seen := func(ctx context.Context, hash []byte, until time.Time) (bool, error) {
		return s.store.SeenOnce(ctx, store.UseTicket, hash, until)
	}
	a, err := kerberos.New(kerberos.Options{Config: c.Kerberos, Seen: seen, Now: s.now, Log: s.log, ChannelBindings: s.certificate.bindings})
	if err != nil {
		return nil, err
	}
	if err := a.Ready(); err != nil {
		s.log.Warn(noTickets, "err", err)
	}
	return a, nil
}
