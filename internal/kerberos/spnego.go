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
	tagGSS     = 0x60                                       // RFC 2743 §3.1
	tagNegInit = 0xa0                                       // RFC 4178 §4.2
	tagNegResp = 0xa1
	maxMechs   = 32
)

// Values of negState, RFC 4178 §4.2.2.
const (
	negCompleted = 0
	negReject    = 2
)

func isKerberos(oid string) bool { return oid == oidKRB5 || oid == oidMSKRB5 }

// offer is a client's first token.
type offer struct {
	spnego   bool
	mechs    []string // OIDs in the client's order; none without SPNEGO
	mechList []byte   // their DER, which a mechListMIC covers
	apReq    []byte   // the AP-REQ of the first mechanism
	mic      []byte   // mechListMIC, nil if absent
}

// parseOffer reads an initiator's first token: SPNEGO's NegTokenInit, or a
// Kerberos token without SPNEGO. What the client has instead of Kerberos is
// told apart by the reason, for that is the commonest failure there is.
func parseOffer(token []byte) (*offer, error) {
	if bytes.HasPrefix(token, []byte("NTLMSSP\x00")) {
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
	if string(oid) != oidSPNEGO {
		return nil, reason.Refuse(reason.Malformed, fmt.Sprintf("GSS-API mechanism %x", reason.Short(string(oid))))
	}
	return parseNegTokenInit(rest)
}

// parseNegTokenInit reads NegTokenInit, RFC 4178 §4.2.1.
func parseNegTokenInit(b []byte) (*offer, error) {
	var d wire.Decoder
	f := d.Sequence(d.Only(b, tagNegInit))
	o := &offer{spnego: true, mechList: f[0]}
	for list := d.Only(f[0], wire.TagSequence); len(list) > 0 && d.Err == nil; {
		tag, oid, rest := d.Split(list)
		if tag != wire.TagOID || len(o.mechs) == maxMechs {
			d.Fail()
		}
		o.mechs, list = append(o.mechs, string(oid)), rest
	}
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
	if err := o.checkMechs(); err != nil {
		return nil, err
	}
	inner := d.Only(token, tagGSS)
	tag, oid, rest := d.Split(inner)
	if d.Err != nil || tag != wire.TagOID || !isKerberos(string(oid)) {
		return nil, rejectSPNEGO(reason.Malformed, "NegTokenInit carries no Kerberos token")
	}
	apReq, err := unframe(rest)
	o.apReq = apReq
	return o, err
}

// checkMechs refuses an offer whose first mechanism, the one the token is for,
// is not Kerberos.
func (o *offer) checkMechs() error {
	if len(o.mechs) == 0 {
		return rejectSPNEGO(reason.Malformed, "an empty list of mechanisms")
	}
	if isKerberos(o.mechs[0]) {
		return nil
	}
	has := map[string]bool{}
	for _, m := range o.mechs {
		has[m] = true
	}
	switch {
	case has[oidKRB5] || has[oidMSKRB5]:
		return rejectSPNEGO(reason.NotFirst, "Kerberos is offered, but not first")
	case has[oidNTLM]:
		return rejectSPNEGO(reason.NTLM, "NTLM is offered, Kerberos is not: the browser has no ticket for this address")
	case has[oidNEGOEX] || has[oidIAKERB]:
		return rejectSPNEGO(reason.NegoexOnly, "only NEGOEX or IAKERB are offered")
	}
	return rejectSPNEGO(reason.Malformed, "no mechanism we know")
}

// unframe takes the token id of an AP-REQ (RFC 4121 §4.1) off the front.
func unframe(b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != 1 || b[1] != 0 {
		return nil, reason.Refuse(reason.Malformed, "the Kerberos token is not an AP-REQ (RFC 4121 §4.1)")
	}
	return b[2:], nil
}

// rejectSPNEGO is reject, with a token that says so.
func rejectSPNEGO(r reason.Code, detail string) *reason.Error {
	return &reason.Error{Reason: r, Detail: detail, Reply: negTokenResp(negReject, "", nil, nil)}
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

// frame wraps an AP-REP as a GSS-API token, RFC 4121 §4.1.
func frame(apRep []byte) []byte {
	return wire.TLV(tagGSS, []byte{wire.TagOID, byte(len(oidKRB5))}, []byte(oidKRB5), []byte{2, 0}, apRep)
}
