package kerberos

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"idp/internal/reason"

	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// proveKDC gets a ticket for one of our services and opens it with our keytab.
// The real KDC, and nobody else, can seal into it both the client's name and the
// session key that it also gave to the client.
func (x *exchanger) proveKDC(ctx context.Context) (*Login, error) {
	err := error(reason.Refuse(reason.NoKeytab, "no key"))
	for _, spn := range x.ownServices() {
		var login *Login
		login, err = x.proveBy(ctx, spn)
		var refused *reason.Error
		if errors.As(err, &refused) && refused.Reason == reason.WrongSPN {
			continue // a keytab may be older than the KDC's database
		}
		return login, err
	}
	return nil, err
}

// ownServices lists our services, those of the person's realm first.
func (x *exchanger) ownServices() (out []Principal) {
	for _, k := range x.a.ring.Load().keys {
		if k.ticket == nil || !x.a.etypeAllowed(k.block.etype) || slices.ContainsFunc(out, k.spn.same) {
			continue
		}
		out = append(out, k.spn)
	}
	foreign := func(p Principal) int {
		if p.Realm == x.client.Realm {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(p, q Principal) int { return foreign(p) - foreign(q) })
	return out[:min(len(out), maxSPNs)]
}

func (x *exchanger) proveBy(ctx context.Context, spn Principal) (*Login, error) {
	if spn.Realm != x.at {
		if err := x.crossTo(ctx, spn.Realm); err != nil {
			return nil, err
		}
	}
	rep, part, err := x.tgs(ctx, spn)
	if err != nil {
		return nil, err
	}
	notGenuine := func(detail string, err error) (*Login, error) {
		return nil, &reason.Error{Reason: reason.NotGenuine, Detail: detail, Err: err}
	}
	var d decoder
	t := d.ticket(rep.ticket)
	if d.err != nil {
		return notGenuine("ticket", d.err)
	}
	opened, err := x.a.openTicket(&t)
	if err != nil {
		return notGenuine("its ticket for us does not open with our keytab", err)
	}
	if !opened.part.client.same(x.client) {
		return notGenuine(fmt.Sprintf("its ticket for us is %s's", short(opened.part.client.String())), nil)
	}
	if opened.part.key.etype != part.key.etype || !equal(opened.part.key.value, part.key.value) {
		return notGenuine("its ticket for us holds another session key", nil)
	}
	pac, err := x.a.judge(opened)
	if err != nil {
		return nil, err
	}
	login := opened.login(pac)
	login.Mechanism = MechanismPassword
	return login, nil
}

// crossTo exchanges the TGT for one of a realm that trusts the person's.
func (x *exchanger) crossTo(ctx context.Context, realm string) error {
	rep, part, err := x.tgs(ctx, Principal{Components: []string{"krbtgt", realm}, Realm: x.at, NameType: nametype.KRB_NT_SRV_INST})
	if err != nil {
		return err
	}
	x.session, x.at = part.key, realm
	return x.setTGT(rep.ticket)
}

// tgs is the TGS exchange, RFC 4120 §3.3, for a ticket of a service.
func (x *exchanger) tgs(ctx context.Context, service Principal) (kdcRep, kdcRepPart, error) {
	name := types.PrincipalName{NameType: service.NameType, NameString: service.Components}
	req, err := messages.NewTGSReq(x.cname(), service.Realm, x.conf, x.tgt,
		types.EncryptionKey{KeyType: x.session.etype, KeyValue: x.session.value}, name, false)
	if err != nil {
		return kdcRep{}, kdcRepPart{}, fmt.Errorf("make TGS-REQ: %w", err)
	}
	b, err := req.Marshal()
	if err != nil {
		return kdcRep{}, kdcRepPart{}, fmt.Errorf("make TGS-REQ: %w", err)
	}
	reply, err := x.a.exchange(ctx, service.Realm, b, hedgeAfter)
	if err != nil {
		return kdcRep{}, kdcRepPart{}, err
	}
	if e, isError := parseError(reply); isError {
		return kdcRep{}, kdcRepPart{}, e.reject("ticket for " + service.String())
	}
	rep, err := parseKDCRep(reply, appTGSRep)
	if err != nil {
		return kdcRep{}, kdcRepPart{}, &reason.Error{Reason: reason.KDCError, Detail: "TGS-REP", Err: err}
	}
	part, err := openRep(&rep, x.session, usageTGSRep, req.ReqBody.Nonce)
	if err != nil {
		return kdcRep{}, kdcRepPart{}, &reason.Error{Reason: reason.NotGenuine, Detail: "TGS-REP", Err: err}
	}
	return rep, part, nil
}
