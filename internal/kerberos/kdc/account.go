package kdc

import (
	"context"
	"strings"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// AccountOf asks under which name a KDC keeps an account, without a guess at its
// password: it stands in the salt, behind the realm. Where it does not, it is the
// name that was asked for. Active Directory takes several names for one account,
// and the salt is the same whichever was used.
func (c *Client) AccountOf(ctx context.Context, client wire.Principal) (string, error) {
	x := &asExchange{c: c, client: client}
	req, err := x.request()
	if err != nil {
		return "", err
	}
	reply, err := x.ask(ctx, &req, HedgeAfter)
	if err != nil {
		return "", err
	}
	e, isError := wire.ParseError(reply)
	if !isError { // no proof is wanted of this account
		rep, err := wire.ParseKDCRep(reply, wire.AppASRep)
		if err != nil || !x.isClient(rep.Client) {
			return "", &reason.Error{Reason: reason.KDCError, Detail: "AS-REP", Err: err}
		}
		return rep.Client.Components[0], nil
	}
	if e.Code != errorcode.KDC_ERR_PREAUTH_REQUIRED {
		return "", refusal(e, client.String())
	}
	for _, info := range wire.EtypeInfos(e.Data) {
		if info.Salt != nil && len(*info.Salt) > len(client.Realm) && strings.EqualFold((*info.Salt)[:len(client.Realm)], client.Realm) {
			return (*info.Salt)[len(client.Realm):], nil
		}
	}
	return client.Components[0], nil
}
