package realm

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"idp/internal/doctor/look"
	"idp/internal/kerberos/kdc"
	"idp/internal/kerberos/wire"
)

const (
	perUDP    = 2 * time.Second // a datagram that nothing answers says no more
	maxRealms = 8               // looked at
)

// realmKDCs is what was learned of one trusted realm's KDCs.
type realmKDCs struct {
	realm string
	kdcs  []*server
	err   error // why there is none
}

// server is one KDC by either transport; nil where it is not known by that one.
type server struct {
	addr, source string
	tcpFirst     bool // krb5.conf prefers it
	udp, tcp     *probe
}

// probe is what came of asking it by one transport.
type probe struct {
	kdc.Probed
	err error
}

func (p *probe) answered() bool { return p != nil && p.err == nil }

// best is the answer to judge it by; nil where there was none.
func (s *server) best() *probe {
	for _, p := range []*probe{s.udp, s.tcp} {
		if p.answered() {
			return p
		}
	}
	return nil
}

// usable reports whether a KDC of the realm answers.
func (r *realmKDCs) usable() bool {
	return slices.ContainsFunc(r.kdcs, func(s *server) bool { p := s.best(); return p != nil && !p.WrongRealm })
}

func (e *Exam) kdcClient() *kdc.Client {
	return kdc.New(kdc.Config{Krb5Conf: e.Kerberos.Krb5Conf, EtypeAllowed: wire.IsAES, Now: e.Now, Resolver: e.Network.Resolver})
}

// askKDCs asks every KDC of every trusted realm, all at once.
func (e *Exam) askKDCs(ctx context.Context) []*realmKDCs {
	var all sync.WaitGroup
	var out []*realmKDCs
	if e.Kerberos == nil {
		return nil
	}
	client := e.kdcClient()
	for _, r := range e.Kerberos.Realms[:min(len(e.Kerberos.Realms), maxRealms)] {
		k := &realmKDCs{realm: r.Name}
		out = append(out, k)
		all.Go(func() { k.ask(ctx, client) })
	}
	all.Wait()
	return out
}

func (r *realmKDCs) ask(ctx context.Context, client *kdc.Client) {
	find, cancel := context.WithTimeout(ctx, look.PerAsk)
	defer cancel()
	ways, err := client.Servers(find, r.realm)
	if err != nil {
		r.err = err
		return
	}
	var all sync.WaitGroup
	for _, w := range ways {
		s := r.server(w, ways[0].Network == "tcp")
		limit, p := look.PerAsk, &probe{}
		if w.Network == "udp" {
			limit, s.udp = perUDP, p
		} else {
			s.tcp = p
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			p.Probed, p.err = client.Probe(ctx, w, r.realm)
		})
	}
	all.Wait()
}

// server is the entry of a way's server.
func (r *realmKDCs) server(w kdc.Server, tcpFirst bool) *server {
	i := slices.IndexFunc(r.kdcs, func(s *server) bool { return s.addr == w.Addr })
	if i < 0 {
		i = len(r.kdcs)
		r.kdcs = append(r.kdcs, &server{addr: w.Addr, source: w.Source, tcpFirst: tcpFirst})
	}
	return r.kdcs[i]
}

// silence says in words why somebody did not answer.
func silence(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "not in the DNS"
	case errors.As(err, &dns):
		return "the DNS does not answer"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer"
	default:
		return strings.TrimSpace(err.Error())
	}
}
