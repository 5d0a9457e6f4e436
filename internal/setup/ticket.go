package setup

import (
	"errors"
	"net/http"
	"strings"

	"idp/internal/authn"
	"idp/internal/kerberos"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/visitor"
	"idp/internal/web"
)

// ServeTest answers GET /setup/test: would this browser log in silently?
// The challenge is Negotiate alone, so that nobody is prompted, and its body is
// what a browser shows that sends no ticket. A ticket is checked as a login's is,
// replay and audit of refusals included, and no session comes of it. As at
// /login/negotiate, a request that carries credentials is never challenged again.
func (s *Setup) ServeTest(w http.ResponseWriter, r *http.Request) error {
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	a, err := s.begin(w, r)
	if err != nil {
		return err
	}
	info := web.InfoFrom(r.Context())
	info.Method = authn.MethodTest
	info.Detail = s.Policy.WhyNoTicket(a.from)
	switch {
	case !s.Policy.UsesTickets():
		return s.page(w, r, http.StatusOK, web.SetupPage{Outcome: outcomeNone})
	case !policy.Inside(s.Policy.OfferTo, a.from): // before anything is told of the server
		return s.page(w, r, http.StatusOK, s.fromOutside(info))
	case !s.Policy.OffersTicket(a.from):
		return s.page(w, r, http.StatusOK, web.SetupPage{Outcome: outcomeUnready, Text: s.unready()})
	case a.row == nil && web.FromBrowser(r) && !r.URL.Query().Has("login"):
		return s.request(w, r, a)
	}
	scheme, value, ok := web.Authorization(r.Header)
	switch {
	case !ok:
		return s.refused(w, r, s.Authn.Refuse(r.Context(), a.from, "", reason.TokenTooBig, web.HeaderTooLong))
	case scheme == "":
		w.Header().Set("WWW-Authenticate", "Negotiate")
		return s.page(w, r, http.StatusUnauthorized, web.SetupPage{Outcome: outcomeNo, Causes: s.causes(r, false)})
	}
	token, ok := web.NegotiateToken(value)
	if !ok || scheme != web.SchemeNegotiate { // a password is not looked at here
		return s.refused(w, r, s.Authn.Refuse(r.Context(), a.from, "", reason.Malformed, "not a token of Negotiate"))
	}
	return s.ticket(w, r, a, token)
}

// attempt is one step of one browser's test.
type attempt struct {
	browser *session.Browser
	row     *store.LoginRequest // nil: a program, or a browser that keeps no cookies
	from    policy.From
}

// begin reads the browser and its login request. One that is over is none: the test
// goes on without, and whoever keeps no cookies is not sent around in circles.
func (s *Setup) begin(w http.ResponseWriter, r *http.Request) (*attempt, error) {
	b, err := s.Sessions.Browser(w, r)
	if err != nil {
		return nil, err
	}
	a := &attempt{browser: b, from: visitor.At(r, "")}
	id := r.URL.Query().Get("login")
	if id == "" {
		return a, nil
	}
	row, err := s.Store.LoginRequest(r.Context(), id, b.Hash)
	if errors.Is(err, store.ErrNotFound) {
		return a, nil
	}
	if err != nil {
		return nil, err
	}
	a.row, a.from.ClientID, web.InfoFrom(r.Context()).ClientID = row, row.ClientID, row.ClientID
	return a, nil
}

// request gives a browser a login request for its test, which keeps what a
// client that offers another mechanism first, as Windows does, needs between its
// tokens. Who logs in with it gets to the set-up page.
func (s *Setup) request(w http.ResponseWriter, r *http.Request, a *attempt) error {
	row := store.LoginRequest{BrowserHash: a.browser.Hash, ReturnTo: pathPage}
	target, err := s.Policy.Begin(r.Context(), row, a.from, policy.Markers{})
	if errors.Is(err, store.ErrTooMany) {
		return web.TooManyRequests(err)
	}
	if err != nil {
		return err
	}
	_, query, _ := strings.Cut(target, "?")
	return web.Redirect(w, r, http.StatusSeeOther, pathTest+"?"+query)
}

// ticket checks one token of the browser.
func (s *Setup) ticket(w http.ResponseWriter, r *http.Request, a *attempt, token []byte) error {
	res, next, err := visitor.Leg(r, s.Authn, a.row, token, a.from)
	if err != nil {
		return s.refused(w, r, err)
	}
	if next != nil {
		if err := visitor.KeepLeg(r, s.Store, a.row, next.State); err != nil {
			return err
		}
		web.SendNegotiate(w, next.Reply)
		return s.page(w, r, http.StatusUnauthorized, web.SetupPage{Outcome: outcomeNo, Causes: s.causes(r, false)})
	}
	if a.row != nil && len(a.row.State) > 0 { // what was begun is over
		if err := visitor.KeepLeg(r, s.Store, a.row, []byte{}); err != nil {
			return err
		}
	}
	web.SendNegotiate(w, res.Reply) // mutual authentication: RFC 4559 §5
	web.InfoFrom(r.Context()).User = res.User.Name
	return s.page(w, r, http.StatusOK, web.SetupPage{
		Outcome: outcomeYes, Principal: res.Principal, Name: res.User.Name, Mechanism: mechanisms[res.Mechanism],
		Since: res.AuthTime, Until: res.Until, SignedOut: a.browser.SignedOut, NoTicket: a.browser.NoTicket,
	})
}

// mechanisms are the ways a ticket comes, in words.
var mechanisms = map[kerberos.Mechanism]string{
	kerberos.MechanismSPNEGO:   "Kerberos, by SPNEGO",
	kerberos.MechanismKerberos: "Kerberos, without SPNEGO",
}

// refused answers credentials that were no good: a bare 401.
func (s *Setup) refused(w http.ResponseWriter, r *http.Request, err error) error {
	var e *reason.Error
	if !errors.As(err, &e) {
		return err
	}
	info := web.InfoFrom(r.Context())
	info.Reason, info.Detail, info.User = string(e.Reason), e.Explain(), e.Name
	if !web.FromBrowser(r) { // as at /login/negotiate
		web.SendNegotiate(w, e.Reply)
	}
	p := web.SetupPage{Outcome: outcomeRefused, Text: s.refusalText(e.Reason), Code: string(e.Reason)}
	if e.Reason == reason.NTLM || e.Reason == reason.NegoexOnly {
		p.Causes = s.causes(r, true)
	}
	return s.page(w, r, http.StatusUnauthorized, p)
}
