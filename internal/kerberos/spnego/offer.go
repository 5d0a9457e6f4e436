package spnego

import (
	"bytes"
	"fmt"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Bounds of a list of mechanisms: it is kept between the legs. Windows offers four,
// in 50 bytes.
const (
	maxMechs    = 32
	maxMechList = 1024
)

// Offer is what an initiator has said so far.
type Offer struct {
	SPNEGO bool   // false: it sent Kerberos' own token
	Second bool   // Kerberos is not its first choice, so its first token is for another mechanism
	Judged bool   // its ticket was good in the leg before: only the proof of its list is to come
	APReq  []byte // RFC 4120 §5.5.1; nil while Second and the next leg has not come

	mechs    []string // OIDs in the client's order; none without SPNEGO
	mechList []byte   // their DER, which a mechListMIC covers
	mech     string   // the Kerberos OID of mechs that we choose
	mic      []byte   // mechListMIC, nil if absent
}

// ParseOffer reads an initiator's first token: SPNEGO's NegTokenInit, or a
// Kerberos token without SPNEGO. What the client has instead of Kerberos is
// told apart by the reason, for that is the commonest failure there is.
func ParseOffer(token []byte) (*Offer, error) {
	if bytes.HasPrefix(token, []byte(ntlmMagic)) {
		return nil, reason.Refuse(reason.NTLM, "a bare NTLM token: the browser has no ticket for this address")
	}
	if IsAnswer(token) {
		// A continuation belongs to a first leg, which would have named the client.
		return nil, reason.Refuse(reason.Malformed, "a NegTokenResp without a first leg")
	}
	var d wire.Decoder
	tag, oid, rest := d.Split(d.Only(token, tagGSS))
	if d.Err != nil || tag != wire.TagOID {
		return nil, reason.Refuse(reason.Malformed, "no GSS-API token (RFC 2743 §3.1)")
	}
	if isKerberos(string(oid)) {
		apReq, err := unframe(rest)
		return &Offer{APReq: apReq}, err
	}
	switch string(oid) {
	case oidSPNEGO:
	case oidIAKERB, oidNEGOEX:
		return nil, reason.Refuse(reason.NegoexOnly, "a bare IAKERB or NEGOEX token")
	default:
		return nil, reason.Refuse(reason.Malformed, fmt.Sprintf("GSS-API mechanism %x", reason.Short(string(oid))))
	}
	return parseNegTokenInit(rest)
}

// parseNegTokenInit reads NegTokenInit, RFC 4178 §4.2.1.
func parseNegTokenInit(b []byte) (*Offer, error) {
	var d wire.Decoder
	f := d.Sequence(d.Only(b, tagNegInit))
	o := &Offer{SPNEGO: true, mechList: f[0]}
	o.readMechs(&d)
	var token []byte
	if f[2] != nil {
		token = d.Octets(f[2])
	}
	if f[3] != nil {
		o.mic = d.Octets(f[3])
	}
	if d.Err != nil {
		return nil, reason.Refuse(reason.Malformed, "NegTokenInit is not readable (RFC 4178 §4.2.1)")
	}
	if err := o.choose(); err != nil || o.Second {
		return o, err
	}
	return o, o.setToken(token)
}

// readMechs reads the list of mechanisms, RFC 4178 §4.1.
func (o *Offer) readMechs(d *wire.Decoder) {
	if len(o.mechList) > maxMechList {
		d.Fail()
	}
	for list := d.Only(o.mechList, wire.TagSequence); len(list) > 0 && d.Err == nil; {
		tag, oid, rest := d.Split(list)
		if tag != wire.TagOID || len(o.mechs) == maxMechs {
			d.Fail()
		}
		o.mechs, list = append(o.mechs, string(oid)), rest
	}
}

// setToken takes the AP-REQ out of the mechanism's token.
func (o *Offer) setToken(token []byte) (err error) {
	if bytes.HasPrefix(token, []byte(ntlmMagic)) {
		return reason.Refuse(reason.NTLM, "NTLM where Kerberos was asked for: the browser has no ticket for this address")
	}
	var d wire.Decoder
	inner := d.Only(token, tagGSS)
	tag, oid, rest := d.Split(inner)
	if d.Err != nil || tag != wire.TagOID || !isKerberos(string(oid)) {
		return reason.Refuse(reason.Malformed, "the mechanism's token is no Kerberos token")
	}
	o.APReq, err = unframe(rest)
	return err
}

// choose takes the first Kerberos that is offered. What is offered before it, such
// as NEGOEX, has a token of its own, which says nothing to us.
func (o *Offer) choose() error {
	if len(o.mechs) == 0 {
		return reason.Refuse(reason.Malformed, "an empty list of mechanisms")
	}
	for i, m := range o.mechs {
		if isKerberos(m) {
			o.mech, o.Second = m, i > 0
			return nil
		}
	}
	has := map[string]bool{}
	for _, m := range o.mechs {
		has[m] = true
	}
	switch {
	case has[oidNTLM]:
		return reason.Refuse(reason.NTLM, "NTLM is offered, Kerberos is not: the browser has no ticket for this address")
	case has[oidNEGOEX] || has[oidIAKERB]:
		return reason.Refuse(reason.NegoexOnly, "only NEGOEX or IAKERB are offered")
	}
	return reason.Refuse(reason.Malformed, "no mechanism we know")
}

// unframe takes the token id of an AP-REQ (RFC 4121 §4.1) off the front.
func unframe(b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != idAPReq || b[1] != 0 {
		return nil, reason.Refuse(reason.Malformed, "the Kerberos token is not an AP-REQ (RFC 4121 §4.1)")
	}
	return b[2:], nil
}
