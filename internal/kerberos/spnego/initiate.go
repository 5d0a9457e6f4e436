package spnego

import (
	"fmt"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Initiate is the first token of a client that has Kerberos and nothing else, so that
// neither side owes a mechListMIC (RFC 4178 §5).
func Initiate(apReq []byte) []byte {
	body := wire.TLV(wire.Context(0), wire.TLV(wire.TagSequence, wire.TLV(wire.TagOID, []byte(oidKRB5))))
	body = wire.AppendTLV(body, wire.Context(2), wire.TLV(wire.TagOctetString, frame(idAPReq, apReq)))
	return wire.TLV(tagGSS, wire.TLV(wire.TagOID, []byte(oidSPNEGO)), wire.TLV(tagNegInit, wire.TLV(wire.TagSequence, body)))
}

// ReadReply takes the AP-REP out of the token that ends an exchange of Initiate. A
// server that sends a KRB-ERROR in its place is quoted.
func ReadReply(token []byte) (apRep []byte, err error) {
	var d wire.Decoder
	f := d.Sequence(d.Only(token, tagNegResp))
	state := d.Only(f[0], wire.TagEnumerated)
	inner := d.Only(d.Octets(f[2]), tagGSS)
	tag, oid, message := d.Split(inner)
	if d.Err != nil || len(state) != 1 || tag != wire.TagOID || !isKerberos(string(oid)) || len(message) < 2 || message[1] != 0 {
		return nil, reason.Refuse(reason.NotGenuine, "the answer holds no Kerberos token (RFC 4178 §4.2.2)")
	}
	switch e, isError := wire.ParseError(message[2:]); {
	case message[0] == idError && isError:
		e.Text = reason.Short(e.Text)
		return nil, &reason.Error{Reason: reason.NotGenuine, Detail: "the answer is an error", Err: e}
	case state[0] != negCompleted || message[0] != idAPRep:
		return nil, reason.Refuse(reason.NotGenuine, fmt.Sprintf("the exchange does not end with an AP-REP: state %d, token %d", state[0], message[0]))
	}
	return message[2:], nil
}
