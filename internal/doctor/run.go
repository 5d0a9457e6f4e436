package doctor

import (
	"context"
	"crypto/x509"
	"net"
	"net/url"
	"sync"
	"time"

	"idp/internal/doctor/look"
	"idp/internal/doctor/realm"
	"idp/internal/doctor/report"
	"idp/internal/doctor/site"
	"idp/internal/store"
	"idp/internal/store/database"
)

const (
	perCheck = 12 * time.Second // PostgreSQL alone may take 5 s to be given up
	inTotal  = 15 * time.Second
)

// Run makes every check and returns their lines in the order of the list.
func Run(ctx context.Context, c Config) []report.Line {
	ctx, cancel := context.WithTimeout(ctx, inTotal)
	defer cancel()
	e := newExam(ctx, c)
	lines := make([][]report.Line, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { lines[i] = e.bounded(ctx, c, perCheck) })
	}
	all.Wait()
	e.close(ctx)
	var out []report.Line
	for i, c := range checks {
		for _, r := range lines[i] {
			r.Check = c.name
			out = append(out, r)
		}
	}
	return out
}

// bounded waits for a check no longer than limit. One that hangs in spite of its
// context is left behind, and so is one that panics: the others have their say.
func (e *exam) bounded(ctx context.Context, c check, limit time.Duration) []report.Line {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan []report.Line, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- report.Failed("report this: it is a bug of idp", "the check itself broke: %v", p)
			}
		}()
		done <- c.run(e, ctx)
	}()
	select {
	case lines := <-done:
		return lines
	case <-ctx.Done():
		return report.Failed("what it asks does not answer: a firewall? the lines around this one may say more", "no answer in time")
	}
}

func newExam(ctx context.Context, c Config) *exam {
	e := &exam{Config: c}
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Resolver == nil {
		e.Resolver = net.DefaultResolver
	}
	e.network = look.Network{Resolver: e.Resolver}
	var err error
	if e.issuer, err = url.Parse(c.Issuer); err != nil {
		e.issuer = &url.URL{}
	}
	e.db = onceDB(func() (*store.Store, database.Schema, error) { return e.openDB(ctx) })
	e.shown = sync.OnceValues(func() ([]*x509.Certificate, error) { return e.handshake(ctx) })
	e.discovery = sync.OnceValue(func() []report.Line { return e.judgeDiscovery(ctx) })
	e.realm = realm.New(ctx, realm.Config{Issuer: e.issuer, Sites: site.Hosts(e.Sites), Kerberos: e.Kerberos, RunsAs: e.runsAs, Network: e.network, Now: e.Now})
	return e
}

// close does not wait for a database that hangs.
func (e *exam) close(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if st, _, _ := e.db(); st != nil && st != e.Store {
			_ = st.Close() // it was only read
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
