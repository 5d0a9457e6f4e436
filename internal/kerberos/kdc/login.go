package kdc

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
	"idp/internal/secret"
)

// asExchange is one AS exchange, RFC 4120 §3.1.
type asExchange struct {
	c       *Client
	client  wire.Principal
	service []string // of the client's realm; nil: the ticket-granting service
	secret  secretKey
	exact   bool // the client is who was asked for, under no other name
}

// secretKey makes or finds the client's long-term key that info describes; ok is
// false if there is none of this encryption type.
type secretKey func(info wire.EtypeInfo) (key wire.Key, ok bool, err error)

// changePassword is the service that takes new passwords, RFC 3244 §1.
var changePassword = []string{"kadmin", "changepw"}

// Login gets a ticket-granting ticket by a password. It says that some KDC knows
// the password, not that this KDC is the realm's: whoever is on the path can play
// one. Proof is a Ticket for a service whose key the caller has.
//
// The client becomes the principal that the KDC knows it by (RFC 6806 §6): Active
// Directory takes the account's name, what stands before the @ of its
// userPrincipalName, and as name type NT-ENTERPRISE the whole of it.
func (c *Client) Login(ctx context.Context, client wire.Principal, password secret.String) (*Credentials, error) {
	x := &asExchange{c: c, client: client, secret: byPassword(client, password)}
	return x.run(ctx)
}

// LoginByKey is Login with one of the client's own long-term keys, as a keytab
// has them.
func (c *Client) LoginByKey(ctx context.Context, client wire.Principal, keys []wire.Key) (*Credentials, error) {
	x := &asExchange{c: c, client: client, secret: byKey(keys), exact: true}
	return x.run(ctx)
}

// loginToChange gets a ticket for the service that takes new passwords, which the
// KDC gives also for a password that has expired.
func (c *Client) loginToChange(ctx context.Context, client wire.Principal, password secret.String) (*Credentials, error) {
	x := &asExchange{c: c, client: client, service: changePassword, secret: byPassword(client, password)}
	return x.run(ctx)
}

// VerifyExpired tells whether a password that the KDC calls expired is the right
// one: nil, or BAD_PASSWORD or another refusal.
func (c *Client) VerifyExpired(ctx context.Context, client wire.Principal, password secret.String) error {
	_, err := c.loginToChange(ctx, client, password)
	return err
}

func byPassword(client wire.Principal, password secret.String) secretKey {
	return func(info wire.EtypeInfo) (wire.Key, bool, error) {
		k, err := stringToKey(password.Reveal(), client, info)
		return k, err == nil, err
	}
}

func byKey(keys []wire.Key) secretKey {
	return func(info wire.EtypeInfo) (wire.Key, bool, error) {
		for _, k := range keys {
			if k.Etype == info.Etype {
				return k, true, nil
			}
		}
		return wire.Key{}, false, nil
	}
}

// request makes the AS-REQ.
func (x *asExchange) request() (messages.ASReq, error) {
	service := types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", x.client.Realm}}
	if x.service != nil {
		service = types.PrincipalName{NameType: nametype.KRB_NT_PRINCIPAL, NameString: x.service}
	}
	req, err := messages.NewASReq(x.client.Realm, x.c.libraryConfig(), libraryName(x.client), service)
	if err != nil {
		return req, fmt.Errorf("make AS-REQ: %w", err)
	}
	if !x.exact {
		types.SetFlag(&req.ReqBody.KDCOptions, flags.Canonicalize)
	}
	return req, nil
}

// run asks first without a proof, which tells the salt and finds a KDC that
// lives, then with an encrypted timestamp.
func (x *asExchange) run(ctx context.Context) (*Credentials, error) {
	req, err := x.request()
	if err != nil {
		return nil, err
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

// keyFor is the client's key of the first encryption type in the KDC's list that
// the policy allows and the client has.
func (x *asExchange) keyFor(data []byte) (wire.Key, error) {
	infos := wire.EtypeInfos(data)
	var names []string
	for _, info := range infos {
		names = append(names, wire.EtypeName(info.Etype))
		if !x.c.config.EtypeAllowed(info.Etype) {
			continue
		}
		if k, ok, err := x.secret(info); ok || err != nil {
			return k, err
		}
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
	if !x.isClient(rep.Client) {
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
	creds := &Credentials{Client: rep.Client}
	if err := x.c.setTGT(creds, x.client.Realm, rep.Ticket, part.Key); err != nil {
		return nil, err
	}
	return creds, nil
}

// isClient reports whether a reply may be about who was asked for: a person of the
// realm, under whatever name the account has. The name is the KDC's word, and is
// believed once the KDC has proved itself.
func (x *asExchange) isClient(p wire.Principal) bool {
	return p.Equal(x.client) || !x.exact && p.Realm == x.client.Realm && len(p.Components) == 1
}

// keyOf is the client's key for a reply that came without a question.
func (x *asExchange) keyOf(rep *wire.KDCRep) (wire.Key, error) {
	if !x.c.config.EtypeAllowed(rep.Part.Etype) {
		return wire.Key{}, reason.Refuse(reason.Etype, "AS-REP in "+wire.EtypeName(rep.Part.Etype))
	}
	want := wire.EtypeInfo{Etype: rep.Part.Etype}
	for _, info := range wire.EtypeInfos(rep.PAData) {
		if info.Etype == want.Etype {
			want = info
		}
	}
	k, ok, err := x.secret(want)
	if err == nil && !ok {
		err = reason.Refuse(reason.Etype, "no key of "+wire.EtypeName(want.Etype))
	}
	return k, err
}
