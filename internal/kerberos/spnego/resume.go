package spnego

import (
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// IsAnswer reports whether a token is a later one of an exchange, a NegTokenResp.
// Any other begins anew.
func IsAnswer(token []byte) bool { return len(token) > 0 && token[0] == tagNegResp }

// Resume goes on with an exchange: state is what the leg before left, token what
// the client sent then. The Offer is Judged if state is Answer's.
func Resume(state, token []byte) (*Offer, error) {
	r, err := parseAnswer(token)
	if err != nil {
		return nil, err
	}
	o, err := readState(state)
	if err != nil {
		return nil, err
	}
	o.mic = r.mic
	if o.Judged {
		return o, nil
	}
	return o, o.setToken(r.token)
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

// What the next token has to bring, the first byte of a state.
const (
	wantsAPReq = 1 // we chose Kerberos, which was not the client's first choice
	wantsMIC   = 2 // its ticket is good, and the list of mechanisms must still be proved
)

// state writes what the next leg has to know: what it wants, the list of
// mechanisms and the AP-REQ, which is empty before it came. It holds no secret.
func (o *Offer) state(wants byte) []byte {
	b := wire.AppendTLV([]byte{wants}, wire.TagOctetString, o.mechList)
	return wire.AppendTLV(b, wire.TagOctetString, o.APReq)
}

func readState(b []byte) (*Offer, error) {
	bad := func() (*Offer, error) {
		return nil, reason.Refuse(reason.Malformed, "the exchange began with something else")
	}
	if len(b) == 0 || b[0] != wantsAPReq && b[0] != wantsMIC {
		return bad()
	}
	var d wire.Decoder
	_, list, rest := d.Split(b[1:])
	apReq := d.Octets(rest)
	o := &Offer{SPNEGO: true, Judged: b[0] == wantsMIC, mechList: list, APReq: apReq}
	o.readMechs(&d)
	if d.Err != nil {
		return bad()
	}
	return o, o.choose()
}
