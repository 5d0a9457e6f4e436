package authn

import (
	"context"
	"slices"
	"strings"

	"idp/internal/kerberos"
	"idp/internal/policy"
	"idp/internal/reason"
)

// Ticket checks the only token of `Authorization: Negotiate`, decoded. The error
// is a *reason.Error when the ticket was refused.
func (a *Authn) Ticket(ctx context.Context, token []byte, from policy.From) (*Result, error) {
	if a.Kerberos == nil {
		return nil, a.noKeytab(ctx, from)
	}
	login, err := a.Kerberos.Accept(ctx, token)
	if err != nil {
		return nil, a.failTicket(ctx, from, err)
	}
	return a.ticketOf(ctx, login, from)
}

// Continuation is the answer to a client that has to send another token: Reply
// goes to it, State comes back with that token.
type Continuation struct{ Reply, State []byte }

// TicketLeg checks one token of an exchange that may have several; state is what
// the leg before left, empty for the first. Either a Result or a Continuation
// comes of it, or an error as of Ticket.
func (a *Authn) TicketLeg(ctx context.Context, token, state []byte, from policy.From) (*Result, *Continuation, error) {
	if a.Kerberos == nil {
		return nil, nil, a.noKeytab(ctx, from)
	}
	leg, err := a.Kerberos.Step(ctx, token, state)
	if err != nil {
		return nil, nil, a.failTicket(ctx, from, err)
	}
	if leg.Login == nil {
		return nil, &Continuation{Reply: leg.Reply, State: leg.State}, nil
	}
	res, err := a.ticketOf(ctx, leg.Login, from)
	return res, nil, err
}

func (a *Authn) noKeytab(ctx context.Context, from policy.From) error {
	return a.failOfNobody(ctx, from, "", reason.Refuse(reason.NoKeytab, "no keytab is configured"))
}

// unopened are the reasons of tokens that no key of ours has opened: anybody makes them.
var unopened = []reason.Code{reason.NTLM, reason.NegoexOnly, reason.NotFirst, reason.NoKeytab, reason.WrongSPN, reason.KVNO, reason.WrongKey, reason.NoKey, reason.Etype}

func (a *Authn) failTicket(ctx context.Context, from policy.From, err error) error {
	if err = typed(err); slices.Contains(unopened, reason.Of(err)) {
		return a.failOfNobody(ctx, from, "", err)
	}
	return a.fail(ctx, from, "", err)
}

func (a *Authn) ticketOf(ctx context.Context, login *kerberos.Login, from policy.From) (*Result, error) {
	if err := a.madeFor(login, from); err != nil {
		return nil, a.fail(ctx, from, login.Principal.String(), err)
	}
	res, err := a.known(ctx, login, policy.AMRTicket)
	if err != nil {
		return nil, a.fail(ctx, from, login.Principal.String(), typed(err))
	}
	res.AuthTime = login.AuthTime // no person acted now: RFC 4120 §5.3, authtime
	res.Reply, res.Mechanism = login.Reply, login.Mechanism
	return res, nil
}

// madeFor refuses a ticket that was made for a protected site and is shown elsewhere: at
// another one, or to us. Whoever runs that site, or listens on another port of its host,
// could otherwise pass on what its visitors sent, and be them everywhere.
func (a *Authn) madeFor(login *kerberos.Login, from policy.From) error {
	if len(login.Service.Components) != 2 {
		return nil
	}
	host := strings.ToLower(login.Service.Components[1])
	if host == from.Site || !slices.Contains(a.Sites, host) {
		return nil
	}
	return reason.Refuse(reason.WrongSPN, "the ticket was made for the protected site "+reason.Short(host)+", and is shown elsewhere")
}
