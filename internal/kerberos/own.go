package kerberos

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"

	"idp/internal/kerberos/kdc"
	"idp/internal/kerberos/keytab"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Bounds of logging in with a keytab: each key that the KDC does not take is, to
// it, a wrong password of that account.
const (
	maxClients  = 6 // principals tried
	maxVersions = 2 // of one principal's keys, the newest first
)

// Ourselves is a login at a KDC with a key of the keytab, by which tickets for our
// own services can be asked for as a browser asks for them. It shows, without a
// person, whether what the KDC seals opens with what we have.
type Ourselves struct {
	Client string // the principal that logged in

	acceptor *Acceptor
	kdcs     *kdc.Client
	creds    *kdc.Credentials
}

// Tried is an entry of the keytab that the KDC would not log in.
type Tried struct {
	Principal string
	KVNO      uint32
	Err       error // CLIENT_UNKNOWN, BAD_PASSWORD when the key is not the KDC's, …
}

// LogInAsOurselves logs in at a realm with the keytabs' keys. Who may is the
// KDC's business: at MIT Kerberos and Heimdal every principal, in Active Directory
// only an account, by its sAMAccountName or userPrincipalName, so entries other
// than HTTP/ ones are tried as well. Ourselves is nil when none could.
func (a *Acceptor) LogInAsOurselves(ctx context.Context, realm string) (o *Ourselves, tried []Tried) {
	o = &Ourselves{acceptor: a, kdcs: kdc.New(kdc.Config{Krb5Conf: a.opts.Krb5Conf, EtypeAllowed: asBrowsers, Now: a.opts.Now, Resolver: a.opts.Resolver})}
	var refused []wire.Key
	for _, c := range a.clients(realm) {
		if slices.ContainsFunc(refused, func(k wire.Key) bool { return sameKey(k, c.keys[0]) }) {
			continue // the same account by another of its names
		}
		creds, err := o.logIn(ctx, c)
		if err == nil {
			o.Client, o.creds = c.name.String(), creds
			return o, tried
		}
		tried = append(tried, Tried{c.name.String(), c.kvno, err})
		switch reason.Of(err) {
		case reason.Unreachable:
			return nil, tried
		case reason.BadPassword:
			refused = append(refused, c.keys...)
		}
	}
	return nil, tried
}

func (o *Ourselves) logIn(ctx context.Context, c client) (creds *kdc.Credentials, err error) {
	defer recovered(&err)
	return o.kdcs.LoginByKey(ctx, c.name, c.keys)
}

// asBrowsers is what browsers of Windows take: RC4 as well, so that a KDC that
// still seals with it shows that it does.
func asBrowsers(etype int32) bool { return etype == etypeID.RC4_HMAC || wire.IsAES(etype) }

func sameKey(k, q wire.Key) bool { return k.Etype == q.Etype && slices.Equal(k.Value, q.Value) }

// client is one version of the keys of one principal.
type client struct {
	name wire.Principal
	kvno uint32
	keys []wire.Key
}

// clients are the principals of a realm in the keytabs, HTTP/ ones first.
func (a *Acceptor) clients(realm string) (list []client) {
	for _, k := range a.keytabs.Entries() {
		if k.Principal.Realm != realm || !k.Usable() {
			continue
		}
		i := slices.IndexFunc(list, func(c client) bool { return c.name.Equal(k.Principal) && c.kvno == k.KVNO })
		if i < 0 {
			i = len(list)
			list = append(list, client{name: k.Principal, kvno: k.KVNO})
		}
		list[i].keys = append(list[i].keys, k.Secret)
	}
	http := func(c client) int {
		if keytab.IsHTTP(c.name) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(c, d client) int {
		return cmp.Or(http(c)-http(d), cmp.Compare(d.kvno, c.kvno))
	})
	seen := map[string]int{}
	list = slices.DeleteFunc(list, func(c client) bool {
		seen[c.name.String()]++
		return seen[c.name.String()] > maxVersions
	})
	return list[:min(len(list), maxClients)]
}

// OwnTicket is a ticket for one of our services, as the KDC gives it to anybody.
type OwnTicket struct {
	KVNO     uint32
	Etype    string // aes256-cts-hmac-sha1-96, …
	OpenedBy string // the principal of the key that opened it
	Err      error  // why none did, a *reason.Error
}

// Ticket asks for a ticket for HTTP/host. An error is the KDC's refusal (its cause
// the wire.KRBError), or that none answered.
func (o *Ourselves) Ticket(ctx context.Context, host, realm string) (seen OwnTicket, err error) {
	defer recovered(&err)
	spn := wire.Principal{Components: []string{"HTTP", host}, Realm: realm, NameType: nametype.KRB_NT_SRV_INST}
	got, err := o.kdcs.Ticket(ctx, o.creds, spn)
	if err != nil {
		return seen, err
	}
	var d wire.Decoder
	t := d.Ticket(got.Ticket)
	if d.Err != nil {
		return seen, &reason.Error{Reason: reason.Malformed, Detail: "ticket for " + spn.String(), Err: d.Err}
	}
	seen = OwnTicket{KVNO: t.Part.KVNO, Etype: wire.EtypeName(t.Part.Etype)}
	opened, err := o.acceptor.openTicket(&t)
	if err != nil {
		seen.Err = err
		return seen, nil
	}
	seen.OpenedBy = opened.key.Principal.String()
	return seen, nil
}

// KDCCode is the error code of RFC 4120 §7.5.9 in a KDC's refusal, 0 in none.
func KDCCode(err error) int32 {
	var said wire.KRBError
	if errors.As(err, &said) {
		return said.Code
	}
	return 0
}
