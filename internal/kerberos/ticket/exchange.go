package ticket

import (
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/kdc"
	"idp/internal/kerberos/spnego"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Exchange is one AP exchange with a service, RFC 4120 §3.2.
type Exchange struct {
	Token []byte // for "Authorization: Negotiate", after base64; good once

	session wire.Key
	ctime   time.Time // what the authenticator says, and the answer has to repeat
	cusec   int64
}

// begin presents a ticket, with a new authenticator.
func begin(client wire.Principal, got *kdc.ServiceTicket, bnd wire.Binding) (*Exchange, error) {
	auth, err := types.NewAuthenticator(client.Realm, types.PrincipalName{NameType: client.NameType, NameString: client.Components})
	if err != nil {
		return nil, fmt.Errorf("make authenticator: %w", err)
	}
	if err := auth.GenerateSeqNumberAndSubKey(got.Session.Etype, len(got.Session.Value)); err != nil {
		return nil, fmt.Errorf("make authenticator: %w", err)
	}
	auth.Cksum = types.Checksum{CksumType: wire.GSSChecksum, Checksum: wire.GSSSum(bnd)}
	var t messages.Ticket
	if err := t.Unmarshal(got.Ticket); err != nil {
		return nil, reason.Refuse(reason.KDCError, "a ticket that is not readable")
	}
	req, err := messages.NewAPReq(t, types.EncryptionKey{KeyType: got.Session.Etype, KeyValue: got.Session.Value}, auth)
	if err != nil {
		return nil, fmt.Errorf("make AP-REQ: %w", err)
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	b, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("make AP-REQ: %w", err)
	}
	return &Exchange{Token: spnego.Initiate(b), session: got.Session, ctime: auth.CTime.UTC().Truncate(time.Second), cusec: int64(auth.Cusec)}, nil
}

// Verify checks the service's token: that it opened our ticket, and answers this
// exchange and no other (RFC 4120 §3.2.5). The error is NOT_GENUINE.
func (x *Exchange) Verify(reply []byte) error {
	rep, err := spnego.ReadReply(reply)
	if err != nil {
		return err
	}
	part, err := wire.OpenAPRep(x.session, rep)
	if err != nil {
		return &reason.Error{Reason: reason.NotGenuine, Detail: "AP-REP", Err: err}
	}
	if !part.CTime.Equal(x.ctime) || part.CUsec != x.cusec {
		return reason.Refuse(reason.NotGenuine, "the AP-REP answers another exchange")
	}
	return nil
}
