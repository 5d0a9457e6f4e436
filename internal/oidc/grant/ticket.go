package grant

import (
	"errors"
	"net/http"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/authn"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/standing"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/visitor"
	"idp/internal/web"
)

// ticketType is the subject_token_type (RFC 8693 §3) of a Kerberos ticket. It comes by
// Authorization: Negotiate (RFC 4559), as libraries send it and so that we can prove who
// we are in return; there is no subject_token beside it.
const ticketType = "urn:idp:params:oauth:token-type:kerberos"

// ticketAnswer is what answers a ticket, or the challenge where none has come yet:
// before anything that counts once is used up, for the client will send it again.
//
// A browser must not get here: it has tickets, and whatever page it shows could use
// them. So what a browser sends along is refused, and nothing but this grant is
// challenged.
func (p *Endpoint) ticketAnswer(w http.ResponseWriter, r *http.Request, client *store.Client) (grantAnswer, error) {
	from := visitor.From(r, client.ClientID)
	switch scheme, _, ok := web.Authorization(r.Header); {
	case web.FromPage(r) || !web.Program(r):
		return nil, protocol.ErrInvalidRequest().WithDescription("tickets are exchanged for programs, not for browsers: no Origin, Referer or Sec-Fetch-*, and no User-Agent of a browser")
	case len(client.TicketExchange) == 0:
		return nil, protocol.ErrUnauthorizedClient().WithDescription("the client is not registered for tickets (ticket_exchange)")
	case p.Authn == nil || !p.Policy.OffersTicket(from):
		return nil, protocol.ErrInvalidRequest().WithDescription("tickets are not taken from this address, or not at all (kerberos: offer_to, keytabs)").
			WithParent(errors.New(p.Policy.WhyNoTicket(from)))
	case !ok || (scheme != "" && scheme != web.SchemeNegotiate):
		return nil, protocol.ErrInvalidRequest().WithDescription("the ticket comes by Authorization: Negotiate, and the client authenticates in the body")
	case scheme == "":
		web.InfoFrom(r.Context()).Method = authn.MethodChallenge
		return nil, wire.Failure{Status: http.StatusUnauthorized, Challenges: []string{"Negotiate"},
			Err: protocol.ErrInvalidRequest().WithDescription("a ticket is needed: Authorization: Negotiate (curl --negotiate -u :, which sends one that klist shows; else kinit)")}
	}
	return func(r *http.Request, client *store.Client, ps wire.Params, jkt string) ([]byte, error) {
		return p.ticketGrant(w, r, client, ps, jkt)
	}, nil
}

// ticketGrant gives tokens for a ticket: an access token for the one audience, and an
// ID token where the scope has openid. It is a login, without a session: what it gives
// ends with the access token, and at once with its user.
func (p *Endpoint) ticketGrant(w http.ResponseWriter, r *http.Request, client *store.Client, ps wire.Params, jkt string) ([]byte, error) {
	t := tokens.Response{Client: client, JKT: jkt}
	if err := p.readTicketRequest(&t, ps); err != nil {
		return nil, err
	}
	from := visitor.From(r, client.ClientID)
	res, err := p.showTicket(r, from)
	if err != nil {
		return nil, ticketRefused(r, err)
	}
	web.InfoFrom(r.Context()).User = res.User.Name
	now := p.Now()
	t.User, t.Expires = res.User, now.Add(p.AccessToken)
	if !res.TicketEnd.IsZero() && res.TicketEnd.Before(t.Expires) {
		t.Expires = res.TicketEnd
	}
	t.Grant = &store.Grant{ID: secret.ID(), ClientID: client.ClientID, UserID: res.User.ID, Scope: t.Scope, Resource: t.Audience,
		AMR: res.AMR, ACR: policy.ACROf(res.AMR), AuthTime: res.AuthTime.UnixMilli(), CreatedAt: now.UnixMilli(), ExpiresAt: t.Expires.Add(time.Minute).UnixMilli()}
	if err := p.giveForTicket(r, &t, from); err != nil {
		return nil, subjectGone(err)
	}
	body, err := p.Tokens.Respond(t)
	if err == nil {
		web.InfoFrom(r.Context()).LoggedIn = true
		web.SendNegotiate(w, res.Reply) // mutual authentication: RFC 4559 §5
	}
	return body, err
}

