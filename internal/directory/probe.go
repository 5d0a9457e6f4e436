package directory

import (
	"context"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Probe is what one server says to each step of a question.
type Probe struct {
	Server   string    // host:port
	Until    time.Time // end of its certificate
	Took     time.Duration
	Contexts []string // what it has in place of a base that it has not
	Anybody  bool     // some person is to be seen below the base
	Err      *Failure // the step that failed; nil: none
}

// Probe asks each server by itself, whatever was found out before: for whoever looks
// at an installation. ctx bounds each.
func (d *Directory) Probe(ctx context.Context, each time.Duration) []Probe {
	list := make([]Probe, 0, len(d.servers.list))
	for _, s := range d.servers.list {
		p := Probe{Server: s.url.Host}
		ctx, cancel := context.WithTimeout(ctx, each)
		begin := time.Now()
		p.Err = p.ask(ctx, d, s)
		p.Took = time.Since(begin)
		cancel()
		list = append(list, p)
		if p.Err != nil && refused(p.Err) {
			break // the others know the same password, and count it
		}
	}
	return list
}

func (p *Probe) ask(ctx context.Context, d *Directory, s *server) *Failure {
	c, err := s.dial(ctx)
	if err != nil {
		return asFailure(s, stepConnect, err)
	}
	defer func() { _ = c.Close() }()
	if state, ok := c.TLSConnectionState(); ok && len(state.PeerCertificates) > 0 {
		p.Until = state.PeerCertificates[0].NotAfter
	}
	c.raw.left.Store(maxAnswer)
	defer c.raw.until(ctx)()
	if p.Anybody, err = d.reader.anybody(c); err == nil {
		return nil
	}
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		root, rootErr := c.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"namingContexts"}, nil))
		if rootErr == nil && len(root.Entries) == 1 {
			p.Contexts = root.Entries[0].GetEqualFoldAttributeValues("namingContexts")
		}
	}
	return &Failure{s.url.Host, stepSearch, inTime(ctx, err)}
}

func asFailure(s *server, step string, err error) *Failure {
	if f, ok := err.(*Failure); ok { //nolint:errorlint // dial returns no other
		return f
	}
	return &Failure{s.url.Host, step, err}
}

// BaseMissing reports whether the server has nothing at the base.
func (f *Failure) BaseMissing() bool {
	return ldap.IsErrorWithCode(f.Err, ldap.LDAPResultNoSuchObject)
}

// Refused reports whether the server did not take the name and the password.
func (f *Failure) Refused() bool { return refused(f.Err) }
