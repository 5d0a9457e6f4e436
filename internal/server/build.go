package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"idp/internal/account"
	"idp/internal/audit"
	"idp/internal/authn"
	"idp/internal/config"
	"idp/internal/directory"
	"idp/internal/factor"
	"idp/internal/forwardauth"
	"idp/internal/kerberos"
	"idp/internal/login"
	"idp/internal/mail"
	"idp/internal/oidc"
	"idp/internal/oidc/backchannel"
	"idp/internal/oidc/clients"
	"idp/internal/secret"
	"idp/internal/session"
	"idp/internal/setup"
	"idp/internal/store"
	"idp/internal/web"
)

// generation is everything the configuration file decides.
type generation struct {
	handler  http.Handler
	acceptor *kerberos.Acceptor   // nil: no kerberos section
	people   *directory.Directory // nil: no ldap section
	clients  *clients.Registry
	sender   *mail.Sender // nil: no smtp section
	server   *Server
	cancel   context.CancelFunc
}

// run starts what the generation does beside requests.
func (g *generation) run(ctx context.Context) {
	ctx, g.cancel = context.WithCancel(ctx)
	if g.acceptor != nil {
		go g.server.background(ctx, "watching keytabs", g.acceptor.Run)
		go g.watchReady(ctx, g.acceptor.Ready() == nil)
	}
}

func (g *generation) stop() {
	if g.cancel != nil {
		g.cancel()
	}
	if g.people != nil {
		g.people.Close()
	}
}

// parts are what routes puts together.
type parts struct {
	server  *Server
	pages   *web.Pages
	login   *login.Login
	setup   *setup.Setup
	account *account.Account
	oidc    *oidc.Provider
	forward *forwardauth.ForwardAuth // nil: no site is protected
	config  *config.Config
}

// build makes every part, in the order in which they depend on each other. It
// changes nothing: a configuration it refuses has left no trace.
func (s *Server) build(ctx context.Context, c *config.Config) (*generation, error) {
	if problems := Check(c); len(problems) > 0 {
		return nil, problems
	}
	for _, w := range Warnings(c) {
		s.log.Warn("configuration can be better", "problem", w.Error())
	}
	g := &generation{server: s}
	p := parts{server: s, config: c}
	var err error
	if p.pages, err = web.NewPages(brand(c)); err != nil {
		return nil, err
	}
	if g.acceptor, err = s.acceptor(c); err != nil {
		return nil, err
	}
	if g.people, err = s.directory(c); err != nil {
		return nil, err
	}
	auth, err := authn.New(authn.Config{Store: s.store, Ring: s.ring, Kerberos: g.acceptor, Section: c.Kerberos, Directory: g.people, Limits: c.Limits, Sites: c.ForwardAuth.Hosts(), Log: s.log, Now: s.now})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New(session.Config{Store: s.store, Ring: s.ring, Issuer: c.IssuerURL(),
		Idle: c.Lifetimes.SessionIdle.D(), Absolute: c.Lifetimes.SessionAbsolute.D(), Rules: c.Sessions, Now: s.now, Directory: asks(auth)})
	if err != nil {
		return nil, err
	}
	policy := &authn.Policy{Store: s.store, OfferTo: c.Kerberos.OfferTo, Rules: c.Factors, Now: s.now}
	if g.acceptor != nil {
		policy.Usable = g.acceptor.Ready
	}
	passwords, err := PasswordPolicy(c)
	if err != nil {
		return nil, err
	}
	if g.sender, err = Sender(c); err != nil {
		return nil, err
	}
	registry, err := s.clients(ctx, c)
	if err != nil {
		return nil, err
	}
	g.clients = registry
	upstreams, err := s.upstreams(c)
	if err != nil {
		return nil, err
	}
	passkeys, err := s.passkeys(c)
	if err != nil {
		return nil, err
	}
	if p.login, err = login.New(login.Config{Store: s.store, Sessions: sessions, Authn: auth, Factors: s.factors, Passkeys: passkeys, Policy: policy, Passwords: passwords, Pages: p.pages,
		Kerberos: c.Kerberos, Issuer: c.IssuerURL(), Upstreams: upstreams, Name: companyName(c), Site: registry.Site, Shares: registry.Shares, About: registry.About, Remembered: registry.Remembered}); err != nil {
		return nil, err
	}
	if p.setup, err = setup.New(setup.Config{Store: s.store, Sessions: sessions, Authn: auth, Policy: policy, Pages: p.pages, Issuer: c.IssuerURL()}); err != nil {
		return nil, err
	}
	if p.account, err = account.New(account.Config{Store: s.store, Sessions: sessions, Policy: policy, Factors: s.factors, Passkeys: passkeys, Name: companyName(c),
		Authn: auth, Passwords: passwords, Upstreams: upstreams, Pages: p.pages, Site: registry.Site, Shares: registry.Shares, Sites: registry.MySites(c.Issuer),
		SignOut: func(w http.ResponseWriter, r *http.Request, c *session.Current) error {
			return p.oidc.SignOut.End(w, r, c)
		}}); err != nil {
		return nil, err
	}
	initialToken, err := initialAccessToken(c)
	if err != nil {
		return nil, err
	}
	if p.oidc, err = oidc.New(oidc.Config{Issuer: c.Issuer, Store: s.store, Sessions: sessions, Keys: s.keys, Pages: p.pages, Clients: registry,
		Policy: policy, Authn: auth, Upstreams: upstreams, Ring: s.ring, Now: s.now, Lifetimes: lifetimes(c), Realm: defaultRealm(c), Resources: c.Resources, InitialAccessToken: initialToken,
		Directory: asks(auth)}); err != nil {
		return nil, err
	}
	if len(c.ForwardAuth) > 0 {
		if p.forward, err = forwardauth.New(forwardauth.Options{Sites: c.ForwardAuth, Issuer: c.IssuerURL(), Store: s.store, Sessions: sessions, Authn: auth, Factors: s.factors, Policy: policy,
			Keys: s.keys, Ring: s.ring, Pages: p.pages, BasicRealm: c.Kerberos.PromptRealm(), Longest: lifetimes(c).SessionAbsolute, Now: s.now}); err != nil {
			return nil, err
		}
	}
	g.handler, err = p.routes(s.log)
	return g, err
}

