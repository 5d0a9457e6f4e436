package kdc

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
	"idp/internal/secret"
)

// asExchange is one login: the AS exchange, RFC 4120 §3.1.
type asExchange struct {
	c        *Client
	client   wire.Principal
	password secret.String
}

// Login gets a ticket-granting ticket by a password. It says that some KDC knows
// the password, not that this KDC is the realm's: whoever is on the path can play
// one. Proof is a Ticket for a service whose key the caller has.
func (c *Client) Login(ctx context.Context, client wire.Principal, password secret.String) (*Credentials, error) {
	x := &asExchange{c: c, client: client, password: password}
	return x.login(ctx)
}

// login asks first without a proof, which tells the salt and finds a KDC that
// lives, then with an encrypted timestamp.
func (x *asExchange) login(ctx context.Context) (*Credentials, error) {
	req, err := messages.NewASReqForTGT(x.client.Realm, x.c.libraryConfig(), libraryName(x.client))
	if err != nil {
		return nil, fmt.Errorf("make AS-REQ: %w", err)
	}
	reply, err := x.ask(ctx, &req, HedgeAfter)
	if err != nil {
		return nil, err
	}
	e, isError := wire.ParseError(reply)
	if !isError {
		return x.readASRep(reply, req.ReqBody.Nonce, nil)
	}
	if e.Code != errorcode.KDC_ERR_PREAUTH_REQUIRED {
		return nil, refusal(e, x.client.String())
	}
	key, err := x.keyFor(e.Data)
	if err != nil {
		return nil, err
	}
	proof, err := x.proof(key)
	if err != nil {
		return nil, err
	}
	req.PAData = append(req.PAData, types.PAData{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: proof})
	if reply, err = x.ask(ctx, &req, HedgeGuessAfter); err != nil {
		return nil, err
	}
	if e, isError = wire.ParseError(reply); isError {
		return nil, refusal(e, x.client.String())
	}
	return x.readASRep(reply, req.ReqBody.Nonce, &key)
}

func (x *asExchange) ask(ctx context.Context, req *messages.ASReq, hedge time.Duration) ([]byte, error) {
	b, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("make AS-REQ: %w", err)
	}
	return x.c.Exchange(ctx, x.client.Realm, b, hedge)
}

// proof is PA-ENC-TIMESTAMP, RFC 4120 §5.2.7.2.
func (x *asExchange) proof(key wire.Key) ([]byte, error) {
	k, err := wire.NewSealKey(key, wire.UsageTimestamp)
	if err != nil {
		return nil, err
	}
	ct, err := k.Seal(wire.Timestamp(x.c.config.Now()))
	return wire.EncryptedData(key.Etype, ct), err
}

// keyFor derives the person's key with the first encryption type of the KDC's
// list that the policy allows.
func (x *asExchange) keyFor(data []byte) (wire.Key, error) {
	infos := wire.EtypeInfos(data)
	for _, info := range infos {
		if x.c.config.EtypeAllowed(info.Etype) {
			return stringToKey(x.password.Reveal(), x.client, info)
		}
	}
	var names []string
	for _, info := range infos {
		names = append(names, wire.EtypeName(info.Etype))
	}
	return wire.Key{}, reason.Refuse(reason.Etype, fmt.Sprintf("the KDC has only these keys of %s: %s", x.client, strings.Join(names, ", ")))
}

// readASRep opens an AS-REP with the person's key; key is nil when the KDC
// wanted no proof, and the password is then wrong if the reply does not open.
func (x *asExchange) readASRep(reply []byte, nonce int, key *wire.Key) (*Credentials, error) {
	rep, err := wire.ParseKDCRep(reply, wire.AppASRep)
	if err != nil {
		return nil, &reason.Error{Reason: reason.KDCError, Detail: "AS-REP", Err: err}
	}
	if !rep.Client.Equal(x.client) {
		return nil, reason.Refuse(reason.NotGenuine, fmt.Sprintf("asked for %s, got %s", x.client, reason.Short(rep.Client.String())))
	}
	wrong := reason.NotGenuine
	if key == nil {
		wrong = reason.BadPassword
		k, err := x.keyOf(&rep)
		if err != nil {
			return nil, err
		}
		key = &k
	}
	part, err := openRep(&rep, *key, wire.UsageASRep, nonce)
	if err != nil {
		return nil, &reason.Error{Reason: wrong, Detail: "AS-REP for " + x.client.String(), Err: err}
	}
	creds := &Credentials{Client: x.client}
	if err := x.c.setTGT(creds, x.client.Realm, rep.Ticket, part.Key); err != nil {
		return nil, err
	}
	return creds, nil
}

// keyOf derives the person's key for a reply that came without a question.
func (x *asExchange) keyOf(rep *wire.KDCRep) (wire.Key, error) {
	if !x.c.config.EtypeAllowed(rep.Part.Etype) {
		return wire.Key{}, reason.Refuse(reason.Etype, "AS-REP in "+wire.EtypeName(rep.Part.Etype))
	}
	for _, info := range wire.EtypeInfos(rep.PAData) {
		if info.Etype == rep.Part.Etype {
			return stringToKey(x.password.Reveal(), x.client, info)
		}
	}
	return stringToKey(x.password.Reveal(), x.client, wire.EtypeInfo{Etype: rep.Part.Etype})
}
