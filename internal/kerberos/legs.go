package kerberos

import (
	"context"
	"fmt"

	"idp/internal/kerberos/spnego"
	"idp/internal/reason"
)

// Leg is our answer to one token of a client.
type Leg struct {
	Login *Login // nil: the client must send another token
	Reply []byte // the token for the client
	State []byte // what Step has to be given with the next token; nil with Login
}

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
	if len(state) == 0 || !spnego.IsAnswer(token) {
		return a.first(ctx, token)
	}
	o, err := spnego.Resume(state, token)
	switch {
	case err != nil:
		return nil, err
	case o.Judged:
		return a.last(o)
	}
	return a.take(ctx, o)
}

// first answers a first token.
func (a *Acceptor) first(ctx context.Context, token []byte) (*Leg, error) {
	o, err := spnego.ParseOffer(token)
	if err != nil {
		return nil, err
	}
	if !o.Second {
		return a.take(ctx, o)
	}
	reply, state := o.RequestMIC()
	return &Leg{Reply: reply, State: state}, nil
}

// take judges the AP-REQ, with the replay check last: a token refused for another
// reason leaves no row behind.
func (a *Acceptor) take(ctx context.Context, o *spnego.Offer) (leg *Leg, err error) {
	defer func() { err = reject(o, err) }()
	x, err := a.examine(o.APReq)
	if err != nil {
		return nil, err
	}
	reply, state, err := o.Answer(x.part.Key, x.auth)
	if err != nil {
		return nil, err
	}
	if err := a.checkReplay(ctx, x); err != nil {
		return nil, err
	}
	if state != nil {
		return &Leg{Reply: reply, State: state}, nil
	}
	return &Leg{Login: x.login(o, reply), Reply: reply}, nil
}

// last verifies the client's mechListMIC. The ticket is examined again, for
// nothing of it is kept but itself; its use was seen in the leg before.
func (a *Acceptor) last(o *spnego.Offer) (leg *Leg, err error) {
	defer func() { err = reject(o, err) }()
	x, err := a.examine(o.APReq)
	if err != nil {
		return nil, err
	}
	reply, err := o.Finish(x.part.Key, x.auth)
	if err != nil {
		return nil, err
	}
	return &Leg{Login: x.login(o, reply), Reply: reply}, nil
}

func (x *examined) login(o *spnego.Offer, reply []byte) *Login {
	login := x.opened.login(x.claims)
	login.Reply = reply
	login.Mechanism = MechanismKerberos
	if o.SPNEGO {
		login.Mechanism = MechanismSPNEGO
	}
	return login
}
