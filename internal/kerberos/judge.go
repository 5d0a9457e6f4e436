package kerberos

import (
	"errors"
	"fmt"
	"time"

	"idp/internal/kerberos/pac"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// judge decides about an opened ticket: validity, realm, sealer, path, PAC.
func (a *Acceptor) judge(o *opened) (*pac.PAC, error) {
	t := &o.part
	if err := checkTimes(t, a.opts.Now()); err != nil {
		return nil, err
	}
	if t.Flags&wire.FlagAnonymous != 0 || t.Client.Components[0] == "WELLKNOWN" {
		return nil, reason.Refuse(reason.NotAPerson, who(t)+" is anonymous")
	}
	realm := a.realm(t.Client.Realm)
	if realm == nil {
		return nil, reason.Refuse(reason.Realm, who(t)+": add the realm to kerberos.realms if its KDC may name your users")
	}
	if err := a.checkSealer(o); err != nil {
		return nil, err
	}
	if err := checkTransited(t, realm); err != nil {
		return nil, err
	}
	if t.AuthData == nil {
		return nil, nil
	}
	b, err := wire.FindPAC(t.AuthData)
	switch {
	case errors.Is(err, wire.ErrTwoPACs):
		return nil, reason.Refuse(reason.PAC, err.Error())
	case err != nil:
		return nil, reason.Refuse(reason.Authorization, err.Error())
	case b == nil:
		return nil, nil
	}
	return pac.Read(b, o.key.Secret, t.Client, t.AuthTime)
}

// who names a ticket's client in the log.
func who(t *wire.TicketPart) string { return reason.Short(t.Client.String()) }

// checkTimes is RFC 4120 §3.2.3: the ticket is valid now, give or take the skew.
func checkTimes(t *wire.TicketPart, now time.Time) error {
	if t.Flags&wire.FlagInvalid != 0 || t.StartTime.Sub(now) > maxSkew {
		return reason.Refuse(reason.NotYetValid, "ticket of "+who(t))
	}
	if now.Sub(t.EndTime) > maxSkew {
		return reason.Refuse(reason.Expired, fmt.Sprintf("ticket of %s ended at %s", who(t), t.EndTime.Format(time.RFC3339)))
	}
	return nil
}

// realm returns the trusted realm of this name, or nil. Realm names are
// compared with case, RFC 4120 §6.1.
func (a *Acceptor) realm(name string) *Realm {
	for i := range a.opts.Realms {
		if a.opts.Realms[i].Name == name {
			return &a.opts.Realms[i]
		}
	}
	return nil
}

// checkSealer is about keys of several realms in one keytab: a ticket comes from
// the KDC that has the key it is sealed with, and only that key tells which. For
// the people of a realm that we have keys of, its own KDC alone vouches; else the
// KDC of every other one could name them, too.
func (a *Acceptor) checkSealer(o *opened) error {
	if a.keytabs.Ring().Vouches(o.part.Client.Realm, o.key) {
		return nil
	}
	return reason.Refuse(reason.Realm, fmt.Sprintf("%s: the ticket is sealed with a key of %s, but the keytab has keys of the client's own realm, and its KDC alone names its people",
		who(&o.part), reason.Short(o.key.Principal.Realm)))
}

// checkTransited is RFC 4120 §2.7: a client that came through other realms is
// believed if a KDC checked that path, or if the configuration says so, since
// Active Directory never sets the flag.
func checkTransited(t *wire.TicketPart, r *Realm) error {
	if len(t.Transited) == 0 || r.Transited == transitedTrust || t.Flags&wire.FlagTransited != 0 {
		return nil
	}
	return reason.Refuse(reason.Transited, fmt.Sprintf("%s came through %q, unchecked", who(t), reason.Short(string(t.Transited))))
}
