package server

import (
	"context"
	"net/http"

	"idp/internal/config"
	"idp/internal/directory"
	"idp/internal/kerberos"
	"idp/internal/mail"
	"idp/internal/oidc/backchannel"
	"idp/internal/oidc/clients"
	"idp/internal/store"
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

// build makes every part, in the order in which they depend on each other. It
// changes nothing: a configuration it refuses has left no trace.
func (s *Server) build(ctx context.Context, c *config.Config) (*generation, error) {
	if problems := Check(c); len(problems) > 0 {
		return nil, problems
	}
	for _, w := range Warnings(c) {
		s.log.Warn("configuration can be better", "problem", w.Error())
	}
	p := &parts{generation: &generation{server: s}, config: c}
	for _, layer := range []func(context.Context) error{p.reach, p.recognise, p.answer} {
		if err := layer(ctx); err != nil {
			return nil, err
		}
	}
	var err error
	p.handler, err = p.routes(s.log)
	return p.generation, err
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
