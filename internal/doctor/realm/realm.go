// Package realm looks at everything it takes until a ticket opens: the names that
// browsers ask for, the keytab, the KDCs of the trusted realms, the clocks, and whether
// what a KDC seals opens with the keytab. KDCs are asked as the service itself, with the
// keytab's keys.
package realm

import (
	"context"
	"net/url"
	"sync"
	"time"

	"idp/internal/doctor/look"
	"idp/internal/kerberos"
)

// Config is what is looked at, and with what.
type Config struct {
	Issuer   *url.URL
	Sites    []string         // hosts of protected sites, whose programs may show tickets for them
	Kerberos *kerberos.Config // nil: no kerberos section
	RunsAs   func() string    // the user that idp runs as; empty: not known
	Network  look.Network
	Now      func() time.Time
}

// Exam is one look, with what several checks need of it. Its checks may run at once.
type Exam struct {
	Config

	acceptor func() (*kerberos.Acceptor, error)
	keytabs  func() (kerberos.Status, error)
	kdcs     func() []*realmKDCs // each trusted realm's, asked
	tickets  func() []*tickets   // for our own services
}

// New makes one. Nothing is asked before a check wants to know; ctx bounds what all
// checks share.
func New(ctx context.Context, c Config) *Exam {
	e := &Exam{Config: c}
	e.acceptor = sync.OnceValues(e.openKeytabs)
	e.keytabs = sync.OnceValues(e.readKeytabs)
	e.kdcs = sync.OnceValue(func() []*realmKDCs { return e.askKDCs(ctx) })
	e.tickets = sync.OnceValue(func() []*tickets { return e.askTickets(ctx) })
	return e
}

// HasKey reports whether any ticket could be opened.
func (e *Exam) HasKey() bool {
	status, err := e.keytabs()
	return err == nil && len(hosts(status)) > 0 && len(e.Kerberos.Realms) > 0
}
