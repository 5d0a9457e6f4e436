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
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/nametype"

	"idp/internal/kerberos/kdc"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Tickets are what one cache holds. Not safe for concurrent use.
type Tickets struct {
	Client wire.Principal // whose they are

	kdcs  *kdc.Client
	creds *kdc.Credentials
}

// Open reads the cache that the environment and krb5.conf name, for the
// ticket-granting ticket of its principal that is good at now.
func Open(now time.Time) (*Tickets, error) {
	kdcs := kdc.New(kdc.Config{Krb5Conf: krb5Conf(), EtypeAllowed: wire.IsAES})
	from, err := find(kdcs, os.Getuid())
	if err != nil {
		return nil, err
	}
	c, err := from.read()
	if err != nil {
		return nil, err
	}
	held, err := c.tgt(now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	creds, err := kdcs.Held(c.client, c.client.Realm, held.ticket, held.key)
	return &Tickets{Client: c.client, kdcs: kdcs, creds: creds}, err
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
	realm, err := t.kdcs.RealmOf(host)
	if err != nil {
		return nil, err
	}
	if realm == "" {
		realm = t.Client.Realm
	}
	service := wire.Principal{Components: []string{"HTTP", host}, Realm: realm, NameType: nametype.KRB_NT_SRV_INST}
	got, err := t.kdcs.Referred(ctx, t.creds, service)
	if err != nil {
		return nil, err
	}
	var bnd wire.Binding
	if endPoint != nil {
		bnd = wire.Bnd(endPoint)
	}
	return begin(t.Client, got, bnd)
}

// recovered keeps a mistake in the library's messages from ending the process.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = reason.Refuse(reason.KDCError, fmt.Sprintf("panic: %v", p))
	}
}
