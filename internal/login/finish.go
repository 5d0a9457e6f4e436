package login

import (
	"errors"
	"net/http"

	"idp/internal/authn"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// finish is where every login ends, whatever the method: a session under a new
// cookie secret, the audit entry and the completed login request in one
// transaction, and the way back. The authorization endpoint, not this package,
// decides what the relying party gets.
func (l *Login) finish(w http.ResponseWriter, r *http.Request, a *attempt, res *authn.Result) error {
	info := web.InfoFrom(r.Context())
	info.User = res.User.Name
	in := session.Login{
		User: res.User, AMR: res.AMR, ACR: res.ACR, AuthTime: res.AuthTime, Until: res.Until, Principal: res.Principal,
		Address: a.from.Address.String(), Ticket: info.Method == methodTicket,
		Entry: store.Entry{
			Actor: res.User.Name, UserID: res.User.ID, Name: res.User.Name, ClientID: a.from.ClientID,
			Address: a.from.Address.String(), RequestID: a.from.RequestID, Detail: info.Method,
		},
	}
	target := "/account"
	if a.row != nil {
		in.LoginRequest = a.row.ID
		target = resumePath(a.row)
	}
	_, err := l.Sessions.Start(w, r, in)
	if errors.Is(err, store.ErrNotFound) {
		return web.LoginExpired(err)
	}
	if err != nil {
		return err
	}
	info.LoggedIn = true
	return web.Redirect(w, r, http.StatusSeeOther, target)
}
