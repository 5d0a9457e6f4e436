package login

import (
	"errors"
	"net/http"
	"time"

	"idp/internal/authn"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// required is the level that this login must reach, now that its user is known.
func (l *Login) required(a *attempt, u *store.User) string {
	acr := ""
	if a.row != nil {
		acr = a.row.ACR
	}
	return l.Policy.Required(u, a.from.ClientID, acr, a.from)
}

// hold keeps the first factor of a login in its request and sends the browser on to
// the second. There is no session before it.
func (l *Login) hold(w http.ResponseWriter, r *http.Request, a *attempt, res *authn.Result) error {
	if a.row == nil { // a program: it has no page to go on to
		return &web.Error{Status: http.StatusForbidden, Code: "FACTOR_NEEDED", Title: "A second factor is needed",
			Message: "The name and password, or the ticket, are good, but not enough here.", Hint: "Log in with a browser."}
	}
	p := store.Pending{UserID: res.User.ID, Method: web.InfoFrom(r.Context()).Method, AMR: res.AMR, AuthTime: res.AuthTime.UnixMilli(),
		Principal: res.Principal, PasswordHash: res.PasswordHash, Upstream: res.Upstream}
	if !res.Until.IsZero() {
		p.Until = res.Until.UnixMilli()
	}
	err := l.Store.HoldLoginRequest(r.Context(), a.row.ID, a.browser.Hash, p, l.Sessions.SetStep(w))
	if errors.Is(err, store.ErrNotFound) {
		return web.LoginExpired(err)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, stepPath(authn.PathFactor, a.row))
}

// shown is what a login that goes on has shown so far: the first factor that its
// request holds, for the browser with the cookie of that step; or, where the request
// only wants more than the browser's session has shown, that session. Nil: nothing,
// and it begins at the beginning.
func (l *Login) shown(r *http.Request, a *attempt) (*authn.Result, error) {
	if a.row.Pending.UserID != "" {
		return l.pending(r, a)
	}
	if a.row.Fresh {
		return nil, nil //nolint:nilnil // nothing shown is an answer, not an error
	}
	c, err := l.current(r)
	if err != nil || c == nil || c.Session.AuthTime < a.row.MinAuthTime {
		return nil, err
	}
	return ofSession(c), nil
}

// ofSession is a session as the first factor of what is added to it. What comes of
// it ends when the session would have.
func ofSession(c *session.Current) *authn.Result {
	s := c.Session
	return &authn.Result{User: c.User, AMR: s.AMR, AuthTime: time.UnixMilli(s.AuthTime), Until: time.UnixMilli(s.ExpiresAt),
		Principal: s.Principal, Upstream: s.Upstream}
}

func (l *Login) pending(r *http.Request, a *attempt) (*authn.Result, error) {
	mine, err := l.Sessions.HasStep(r, a.row.StepHash)
	if err != nil || !mine {
		return nil, err
	}
	p := a.row.Pending
	u, err := l.Store.UserByID(r.Context(), p.UserID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && u.Disabled) {
		return nil, nil //nolint:nilnil // it begins at the beginning, where the reason is found
	}
	if err != nil {
		return nil, err
	}
	res := &authn.Result{User: u, AMR: p.AMR, AuthTime: time.UnixMilli(p.AuthTime), Principal: p.Principal,
		PasswordHash: p.PasswordHash, Upstream: p.Upstream}
	if p.Until != 0 {
		res.Until = time.UnixMilli(p.Until)
	}
	return res, nil
}
