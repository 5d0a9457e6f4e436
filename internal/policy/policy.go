// Package policy is what a visitor is offered and must show, before they show anything:
// where a login begins, by where they come from; which level (acr) it has to reach, by
// who they turn out to be and what it is for; and which level what they showed (amr)
// reaches. Package authn checks what is shown.
package policy

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
)

// The steps of a login: where it begins, and where its person is asked whether the
// relying party may get what it wants. All take ?login= with the id of a login
// request.
const (
	PathNegotiate = "/login/negotiate"
	PathForm      = "/login"
	PathConsent   = "/consent"
	PathFactor    = "/factor" // a second factor, of whoever has shown the first or is logged in
)

// requestLifetime is how long a login request waits for its person.
const requestLifetime = 30 * time.Minute

// Policy decides which methods a client is offered.
type Policy struct {
	Store   *store.Store
	OfferTo []netip.Prefix
	Usable  func() error // nil when tickets can be checked now; the field nil: never
	Rules   Rules        // who must show how much
	Now     func() time.Time
}

// UsesTickets reports whether anybody is ever asked for a ticket here.
func (p *Policy) UsesTickets() bool { return p.Usable != nil }

// OffersTicket reports whether a client is asked for a ticket: it is inside the
// company, and there is a key to check tickets with.
func (p *Policy) OffersTicket(from From) bool {
	return p.UsesTickets() && Inside(p.OfferTo, from) && p.Usable() == nil
}

// WhyNoTicket tells the log why a client is not asked for a ticket; empty when it is.
func (p *Policy) WhyNoTicket(from From) string {
	switch {
	case p.Usable == nil:
		return "no ticket asked for: no kerberos section"
	case p.Usable() != nil:
		return "no ticket asked for: " + p.Usable().Error()
	case !Inside(p.OfferTo, from):
		return "no ticket asked for: the client is not in kerberos.offer_to, or came through an unknown proxy"
	default:
		return ""
	}
}

// Markers is what the browser cookie wants remembered.
type Markers struct{ SignedOut, NoTicket bool }

// FirstStep is the path of the first login step: Negotiate inside the company,
// else the form. A browser that signed out, wants no ticket, or must show that a
// person is there now (fresh) is never logged in silently.
func (p *Policy) FirstStep(from From, m Markers, fresh bool) string {
	if !m.SignedOut && !m.NoTicket && !fresh && p.OffersTicket(from) {
		return PathNegotiate
	}
	return PathForm
}

// Begin writes a login request and returns the path and query of its first step.
// The caller fills in what the request is for; id, times and address are set here.
// store.ErrTooMany when the address has too many pending ones.
func (p *Policy) Begin(ctx context.Context, row store.LoginRequest, from From, m Markers) (string, error) {
	return p.begin(ctx, row, from, p.FirstStep(from, m, row.Fresh))
}

// BeginConsent is Begin for whoever is logged in and is to be asked: the row says
// who, in which session, and what.
func (p *Policy) BeginConsent(ctx context.Context, row store.LoginRequest, from From) (string, error) {
	return p.begin(ctx, row, from, PathConsent)
}

// BeginStepUp is Begin for whoever is logged in and has not shown enough: the row
// says in ACR what is to be reached, and only what is missing is asked for.
func (p *Policy) BeginStepUp(ctx context.Context, row store.LoginRequest, from From) (string, error) {
	row.StepUp = true
	return p.begin(ctx, row, from, PathFactor)
}

// Required is the level that a login of a user must reach for a client (empty: a
// page of our own), from where it comes: what the rules demand and, if that is
// more, what the login request does (acr).
func (p *Policy) Required(u *store.User, clientID, acr string, from From) string {
	return Stronger(p.Rules.Required(u.Groups, clientID, from), acr)
}

// OfLogin is Required for a login that has shown its first factor, by the methods amr. Whoever has set up
// a second by their own choice (has) is asked for it behind a password, unless a rule
// says that one factor will do; a ticket, which nobody typed, asks for no more.
func (p *Policy) OfLogin(u *store.User, amr []string, has bool, clientID, acr string, from From) string {
	ruled, decided := p.Rules.decide(u.Groups, clientID, from)
	if has && !decided && slices.Contains(amr, AMRPassword) {
		ruled = ACRMultiFactor
	}
	return Stronger(ruled, acr)
}

// Enough reports whether a session has shown what the rules demand here and, where
// none is about it, what OfLogin does: a rule by which one factor will do for one site,
// or in one network, is none for the others.
func (p *Policy) Enough(s *store.Session, u *store.User, clientID string, from From) bool {
	return Reaches(s.ACR, p.OfSession(s, u, clientID, from))
}

// OfSession is the level that Enough wants of a session.
func (p *Policy) OfSession(s *store.Session, u *store.User, clientID string, from From) string {
	need, decided := p.Rules.decide(u.Groups, clientID, from)
	if s.HasFactor && !decided && slices.Contains(s.AMR, AMRPassword) {
		need = ACRMultiFactor
	}
	return need
}

func (p *Policy) begin(ctx context.Context, row store.LoginRequest, from From, step string) (string, error) {
	now := p.Now()
	row.ID = secret.ID()
	row.Address = Network(from.Address)
	row.CreatedAt, row.ExpiresAt = now.UnixMilli(), now.Add(requestLifetime).UnixMilli()
	if row.State == nil {
		row.State = []byte{}
	}
	if err := p.Store.CreateLoginRequest(ctx, row); err != nil {
		return "", err
	}
	return step + "?login=" + url.QueryEscape(row.ID), nil
}
