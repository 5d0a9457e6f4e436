// Package ticket is the client's side of a Kerberos login: it shows the ticket of
// whoever runs the program to a service, and has the service prove itself.
//
// kinit, or a login to the machine, leaves a ticket-granting ticket in a credential
// cache. Open finds and reads it. With it the KDC gives a ticket for the service
// (RFC 4120 §3.3), which an Exchange presents as the token of "Authorization:
// Negotiate" (SPNEGO, RFC 4178) with the wish for mutual authentication: only who
// has the service's key can open the ticket, and answer with what its authenticator
// says (§3.2.4). Exchange.Verify checks that answer. Nothing that the service says is
// to be believed before.
//
// The cache is only read: tickets got here are not put back into it. Refusals are
// *reason.Error; that there is no cache to read is a plain error which says what to do.
package ticket

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/nametype"

	"idp/internal/kerberos/kdc"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Tickets are what one cache holds. Not safe for concurrent use.
type Tickets struct {
	Client wire.Principal // whose they are

	from  collection
	cache *cache
	now   time.Time
	kdcs  *kdc.Client
	creds *kdc.Credentials // nil: there is no ticket-granting ticket,
	why   error            // for this reason
}

// Unfit says why the tickets of a cache will not do.
type Unfit struct {
	cache string
	err   error
}

// Error implements error.
func (u *Unfit) Error() string { return u.cache + ": " + u.err.Error() }

// Unwrap implements error.
func (u *Unfit) Unwrap() error { return u.err }

// Open reads the cache that the environment and krb5.conf name, for the ticket-granting
// ticket of its principal that is good at now. One with tickets for services alone will
// do for these. With an error, Tickets tell their Others and nothing else.
func Open(now time.Time) (*Tickets, error) {
	t := &Tickets{now: now, kdcs: kdc.New(kdc.Config{Krb5Conf: krb5Conf(), EtypeAllowed: wire.IsAES})}
	var err error
	if t.from, err = find(t.kdcs, os.Getuid()); err != nil {
		return t, err
	}
	if t.cache, err = t.from.read(); err != nil {
		return t, err
	}
	t.Client = t.cache.client
	held, err := t.cache.tgt(now)
	if err == nil {
		t.creds, err = t.kdcs.Held(t.Client, t.Client.Realm, held.ticket, held.key)
		return t, err
	}
	t.why = &Unfit{t.cache.name, err}
	if slices.ContainsFunc(t.cache.entries, func(e entry) bool { return len(e.server.Components) == 2 && e.server.Components[0] == "HTTP" }) {
		return t, nil
	}
	return t, t.why
}

// Others lists the caches of the same collection that somebody could use in place of
// this one, each with whose it is and its name.
func (t *Tickets) Others() (out []string) {
	if t.from == nil {
		return nil
	}
	for _, c := range t.from.all() {
		if t.cache != nil && c.name == t.cache.name {
			continue
		}
		if _, err := c.tgt(t.now); err == nil {
			out = append(out, fmt.Sprintf("%s (%s)", c.client, c.name))
		}
	}
	return out
}

// krb5Conf is the first file of KRB5_CONFIG that exists, else the system's.
func krb5Conf() string {
	for _, path := range filepath.SplitList(os.Getenv("KRB5_CONFIG")) {
		if _, err := os.Stat(path); err == nil { //nolint:gosec // the user names the file
			return path
		}
	}
	return "/etc/krb5.conf"
}

// Exchange begins one with HTTP/host, whose realm is what [domain_realm] of krb5.conf
// says, else the client's own, or the one to which its KDC refers. endPoint is the tls-server-end-point hash of the
// certificate that the service showed (RFC 5929 §4.1), nil without TLS: the token is
// bound to it, and of no use to who lured it away.
func (t *Tickets) Exchange(ctx context.Context, host string, endPoint []byte) (x *Exchange, err error) {
	defer recovered(&err)
	got, err := t.forHost(ctx, host)
	if err != nil {
		return nil, err
	}
	var bnd wire.Binding
	if endPoint != nil {
		bnd = wire.Bnd(endPoint)
	}
	return begin(t.Client, got, bnd)
}

// forHost is a ticket for HTTP/host: a new one, or that of a cache which has no other.
func (t *Tickets) forHost(ctx context.Context, host string) (*kdc.ServiceTicket, error) {
	if t.creds == nil {
		e, ok := t.cache.service(host, t.now)
		if !ok {
			return nil, t.why
		}
		if !wire.IsAES(e.key.Etype) {
			return nil, reason.Refuse(reason.Etype, "a session key of "+wire.EtypeName(e.key.Etype))
		}
		return &kdc.ServiceTicket{Ticket: e.ticket, Session: e.key}, nil
	}
	realm, err := t.kdcs.RealmOf(host)
	if err != nil {
		return nil, err
	}
	service := wire.Principal{Components: []string{"HTTP", host}, Realm: cmp.Or(realm, t.Client.Realm), NameType: nametype.KRB_NT_SRV_INST}
	return t.kdcs.Referred(ctx, t.creds, service)
}

// recovered keeps a mistake in the library's messages from ending the process.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = reason.Refuse(reason.KDCError, fmt.Sprintf("panic: %v", p))
	}
}
