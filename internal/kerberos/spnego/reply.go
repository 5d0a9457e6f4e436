package spnego

import (
	"fmt"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Values of negState, RFC 4178 §4.2.2.
const (
	negCompleted  = 0
	negIncomplete = 1
	negReject     = 2
	negRequestMIC = 3
)

// RequestMIC answers a first token in which Kerberos is Second: it is our choice,
// and both sides will have to prove the list (RFC 4178 §4.2.2). The client's next
// token is for Resume, with state.
func (o *Offer) RequestMIC() (reply, state []byte) {
	return negTokenResp(negRequestMIC, o.mech, nil, nil), o.state(wantsAPReq)
}

// Answer is the token that proves us to the client whose AP-REQ was good: an
// AP-REP, made with the session key of its ticket and what its authenticator says.
// state is nil when that ends the exchange; else the client still has to prove its
// list of mechanisms, by a token for Resume.
func (o *Offer) Answer(session wire.Key, auth *wire.Authenticator) (reply, state []byte, err error) {
	rep, err := wire.APRep(session, auth)
	if err != nil {
		return nil, nil, fmt.Errorf("make AP-REP: %w", err)
	}
	if !o.SPNEGO {
		return frame(idAPRep, rep), nil, nil
	}
	ours, err := o.answerMIC(session, auth)
	if err != nil {
		return nil, nil, err
	}
	if o.Second && o.mic == nil { // it cannot make one before it has our AP-REP
		return negTokenResp(negIncomplete, o.mech, frame(idAPRep, rep), ours), o.state(wantsMIC), nil
	}
	return negTokenResp(negCompleted, o.mech, frame(idAPRep, rep), ours), nil, nil
}

// Finish verifies the mechListMIC of a client that was Judged before, and ends the
// exchange.
func (o *Offer) Finish(session wire.Key, auth *wire.Authenticator) (reply []byte, err error) {
	if o.mic == nil {
		return nil, reason.Refuse(reason.Malformed, "no mechListMIC, which was asked for (RFC 4178 §5)")
	}
	if _, err := o.answerMIC(session, auth); err != nil {
		return nil, err
	}
	return negTokenResp(negCompleted, "", nil, nil), nil
}

// Reject ends the exchange with a token of ErrorToken, as the client understands it.
func (o *Offer) Reject(token []byte) []byte {
	if !o.SPNEGO {
		return token
	}
	return negTokenResp(negReject, "", token, nil)
}

// ErrorToken is a KRB-ERROR as a token of Kerberos.
func ErrorToken(krbError []byte) []byte { return frame(idError, krbError) }

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

// frame wraps a message as a GSS-API token, RFC 4121 §4.1.
func frame(id byte, message []byte) []byte {
	return wire.TLV(tagGSS, []byte{wire.TagOID, byte(len(oidKRB5))}, []byte(oidKRB5), []byte{id, 0}, message)
}
