package kerberos

import (
	"fmt"
	"time"

	"idp/internal/reason"
)

// judge decides about an opened ticket: validity, realm, path, PAC.
func (a *Acceptor) judge(o *opened) (*PAC, error) {
	t := &o.part
	if err := t.checkTimes(a.opts.Now()); err != nil {
		return nil, err
	}
	if t.flags&flagAnonymous != 0 || t.client.Components[0] == "WELLKNOWN" {
		return nil, reason.Refuse(reason.NotAPerson, t.who()+" is anonymous")
	}
	realm := a.realm(t.client.Realm)
	if realm == nil {
		return nil, reason.Refuse(reason.Realm, t.who()+": add the realm to kerberos.realms if its KDC may name your users")
	}
	if err := checkTransited(t, realm); err != nil {
		return nil, err
	}
	if t.authData == nil {
		return nil, nil
	}
	pac, err := findPAC(t.authData)
	if err != nil || pac == nil {
		return nil, err
	}
	return readPAC(pac, o.key.block, t)
}

// who names the ticket's client in the log.
func (t *ticketPart) who() string { return short(t.client.String()) }

// checkTimes is RFC 4120 §3.2.3: the ticket is valid now, give or take the skew.
func (t *ticketPart) checkTimes(now time.Time) error {
	if t.flags&flagInvalid != 0 || t.startTime.Sub(now) > maxSkew {
		return reason.Refuse(reason.NotYetValid, "ticket of "+t.who())
	}
	if now.Sub(t.endTime) > maxSkew {
		return reason.Refuse(reason.Expired, fmt.Sprintf("ticket of %s ended at %s", t.who(), t.endTime.Format(time.RFC3339)))
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

// checkTransited is RFC 4120 §2.7: a client that came through other realms is
// believed if a KDC checked that path, or if the configuration says so, since
// Active Directory never sets the flag.
func checkTransited(t *ticketPart, r *Realm) error {
	if len(t.transited) == 0 || r.Transited == transitedTrust || t.flags&flagTransited != 0 {
		return nil
	}
	return reason.Refuse(reason.Transited, fmt.Sprintf("%s came through %q, unchecked", t.who(), short(string(t.transited))))
}