// readTicketRequest reads what is asked for, before the ticket is used up.
func (p *Endpoint) readTicketRequest(t *tokens.Response, ps wire.Params) (err error) {
	if ps["subject_token"] != "" || ps["actor_token"] != "" || ps["actor_token_type"] != "" {
		return protocol.ErrInvalidRequest().WithDescription("the ticket comes by Authorization: Negotiate; leave subject_token empty and actor_token out")
	}
	if t.Issued, err = issuedType(ps); err != nil {
		return err
	}
	if t.Audience, err = p.Tokens.Target(t.Client, ps); err != nil {
		return err
	}
	if !clients.MayShowTicket(t.Client, t.Audience) {
		return protocol.ErrInvalidTarget().WithDescription("the client may not exchange tickets for this audience (ticket_exchange)")
	}
	asked := ps["scope"]
	if asked == "" {
		asked = clients.Scope(t.Client)
	}
	t.Scope = clients.FilterScope(clients.AllowedScope(t.Client, asked), func(name string) bool { return name != protocol.ScopeOfflineAccess })
	if t.Scope == "" {
		return wire.NoScope()
	}
	return nil
}

// showTicket checks the ticket, and that it is enough for whom it is of. The error is a
// *reason.Error when it was refused, and in the audit log.
func (p *Endpoint) showTicket(r *http.Request, from policy.From) (*authn.Result, error) {
	web.InfoFrom(r.Context()).Method = authn.MethodTicket
	_, value, _ := web.Authorization(r.Header)
	token, ok := web.NegotiateToken(value)
	if !ok {
		return nil, p.Authn.Refuse(r.Context(), from, "", reason.Malformed, "the token is not base64")
	}
	res, err := p.Authn.Ticket(r.Context(), token, from)
	if err != nil {
		return nil, err
	}
	if !policy.Reaches(policy.ACROf(res.AMR), p.Policy.OfLogin(res.User, res.AMR, false, from.ClientID, "", from)) {
		return nil, p.Authn.NeedsFactor(r.Context(), res.User, from)
	}
	return res, nil
}

// giveForTicket stores the grant and the audit entry of the login.
func (p *Endpoint) giveForTicket(r *http.Request, t *tokens.Response, from policy.From) error {
	return p.Store.GiveGrant(r.Context(), store.Give{
		Grant: *t.Grant, Login: true,
		Entry: store.Entry{Actor: t.User.Name, Address: from.Address.String(), Agent: from.Agent, RequestID: from.RequestID, Detail: authn.MethodTicket},
		Check: func(now store.Standing) (err error) {
			if t.Client, err = standing.RegisteredNow(t.Client, &now); err != nil {
				return err
			}
			return errors.Join(standing.StillShown(t.Client, t.Grant), standing.StillBound(t.Client, t.JKT), standing.StillGranted(t.Client, t.Grant, &now))
		},
	})
}

// ticketRefused answers for a ticket that was no good, without a new challenge. The
// code tells a program what to do; the log has the rest.
func ticketRefused(r *http.Request, err error) error {
	var e *reason.Error
	if !errors.As(err, &e) {
		return err
	}
	info := web.InfoFrom(r.Context())
	info.User, info.Reason = e.Name, string(e.Reason)
	return protocol.ErrInvalidRequest().WithDescription("the ticket was refused: %s%s", e.Reason, hints[e.Reason]).WithParent(errors.New(e.Explain()))
}

// hints are what whoever showed a ticket can do about it.
var hints = map[reason.Code]string{
	reason.ClockSkew:    " (set the clock)",
	reason.Expired:      " (get a new one: kinit)",
	reason.Replay:       " (a token is good once: make a new one)",
	reason.NTLM:         " (this is no Kerberos: is there a ticket? kinit)",
	reason.NotFirst:     " (offer Kerberos alone)",
	reason.FactorNeeded: " (a ticket is not enough here: log in with a browser)",
}
