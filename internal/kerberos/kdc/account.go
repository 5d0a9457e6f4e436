package kdc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// AccountOf asks under which name a KDC keeps an account, without a guess at its
// password. Active Directory takes several names for one account, and its salt is
// the same whichever was used: realm and name, or, of other KDCs, anything, of
// which "salt:" and a hash are returned. Where there is no salt it is the name
// that was asked for. Two accounts may have one name: an account that was renamed
// keeps its salt, and another may get the name.
func (c *Client) AccountOf(ctx context.Context, client wire.Principal) (string, error) {
	x := &asExchange{c: c, client: client}
	e, rep, err := x.hint(ctx)
	if err == nil && rep == nil && e.Code == errorcode.KDC_ERR_KEY_EXPIRED {
		x.service = changePassword // MIT says so before it says the salt
		e, rep, err = x.hint(ctx)
	}
	switch {
	case err != nil:
		return "", err
	case rep != nil: // no proof is wanted of this account
		return rep.Client.Components[0], nil
	case e.Code != errorcode.KDC_ERR_PREAUTH_REQUIRED:
		return "", refusal(e, client.String())
	}
	for _, info := range wire.EtypeInfos(e.Data) {
		if info.Salt != nil {
			return saltName(*info.Salt, client), nil
		}
	}
	return client.Components[0], nil
}

// saltName is the name in a salt, RFC 4120 §4.
func saltName(salt string, client wire.Principal) string {
	n := len(client.Realm)
	switch {
	case len(salt) >= n && strings.EqualFold(salt[:n], client.Realm) && wire.CheckName(salt[n:]) == nil:
		return salt[n:]
	case salt == "" || strings.EqualFold(salt, client.Realm):
		return client.Components[0]
	}
	sum := sha256.Sum256([]byte(salt))
	return "salt:" + hex.EncodeToString(sum[:16])
}

// hint asks without a proof: what the KDC wants to have proved, or a reply where
// it wants nothing.
func (x *asExchange) hint(ctx context.Context) (wire.KRBError, *wire.KDCRep, error) {
	req, err := x.request()
	if err != nil {
		return wire.KRBError{}, nil, err
	}
	reply, err := x.ask(ctx, &req, HedgeAfter)
	if err != nil {
		return wire.KRBError{}, nil, err
	}
	if e, isError := wire.ParseError(reply); isError {
		return e, nil, nil
	}
	rep, err := wire.ParseKDCRep(reply, wire.AppASRep)
	if err != nil || !x.isClient(rep.Client) {
		return wire.KRBError{}, nil, &reason.Error{Reason: reason.KDCError, Detail: "AS-REP", Err: err}
	}
	return wire.KRBError{}, &rep, nil
}
