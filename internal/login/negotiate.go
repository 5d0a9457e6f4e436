package login

import (
	"cmp"
	"errors"
	"net/http"

	"idp/internal/authn"
	"idp/internal/kerberos"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/visitor"
	"idp/internal/web"
)

// ServeNegotiate answers GET /login/negotiate: RFC 4559 (Negotiate) and RFC 7617
// (Basic), one switch on the scheme. A request without credentials is challenged,
// if it is a page that somebody opens; one with them is never challenged again,
// with the page as the body of a bare 401 when they were refused, because after
// any other answer browsers keep a wrong password and send it for ever.
func (l *Login) ServeNegotiate(w http.ResponseWriter, r *http.Request) error {
	a, err := l.begin(w, r, r.URL.Query().Get("login"))
	if err != nil {
		return err
	}
	if a.row == nil && web.FromBrowser(r) {
		return l.startAgain(w, r, a)
	}
	if !l.offered(a) {
		info := web.InfoFrom(r.Context())
		info.Detail = l.whyNot(a)
		if l.Policy.Usable != nil {
			info.Reason = string(reason.Of(l.Policy.Usable())) // NO_KEYTAB, say, is found by it
		}
		return web.Redirect(w, r, http.StatusSeeOther, formPath(a.row))
	}
	scheme, value, ok := web.Authorization(r.Header)
	if !ok {
		return l.malformed(w, r, a, reason.TokenTooBig, web.HeaderTooLong)
	}
	switch scheme {
	case "":
		return l.challenge(w, r, a, l.Kerberos.PromptRealm())
	case web.SchemeNegotiate:
		return l.ticket(w, r, a, value)
	case web.SchemeBasic:
		return l.basic(w, r, a, value)
	default:
		return l.malformed(w, r, a, reason.MalformedInput, "unknown authorization scheme")
	}
}

// startAgain gives a browser that came without a login request one, and sends it
// on by an address without a name and password in it. Whoever made the link that
// it followed can thus neither choose who is logged in, nor use a ticket of
// somebody who signed out.
func (l *Login) startAgain(w http.ResponseWriter, r *http.Request, a *attempt) error {
	target, err := l.accountRequest(r, a, policy.Markers{SignedOut: a.browser.SignedOut, NoTicket: a.browser.NoTicket}, "", "")
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, target)
}

// whyNot tells the log why no ticket is asked for.
func (l *Login) whyNot(a *attempt) string {
	return cmp.Or(l.Policy.WhyNoTicket(a.from), "no ticket asked for: the site wants the person to act now")
}

// offered: a ticket may be asked for here, and the login request does not demand
// that a person acts now.
func (l *Login) offered(a *attempt) bool {
	return l.Policy.OffersTicket(a.from) && (a.row == nil || !a.row.Fresh)
}

// challenge asks for credentials, with the whole login page as the body for whoever
// has none or cancels the prompt.
func (l *Login) challenge(w http.ResponseWriter, r *http.Request, a *attempt, realm string) error {
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	h := w.Header()
	h.Add("WWW-Authenticate", "Negotiate")
	if l.Kerberos.Fallback == kerberos.FallbackBasic {
		// A header line of its own: Chromium takes no ticket from a joined one.
		h.Add("WWW-Authenticate", `Basic realm="`+realm+`", charset="UTF-8"`)
	}
	web.InfoFrom(r.Context()).Method = authn.MethodChallenge
	return l.page(w, r, http.StatusUnauthorized, a, "")
}

// ticket answers Negotiate.
func (l *Login) ticket(w http.ResponseWriter, r *http.Request, a *attempt, value string) error {
	web.InfoFrom(r.Context()).Method = authn.MethodTicket
	token, ok := web.NegotiateToken(value)
	if !ok {
		return l.malformed(w, r, a, reason.Malformed, "the token is not base64")
	}
	res, next, err := visitor.Leg(r, l.Authn, a.row, token, a.from)
	switch {
	case err != nil:
		return l.refused(w, r, a, err)
	case next != nil:
		return l.proceed(w, r, a, next)
	}
	if a.row != nil && len(a.row.State) > 0 { // what the last leg needed is good once
		if err := visitor.KeepLeg(r, l.Store, a.row, []byte{}); err != nil {
			return err
		}
	}
	if a.row != nil && res.AuthTime.UnixMilli() < a.row.MinAuthTime {
		return l.tooOld(w, r, a)
	}
	web.SendNegotiate(w, res.Reply) // mutual authentication: RFC 4559 §5
	return l.finish(w, r, a, res)
}

// proceed asks for the next token of an exchange. It is no new challenge: nothing
// but the token is offered, and the page is there for whoever has none.
func (l *Login) proceed(w http.ResponseWriter, r *http.Request, a *attempt, next *authn.Continuation) error {
	web.InfoFrom(r.Context()).Method = authn.MethodContinuation
	if err := visitor.KeepLeg(r, l.Store, a.row, next.State); err != nil {
		return err
	}
	web.SendNegotiate(w, next.Reply)
	return l.page(w, r, http.StatusUnauthorized, a, "")
}

// tooOld: the ticket is good, but nobody has typed a password since max_age.
func (l *Login) tooOld(w http.ResponseWriter, r *http.Request, a *attempt) error {
	web.InfoFrom(r.Context()).Reason = string(reason.TicketOld)
	if err := l.Store.FailLoginRequest(r.Context(), a.row.ID, string(reason.TicketOld), reference(r), ""); err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, formPath(a.row))
}

// malformed refuses what is no credential at all.
func (l *Login) malformed(w http.ResponseWriter, r *http.Request, a *attempt, code reason.Code, detail string) error {
	if info := web.InfoFrom(r.Context()); info.Method == "" {
		info.Method = authn.MethodUnknown
	}
	return l.refused(w, r, a, l.Authn.Refuse(r.Context(), a.from, "", code, detail))
}

// refused answers a credential that was no good: a 401 without a challenge, the
// page with the reason as its body. Other trouble is passed on. A program gets the
// token that tells its library why; a browser none, for a header would keep it
// from showing the page and from forgetting a wrong password.
func (l *Login) refused(w http.ResponseWriter, r *http.Request, a *attempt, err error) error {
	var e *reason.Error
	if !errors.As(err, &e) {
		return err
	}
	info := web.InfoFrom(r.Context())
	logRefusal(info, e)
	if info.Method == authn.MethodBasic {
		a.typed = e.Name
	}
	status := http.StatusUnauthorized
	if e.Reason == reason.Busy {
		w.Header().Set("Retry-After", "3")
	}
	if !web.FromBrowser(r) {
		web.SendNegotiate(w, e.Reply)
		if e.Reason == reason.Busy {
			status = http.StatusServiceUnavailable
		}
	}
	return l.page(w, r, status, a, e.Reason)
}
