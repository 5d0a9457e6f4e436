package kerberos

import (
	"context"
	"crypto/hmac"
	"fmt"
	"slices"

	"idp/internal/kerberos/kdc"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// proveKDC gets a ticket for one of our services and opens it with our keytab.
// The real KDC, and nobody else, can seal into it both the client's name and the
// session key that it also gave to the client.
func (a *Acceptor) proveKDC(ctx context.Context, tgt *kdc.Credentials) (*Login, error) {
	err := error(reason.Refuse(reason.NoKeytab, "no key"))
	for _, spn := range a.ownServices(tgt.Client.Realm) {
		var login *Login
		login, err = a.proveBy(ctx, tgt, spn)
		if reason.Of(err) == reason.WrongSPN {
			continue // a keytab may be older than the KDC's database
		}
		return login, err
	}
	return nil, err
}

// ownServices lists our services of a realm, or where we have none, the others:
// for a realm that we have keys of, no other's KDC vouches (checkSealer).
func (a *Acceptor) ownServices(realm string) []wire.Principal {
	var own, foreign []wire.Principal
	for _, k := range a.keytabs.Ring() {
		switch {
		case !k.Usable() || !a.etypeAllowed(k.Secret.Etype):
		case k.Principal.Realm == realm && !slices.ContainsFunc(own, k.Principal.Equal):
			own = append(own, k.Principal)
		case k.Principal.Realm != realm && !slices.ContainsFunc(foreign, k.Principal.Equal):
			foreign = append(foreign, k.Principal)
		}
	}
	if len(own) == 0 {
		own = foreign
	}
	return own[:min(len(own), maxSPNs)]
}

func (a *Acceptor) proveBy(ctx context.Context, tgt *kdc.Credentials, spn wire.Principal) (*Login, error) {
	got, err := a.kdcs.Ticket(ctx, tgt, spn)
	if err != nil {
		return nil, err
	}
	notGenuine := func(detail string, err error) (*Login, error) {
		return nil, &reason.Error{Reason: reason.NotGenuine, Detail: detail, Err: err}
	}
	var d wire.Decoder
	t := d.Ticket(got.Ticket)
	if d.Err != nil {
		return notGenuine("ticket", d.Err)
	}
	opened, err := a.openTicket(&t)
	if err != nil {
		return notGenuine("its ticket for us does not open with our keytab", err)
	}
	if !opened.part.Client.Equal(tgt.Client) {
		return notGenuine(fmt.Sprintf("its ticket for us is %s's", reason.Short(opened.part.Client.String())), nil)
	}
	if opened.part.Key.Etype != got.Session.Etype || !hmac.Equal(opened.part.Key.Value, got.Session.Value) {
		return notGenuine("its ticket for us holds another session key", nil)
	}
	claims, err := a.judge(opened)
	if err != nil {
		return nil, err
	}
	login := opened.login(claims)
	login.Mechanism = MechanismPassword
	return login, nil
}