// backchannel tells the relying parties of the running generation that sessions
// have ended. It lives as long as the process, for a reload must not cut off what
// it is about to deliver.
func (s *Server) backchannel(c *config.Config) (*backchannel.Backchannel, error) {
	b := backchannel.Config{Issuer: c.Issuer, Store: s.store, Keys: s.keys, Log: s.log,
		Client: func(ctx context.Context, id string) (*store.Client, error) {
			return s.current.Load().clients.ByID(ctx, id)
		}}
	if s.metrics != nil {
		b.Count = s.metrics.Logout
	}
	return backchannel.New(b)
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

// clients are the relying parties of the file, its protected sites and behind them the
// relying parties of the database. Whoever is in both belongs to neither.
func (s *Server) clients(ctx context.Context, c *config.Config) (*clients.Registry, error) {
	file, problems := fileClients(c)
	once := func(at, id string) error { // a problem where the database has the id too
		_, err := s.store.ClientByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil {
			problems = append(problems, c.Problem(at, fmt.Sprintf("the database has a relying party %q too", id), "remove one: idp client remove "+id))
		}
		return err
	}
	for i, cl := range file {
		if err := once(fmt.Sprintf("$.clients[%d].client_id", i), cl.ClientID); err != nil {
			return nil, err
		}
	}
	sites := c.ForwardAuth.Clients(c.IssuerURL())
	for i, site := range sites {
		if err := once(fmt.Sprintf("$.forward_auth[%d].host", i), site.ClientID); err != nil {
			return nil, err
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return clients.New(append(file, sites...), s.store, s.now), nil
}

// signingAlgs are the algorithms that the file's relying parties and resources
// name; their keys are published before anybody logs in there.
func signingAlgs(c *config.Config) []string {
	var algs []string
	for _, cl := range c.Clients {
		algs = append(algs, cl.IDTokenAlg, cl.UserinfoAlg)
	}
	for _, r := range c.Resources {
		algs = append(algs, r.AccessTokenAlg)
	}
	return slices.DeleteFunc(algs, func(alg string) bool { return alg == "" })
}

// seed makes the file's users where their names are free.
func (s *Server) seed(ctx context.Context, c *config.Config) error {
	for _, u := range c.Users {
		if _, err := s.store.UserByName(ctx, u.Name); !errors.Is(err, store.ErrNotFound) {
			if err != nil {
				return err
			}
			continue
		}
		password, err := config.ReadSecret(u.PasswordFile)
		if err != nil {
			return err
		}
		seed := store.User{Name: u.Name, FullName: u.FullName, Email: u.Email, EmailVerified: u.EmailVerified, Groups: u.Groups, Claims: u.Claims}
		if err := AddUser(ctx, s.store, seed, password, audit.ActorConfig); err != nil && !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("users: %s: %w", u.Name, err)
		}
	}
	return nil
}
