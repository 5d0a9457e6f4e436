package visitor

import (
	"errors"
	"net/http"

	"idp/internal/authn"
	"idp/internal/policy"
	"idp/internal/store"
	"idp/internal/web"
)

// Leg checks one token of Negotiate. What the next one needs is kept in the login request
// (KeepLeg), so that any node can go on; without one (row is nil) the first must be enough.
func Leg(r *http.Request, a *authn.Authn, row *store.LoginRequest, token []byte, from policy.From) (*authn.Result, *authn.Continuation, error) {
	if row == nil {
		res, err := a.Ticket(r.Context(), token, from)
		return res, nil, err
	}
	return a.TicketLeg(r.Context(), token, row.State, from)
}

// KeepLeg puts the state of an exchange in place of that of the leg before.
func KeepLeg(r *http.Request, st *store.Store, row *store.LoginRequest, state []byte) error {
	err := st.ContinueLoginRequest(r.Context(), row.ID, row.State, state)
	if errors.Is(err, store.ErrNotFound) {
		return web.LoginExpired(err)
	}
	return err
}
