package login

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"idp/internal/authn"
	"idp/internal/policy"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// finish is where every login ends, whatever the method. One that has not shown
// enough for its user, the relying party and the place it comes from goes on to the
// next factor; else there is a session under a new
// cookie secret, the audit entry and the completed login request in one
// transaction, and the way back. The authorization endpoint, not this package,
// decides what the relying party gets.
func (l *Login) finish(w http.ResponseWriter, r *http.Request, a *attempt, res *authn.Result) error {
	info := web.InfoFrom(r.Context())
	info.User = res.User.Name
	if err := l.askDirectory(r, a, res); err != nil {
		return err
	}
	acr := policy.ACROf(res.AMR)
	need, err := l.required(r, a, res)
	if err != nil {
		return err
	}
	if !policy.Reaches(acr, need) {
		return l.hold(w, r, a, res, false)
	}
	how := cmp.Or(res.Method, info.Method)
	in := session.Login{
		User: res.User, AMR: res.AMR, ACR: acr, AuthTime: res.AuthTime, Until: res.Until, Principal: res.Principal,
		TicketEnd: res.TicketEnd, PasswordHash: res.PasswordHash, Upstream: res.Upstream, FactorID: res.FactorID, Continues: res.Continues,
		Remember: res.Remember && !slices.Contains(res.AMR, policy.AMRTicket), Account: res.Account,
		Address: a.from.Address.String(), Ticket: how == authn.MethodTicket, Method: methodOf(res),
		Entry: store.Entry{
			Actor: res.User.Name, UserID: res.User.ID, Name: res.User.Name, ClientID: a.from.ClientID,
			Address: a.from.Address.String(), Agent: a.from.Agent, RequestID: a.from.RequestID, Detail: joined(how, res.Second),
		},
	}
	target := "/account"
	if a.row != nil {
		in.LoginRequest = a.row.ID
		target = resumePath(a.row)
	}
	_, err = l.Sessions.Start(w, r, in)
	if errors.Is(err, store.ErrNotFound) {
		return web.LoginExpired(err)
	}
	if err != nil {
		return err
	}
	info.LoggedIn = true
	return web.Redirect(w, r, http.StatusSeeOther, target)
}

// joined is what the audit entry says of how somebody logged in: "form, code".
func joined(first, second string) string {
	if second == "" {
		return first
	}
	return first + ", " + second
}
