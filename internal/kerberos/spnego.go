package kerberos

import (
	"bytes"
	"fmt"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Mechanisms a client may offer, as the body of their OID.
const (
	oidSPNEGO  = "\x2b\x06\x01\x05\x05\x02"                 // 1.3.6.1.5.5.2
	oidKRB5    = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"     // 1.2.840.113554.1.2.2
	oidMSKRB5  = "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"     // 1.2.840.48018.1.2.2, the same by a mistake of Windows 2000
	oidNTLM    = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" // 1.3.6.1.4.1.311.2.2.10
	oidNEGOEX  = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e" // 1.3.6.1.4.1.311.2.2.30
	oidIAKERB  = "\x2b\x06\x01\x05\x02\x05"                 // 1.3.6.1.5.2.5
	ntlmMagic  = "NTLMSSP\x00"
	tagGSS     = 0x60 // RFC 2743 §3.1
	tagNegInit = 0xa0 // RFC 4178 §4.2
	tagNegResp = 0xa1
	maxMechs   = 32
)

// Values of negState, RFC 4178 §4.2.2.
const (
	negCompleted  = 0
	negIncomplete = 1
	negReject     = 2
	negRequestMIC = 3
)

func isKerberos(oid string) bool { return oid == oidKRB5 || oid == oidMSKRB5 }

// offer is a client's first token.
type offer struct {
	spnego   bool
	mechs    []string // OIDs in the client's order; none without SPNEGO
	mechList []byte   // their DER, which a mechListMIC covers
	mech     string   // the Kerberos OID of mechs that we choose
	second   bool     // it is not the first, so the first token is not for it
	apReq    []byte   // nil while second and the next leg has not come
	mic      []byte   // mechListMIC, nil if absent
}

// parseOffer reads an initiator's first token: SPNEGO's NegTokenInit, or a
// Kerberos token without SPNEGO. What the client has instead of Kerberos is
// told apart by the reason, for that is the commonest failure there is.
func parseOffer(token []byte) (*offer, error) {
	if bytes.HasPrefix(token, []byte(ntlmMagic)) {
		return nil, reason.Refuse(reason.NTLM, "a bare NTLM token: the browser has no ticket for this address")
	}
	if len(token) > 0 && token[0] == tagNegResp {
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
		return &offer{apReq: apReq}, err
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
func parseNegTokenInit(b []byte) (*offer, error) {
	var d wire.Decoder
	f := d.Sequence(d.Only(b, tagNegInit))
	o := &offer{spnego: true, mechList: f[0]}
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
	if err := o.choose(); err != nil || o.second {
		return o, err
	}
	return o, o.setToken(token)
}

// readMechs reads the list of mechanisms, RFC 4178 §4.1.
func (o *offer) readMechs(d *wire.Decoder) {
	for list := d.Only(o.mechList, wire.TagSequence); len(list) > 0 && d.Err == nil; {
		tag, oid, rest := d.Split(list)
		if tag != wire.TagOID || len(o.mechs) == maxMechs {
			d.Fail()
		}
		o.mechs, list = append(o.mechs, string(oid)), rest
	}
}

// setToken takes the AP-REQ out of the mechanism's token.
func (o *offer) setToken(token []byte) (err error) {
	if bytes.HasPrefix(token, []byte(ntlmMagic)) {
		return reason.Refuse(reason.NTLM, "NTLM where Kerberos was asked for: the browser has no ticket for this address")
	}
	var d wire.Decoder
	inner := d.Only(token, tagGSS)
	tag, oid, rest := d.Split(inner)
	if d.Err != nil || tag != wire.TagOID || !isKerberos(string(oid)) {
		return reason.Refuse(reason.Malformed, "the mechanism's token is no Kerberos token")
	}
	o.apReq, err = unframe(rest)
	return err
}

// choose takes the first Kerberos that is offered. What is offered before it, such
// as NEGOEX, has a token of its own, which says nothing to us.
func (o *offer) choose() error {
	if len(o.mechs) == 0 {
		return reason.Refuse(reason.Malformed, "an empty list of mechanisms")
	}
	for i, m := range o.mechs {
		if isKerberos(m) {
			o.mech, o.second = m, i > 0
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

// answer is an initiator's later token, NegTokenResp (RFC 4178 §4.2.2). Its state
// and mechanism tell us nothing we do not know.
type answer struct{ token, mic []byte }

func parseAnswer(b []byte) (*answer, error) {
	var d wire.Decoder
	f := d.Sequence(d.Only(b, tagNegResp))
	r := &answer{}
	if f[2] != nil {
		r.token = d.Octets(f[2])
	}
	if f[3] != nil {
		r.mic = d.Octets(f[3])
	}
	if d.Err != nil {
		return nil, reason.Refuse(reason.Malformed, "NegTokenResp is not readable (RFC 4178 §4.2.2)")
	}
	return r, nil
}

// unframe takes the token id of an AP-REQ (RFC 4121 §4.1) off the front.
func unframe(b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != 1 || b[1] != 0 {
		return nil, reason.Refuse(reason.Malformed, "the Kerberos token is not an AP-REQ (RFC 4121 §4.1)")
	}
	return b[2:], nil
}

// negTokenResp writes NegTokenResp, RFC 4178 §4.2.2; empty fields are left out.
func negTokenResp(state byte, mech string, token, mic []byte) []byte {
	body := wire.TLV(wire.Context(0), []byte{wire.TagEnumerated, 1, state})
	if mech != "" {
		body = wire.AppendTLV(body, wire.Context(1), wire.TLV(wire.TagOID, []byte(mech)))
	}
	if token != nil {
		body = wire.AppendTLV(body, wire.Context(2), wire.TLV(wire.TagOctetString, token))
	}
	if mic != nil {
		body = wire.AppendTLV(body, wire.Context(3), wire.TLV(wire.TagOctetString, mic))
	}
	return wire.TLV(tagNegResp, wire.TLV(wire.TagSequence, body))
}

// Token ids of Kerberos messages in GSS-API tokens, RFC 4121 §4.1.
const (
	idAPRep = 2
	idError = 3
)

// frame wraps a message as a GSS-API token, RFC 4121 §4.1.
func frame(id byte, message []byte) []byte {
	return wire.TLV(tagGSS, []byte{wire.TagOID, byte(len(oidKRB5))}, []byte(oidKRB5), []byte{id, 0}, message)
}
