package krbtest

import (
	"encoding/binary"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Ticket is a user's service ticket, from which any number of tokens can be made
// without asking the KDC again.
type Ticket struct {
	Ticket messages.Ticket
	Key    types.EncryptionKey // session key
	Client types.PrincipalName // what authenticators will say
	Realm  string
}

// APReq makes an AP-REQ with a new authenticator, which edit may change before it
// is sealed (nil: as it is).
func (t *Ticket) APReq(edit func(*types.Authenticator)) ([]byte, error) {
	auth, err := types.NewAuthenticator(t.Realm, t.Client)
	if err != nil {
		return nil, err
	}
	if err := auth.GenerateSeqNumberAndSubKey(t.Key.KeyType, len(t.Key.KeyValue)); err != nil {
		return nil, err
	}
	auth.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: Checksum(make([]byte, 16))}
	if edit != nil {
		edit(&auth)
	}
	req, err := messages.NewAPReq(t.Ticket, t.Key, auth)
	if err != nil {
		return nil, err
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	return req.Marshal()
}

// Checksum is the checksum field of a GSS-API authenticator with this channel
// binding (16 bytes, zero for none), RFC 4121 §4.1.1, asking for mutual
// authentication, replay detection and integrity.
func Checksum(bnd []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 16)
	b = append(b, bnd...)
	return binary.LittleEndian.AppendUint32(b, gssapi.ContextFlagMutual|gssapi.ContextFlagReplay|gssapi.ContextFlagInteg)
}

// Frame wraps an AP-REQ as a GSS-API token of Kerberos without SPNEGO.
func Frame(apReq []byte) []byte {
	b := append([]byte(MechKRB5), 1, 0)
	return asn1tools.AddASNAppTag(append(b, apReq...), 0)
}

// SPNEGO wraps a Kerberos token in a NegTokenInit that offers mechs (whole DER
// OIDs; none: Kerberos) in this order.
func SPNEGO(token []byte, mechs ...string) []byte {
	if len(mechs) == 0 {
		mechs = []string{MechKRB5}
	}
	var list []byte
	for _, m := range mechs {
		list = append(list, m...)
	}
	body := wrap(0xa0, wrap(0x30, list))
	if token != nil {
		body = append(body, wrap(0xa2, wrap(0x04, token))...)
	}
	b := append([]byte("\x06\x06\x2b\x06\x01\x05\x05\x02"), wrap(0xa0, wrap(0x30, body))...)
	return wrap(0x60, b)
}

func wrap(tag byte, body []byte) []byte {
	return append(append([]byte{tag}, asn1tools.MarshalLengthBytes(len(body))...), body...)
}

// Raw makes a new Kerberos token without SPNEGO.
func (t *Ticket) Raw() ([]byte, error) {
	b, err := t.APReq(nil)
	if err != nil {
		return nil, err
	}
	return Frame(b), nil
}

// RawWithSubkey is Raw, with the key that the client chose for its messages.
func (t *Ticket) RawWithSubkey() (token []byte, subkey types.EncryptionKey, err error) {
	b, err := t.APReq(func(a *types.Authenticator) { subkey = a.SubKey })
	if err != nil {
		return nil, subkey, err
	}
	return Frame(b), subkey, nil
}

// Token makes a new SPNEGO token, as a browser sends it after base64.
func (t *Ticket) Token() ([]byte, error) {
	b, err := t.Raw()
	if err != nil {
		return nil, err
	}
	return SPNEGO(b), nil
}
