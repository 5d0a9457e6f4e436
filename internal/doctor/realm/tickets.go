package realm

import (
	"context"
	"slices"
	"strings"
	"time"

	"idp/internal/doctor/look"
	"idp/internal/kerberos"
)

// tickets is what the KDC of one realm gave to whoever asked for ours.
type tickets struct {
	realm  string
	client string // who asked; empty: nobody could log in
	asked  time.Time
	tried  []kerberos.Tried
	byHost map[string]*ownTicket
}

type ownTicket struct {
	kerberos.OwnTicket
	refused error // what the KDC said instead
}

// Error codes of KDCs, RFC 4120 §7.5.9.
const (
	kdcUnknown   = 7 // KDC_ERR_S_PRINCIPAL_UNKNOWN
	kdcNotUnique = 8 // KDC_ERR_PRINCIPAL_NOT_UNIQUE
)

// askTickets asks, with the keytab's own keys, for the tickets that browsers will
// ask for, in each trusted realm that the keytab has keys of.
func (e *Exam) askTickets(ctx context.Context) (all []*tickets) {
	if e.Kerberos == nil {
		return nil
	}
	status, err := e.keytabs()
	if err != nil {
		return nil
	}
	for _, r := range e.kdcs() {
		if !r.usable() || !slices.Contains(homes(status), r.realm) {
			continue // who says nothing has its line under kdc or keytab
		}
		t := &tickets{realm: r.realm, byHost: map[string]*ownTicket{}}
		all = append(all, t)
		e.askFor(ctx, t)
	}
	return all
}

func (e *Exam) askFor(ctx context.Context, t *tickets) {
	hosts := e.asked(ctx)
	ctx, cancel := context.WithTimeout(ctx, look.PerAsk)
	defer cancel()
	a, err := e.acceptor()
	if err != nil {
		return
	}
	t.asked = e.Now()
	ourselves, tried := a.LogInAsOurselves(ctx, t.realm)
	t.tried = tried
	if ourselves == nil {
		return
	}
	t.client = ourselves.Client
	for _, host := range hosts {
		got, err := ourselves.Ticket(ctx, host, t.realm)
		t.byHost[host] = &ownTicket{got, err}
	}
}

// asked are the hosts in the names that browsers ask for: the issuer's, and the
// one at the end of its CNAMEs; and those of sites that the keytab has a key of.
func (e *Exam) asked(ctx context.Context) []string {
	list := []string{look.Plain(e.Issuer.Hostname())}
	if n, err := e.Network.Look(ctx, list[0]); err == nil && n.Canonical != list[0] {
		list = append(list, n.Canonical)
	}
	status, _ := e.keytabs()
	for _, site := range e.Sites {
		if !slices.Contains(list, site) && slices.Contains(hosts(status), site) {
			list = append(list, site)
		}
	}
	return list
}

// homes are the realms of the keys.
func homes(s kerberos.Status) (list []string) {
	for _, f := range s.Keytabs {
		for _, k := range f.Keys {
			if _, realm, _ := strings.Cut(k.Principal, "@"); !slices.Contains(list, realm) {
				list = append(list, realm)
			}
		}
	}
	return list
}

// verdict is what KDCs say about tickets for a host.
type verdict int

const (
	unasked  verdict = iota // no KDC told
	opens                   // it gives one, and a key of ours opens it
	sealed                  // it gives one, and none opens it
	notKnown                // it knows no such service
)

// settles is the verdict on a host, the best of all realms'.
func (e *Exam) settles(host string) verdict {
	best := unasked
	for _, t := range e.tickets() {
		o, has := t.byHost[host]
		switch {
		case !has:
		case o.refused == nil && o.Err == nil:
			return opens
		case o.refused == nil:
			best = sealed
		case kerberos.KDCCode(o.refused) == kdcUnknown && best == unasked:
			best = notKnown
		}
	}
	return best
}
