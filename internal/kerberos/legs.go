package kerberos

import (
	"context"
	"errors"
	"fmt"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Leg is our answer to one token of a client.
type Leg struct {
	Login *Login // nil: the client must send another token
	Reply []byte // the token for the client
	State []byte // what Step has to be given with the next token; nil with Login
}

// What the next token has to bring, the first byte of a State.
const (
	wantsAPReq = 1 // we chose Kerberos, which was not the client's first choice
	wantsMIC   = 2 // its ticket is good, and the list of mechanisms must still be proved
)

// Step checks one token of an initiator, the raw bytes of "Authorization:
// Negotiate". state is nil for its first, else that of the leg before; it holds
// no secret, and whoever keeps it must bind it to the client. Most exchanges are
// one leg. A client that offers another mechanism before Kerberos, as Windows
// does with NEGOEX, takes two or three, the last of which prove that nobody on
// the way took a mechanism off its list (RFC 4178 §5).
//
// A refusal is a *reason.Error; any other error is a failure of Seen.
func (a *Acceptor) Step(ctx context.Context, token, state []byte) (leg *Leg, err error) {
	// The parsers are fuzzed and check every length; this is the boundary that
	// keeps a mistake in them, or in the library's crypto, from ending the process.
	defer func() {
		if p := recover(); p != nil {
			leg, err = nil, reason.Refuse(reason.Malformed, fmt.Sprintf("panic: %v", p))
		}
	}()
	if len(token) > MaxToken {
		return nil, reason.Refuse(reason.TokenTooBig, fmt.Sprintf("%d bytes, %d are allowed", len(token), MaxToken))
	}
	// A token that is no NegTokenResp begins anew, whatever came before it.
	if len(state) == 0 || len(token) == 0 || token[0] != tagNegResp {
		return a.first(ctx, token)
	}
	r, err := parseAnswer(token)
	if err != nil {
		return nil, err
	}
	o, wants, err := readState(state)
	switch {
	case err != nil:
		return nil, err
	case wants == wantsMIC:
		return a.last(o, r.mic)
	}
	o.mic = r.mic
	if err := o.setToken(r.token); err != nil {
		return nil, err
	}
	return a.take(ctx, o)
}

// first answers a first token.
func (a *Acceptor) first(ctx context.Context, token []byte) (*Leg, error) {
	o, err := parseOffer(token)
	if err != nil {
		return nil, err
	}
	if !o.second {
		return a.take(ctx, o)
	}
	// RFC 4178 §4.2.2: our choice, which the client did not prefer.
	return &Leg{Reply: negTokenResp(negRequestMIC, o.mech, nil, nil), State: o.state(wantsAPReq)}, nil
}

// take judges the AP-REQ, with the replay check last: a token refused for another
// reason leaves no row behind.
func (a *Acceptor) take(ctx context.Context, o *offer) (leg *Leg, err error) {
	defer func() { err = o.wrap(err) }()
	x, err := a.examine(o.apReq)
	if err != nil {
		return nil, err
	}
	reply, done, err := makeReply(o, x.part.Key, x.auth)
	if err != nil {
		return nil, err
	}
	if err := a.checkReplay(ctx, x); err != nil {
		return nil, err
	}
	if !done {
		return &Leg{Reply: reply, State: o.state(wantsMIC)}, nil
	}
	return &Leg{Login: x.login(o, reply), Reply: reply}, nil
}

// last verifies the client's mechListMIC. The ticket is examined again, for
// nothing of it is kept but itself; its use was seen in the leg before.
func (a *Acceptor) last(o *offer, mic []byte) (leg *Leg, err error) {
	defer func() { err = o.wrap(err) }()
	x, err := a.examine(o.apReq)
	if err != nil {
		return nil, err
	}
	if o.mic = mic; o.mic == nil {
		return nil, reason.Refuse(reason.Malformed, "no mechListMIC, which was asked for (RFC 4178 §5)")
	}
	if _, err := o.answerMIC(x.part.Key, x.auth); err != nil {
		return nil, err
	}
	reply := negTokenResp(negCompleted, "", nil, nil)
	return &Leg{Login: x.login(o, reply), Reply: reply}, nil
}

func (x *examined) login(o *offer, reply []byte) *Login {
	login := x.opened.login(x.claims)
	login.Reply = reply
	login.Mechanism = MechanismKerberos
	if o.spnego {
		login.Mechanism = MechanismSPNEGO
	}
	return login
}

// wrap puts the KRB-ERROR of a refusal, if there is one, into a SPNEGO reject.
func (o *offer) wrap(err error) error {
	var refused *reason.Error
	if errors.As(err, &refused) && refused.Reply != nil && o.spnego {
		refused.Reply = negTokenResp(negReject, "", refused.Reply, nil)
	}
	return err
}

// state writes what the next leg has to know: what it wants, the list of
// mechanisms and the AP-REQ, which is empty before it came.
func (o *offer) state(wants byte) []byte {
	b := wire.AppendTLV([]byte{wants}, wire.TagOctetString, o.mechList)
	return wire.AppendTLV(b, wire.TagOctetString, o.apReq)
}

func readState(b []byte) (o *offer, wants byte, err error) {
	bad := func() (*offer, byte, error) {
		return nil, 0, reason.Refuse(reason.Malformed, "the exchange began with something else")
	}
	if len(b) == 0 || b[0] != wantsAPReq && b[0] != wantsMIC {
		return bad()
	}
	var d wire.Decoder
	_, list, rest := d.Split(b[1:])
	apReq := d.Octets(rest)
	o = &offer{spnego: true, mechList: list, apReq: apReq}
	o.readMechs(&d)
	if d.Err != nil {
		return bad()
	}
	return o, b[0], o.choose()
}
