package kdc

import (
	"context"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// ServiceTicket is a ticket for a service, with the session key that only the
// client and the service learn from it.
type ServiceTicket struct {
	Ticket  []byte // DER
	Session wire.Key

	server wire.Principal // whose it is, as the KDC says under the session key
}

// Ticket gets a ticket for a service with a ticket-granting ticket. Where the
// service is in another realm than the ticket-granting ticket, that realm's is
// got first, and kept.
func (c *Client) Ticket(ctx context.Context, creds *Credentials, service wire.Principal) (*ServiceTicket, error) {
	if service.Realm != creds.realm {
		if err := c.crossTo(ctx, creds, service.Realm); err != nil {
			return nil, err
		}
	}
	return c.tgs(ctx, creds, service, false)
}

// maxHops bounds the realms on the way to another.
const maxHops = 8

// crossTo exchanges the ticket-granting ticket for one of a realm that trusts
// its realm, directly or through others: a KDC that has no key in common with the
// realm answers with the ticket-granting ticket of one that is nearer (RFC 4120
// §3.3.3), and the question is asked again there.
func (c *Client) crossTo(ctx context.Context, creds *Credentials, realm string) error {
	for range maxHops {
		got, err := c.tgs(ctx, creds, wire.Principal{Components: []string{"krbtgt", realm}, Realm: creds.realm, NameType: nametype.KRB_NT_SRV_INST}, false)
		if err != nil {
			return noTrust(err, creds.realm, realm)
		}
		next := got.server.Components
		if len(next) != 2 || next[0] != "krbtgt" || next[1] == creds.realm {
			return reason.Refuse(reason.KDCError, fmt.Sprintf("the KDC of %s knows no way to %s", creds.realm, realm))
		}
		if err := c.setTGT(creds, next[1], got.Ticket, got.Session); err != nil || next[1] == realm {
			return err
		}
	}
	return reason.Refuse(reason.KDCError, fmt.Sprintf("more than %d realms on the way to %s", maxHops, realm))
}

// noTrust names what is missing when a KDC does not know another realm, which it
// says as of any service.
func noTrust(err error, from, to string) error {
	if reason.Of(err) == reason.WrongSPN {
		return &reason.Error{Reason: reason.KDCError, Detail: fmt.Sprintf("the KDC of %s has no trust with %s", from, to), Err: err}
	}
	return err
}

// setTGT makes der the ticket-granting ticket, for the KDCs of realm.
func (c *Client) setTGT(creds *Credentials, realm string, der []byte, session wire.Key) error {
	if err := creds.tgt.Unmarshal(der); err != nil {
		return reason.Refuse(reason.KDCError, "a ticket that is not readable")
	}
	if !c.config.EtypeAllowed(session.Etype) {
		return reason.Refuse(reason.Etype, "the KDC gave a session key of "+wire.EtypeName(session.Etype))
	}
	creds.realm, creds.session = realm, session
	return nil
}

// tgs is the TGS exchange, RFC 4120 §3.3, for a ticket of a service; where refer is set,
// the KDC may give one of another realm's ticket-granting server instead (RFC 6806 §8).
func (c *Client) tgs(ctx context.Context, creds *Credentials, service wire.Principal, refer bool) (*ServiceTicket, error) {
	req, err := messages.NewTGSReq(libraryName(creds.Client), service.Realm, c.libraryConfig(), creds.tgt,
		types.EncryptionKey{KeyType: creds.session.Etype, KeyValue: creds.session.Value}, libraryName(service), false)
	if err != nil {
		return nil, fmt.Errorf("make TGS-REQ: %w", err)
	}
	if refer {
		types.SetFlag(&req.ReqBody.KDCOptions, flags.Canonicalize)
	}
	if req.PAData, err = proofOf(creds, &req.ReqBody); err != nil {
		return nil, err
	}
	b, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("make TGS-REQ: %w", err)
	}
	reply, err := c.Exchange(ctx, service.Realm, b, HedgeAfter)
	if err != nil {
		return nil, err
	}
	if e, isError := wire.ParseError(reply); isError {
		return nil, refusal(e, "ticket for "+service.String())
	}
	rep, err := wire.ParseKDCRep(reply, wire.AppTGSRep)
	if err != nil {
		return nil, &reason.Error{Reason: reason.KDCError, Detail: "TGS-REP", Err: err}
	}
	part, err := openRep(&rep, creds.session, wire.UsageTGSRep, req.ReqBody.Nonce)
	if err != nil {
		return nil, &reason.Error{Reason: reason.NotGenuine, Detail: "TGS-REP", Err: err}
	}
	return &ServiceTicket{Ticket: rep.Ticket, Session: part.Key, server: part.Server}, nil
}

// proofOf is PA-TGS-REQ, RFC 4120 §5.2.7.1. The library's own names as the
// client's realm the one that issued the ticket-granting ticket, which is another
// one two trusts away.
func proofOf(creds *Credentials, body *messages.KDCReqBody) (types.PADataSequence, error) {
	b, err := body.Marshal()
	if err != nil {
		return nil, fmt.Errorf("make TGS-REQ: %w", err)
	}
	kind, sum, err := wire.Checksum(creds.session, keyusage.TGS_REQ_PA_TGS_REQ_AP_REQ_AUTHENTICATOR_CHKSUM, b)
	if err != nil {
		return nil, fmt.Errorf("make TGS-REQ: %w", err)
	}
	auth, err := types.NewAuthenticator(creds.Client.Realm, libraryName(creds.Client))
	if err != nil {
		return nil, fmt.Errorf("make authenticator: %w", err)
	}
	auth.Cksum = types.Checksum{CksumType: kind, Checksum: sum}
	value, err := apReq(creds, auth)
	return types.PADataSequence{{PADataType: patype.PA_TGS_REQ, PADataValue: value}}, err
}

// apReq presents a ticket.
func apReq(creds *Credentials, auth types.Authenticator) ([]byte, error) {
	req, err := messages.NewAPReq(creds.tgt, types.EncryptionKey{KeyType: creds.session.Etype, KeyValue: creds.session.Value}, auth)
	if err != nil {
		return nil, fmt.Errorf("make AP-REQ: %w", err)
	}
	b, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("make AP-REQ: %w", err)
	}
	return b, nil
}

// openRep opens a reply's sealed part and checks that it answers our request.
func openRep(rep *wire.KDCRep, key wire.Key, usage uint32, nonce int) (wire.KDCRepPart, error) {
	if rep.Part.Etype != key.Etype {
		return wire.KDCRepPart{}, wire.ErrIntegrity
	}
	k, err := wire.NewSealKey(key, usage)
	if err != nil {
		return wire.KDCRepPart{}, err
	}
	plain, err := k.Open(rep.Part.Cipher)
	if err != nil {
		return wire.KDCRepPart{}, err
	}
	part, err := wire.ParseKDCRepPart(plain)
	if err == nil && int64(part.Nonce) != int64(nonce) {
		err = errors.New("the answer to another question")
	}
	return part, err
}
