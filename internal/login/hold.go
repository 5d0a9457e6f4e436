package login

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"

	"idp/internal/authn"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// required is the level that this login must reach, now that its user is known.
func (l *Login) required(r *http.Request, a *attempt, res *authn.Result) (string, error) {
	acr := ""
	if a.row != nil {
		acr = a.row.ACR
	}
	has := false
	if slices.Contains(res.AMR, policy.AMRPassword) { // who has typed no password is not asked by their own choice
		have, err := l.Factors.Of(r.Context(), res.User.ID)
		if err != nil {
			return "", err
		}
		has = have.Any()
	}
	return l.Policy.OfLogin(res.User, res.AMR, has, a.from.ClientID, acr, a.from), nil
}

// hold keeps what a login has shown so far in its request and sends the browser on to
// the next step. There is no session before the last. newCodes: recovery codes were
// made, which are shown first.
func (l *Login) hold(w http.ResponseWriter, r *http.Request, a *attempt, res *authn.Result, newCodes bool) error {
	info := web.InfoFrom(r.Context())
	if a.row == nil { // a program: it has no page to go on to
		return l.needsFactor(r, a, res)
	}
	p := store.Pending{UserID: res.User.ID, Method: cmp.Or(res.Method, info.Method), AMR: res.AMR, AuthTime: res.AuthTime.UnixMilli(),
		Principal: res.Principal, PasswordHash: res.PasswordHash, Upstream: res.Upstream, Remember: res.Remember, Account: res.Account,
		FactorID: res.FactorID, Second: res.Second, SessionID: res.Continues, NewCodes: newCodes}
	if !res.Until.IsZero() {
		p.Until = res.Until.UnixMilli()
	}
	if !res.TicketEnd.IsZero() {
		p.TicketEnd = res.TicketEnd.UnixMilli()
	}
	err := l.Store.HoldLoginRequest(r.Context(), a.row.ID, a.browser.Hash, p, l.Sessions.SetStep(w))
	if errors.Is(err, store.ErrNotFound) {
		return web.LoginExpired(err)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, stepPath(policy.PathFactor, a.row))
}

// needsFactor is the answer to a program whose credential is good and not enough.
func (l *Login) needsFactor(r *http.Request, a *attempt, res *authn.Result) error {
	err := l.Authn.NeedsFactor(r.Context(), res.User, a.from)
	var refused *reason.Error
	if !errors.As(err, &refused) {
		return err
	}
	logRefusal(web.InfoFrom(r.Context()), refused)
	return &web.Error{Status: http.StatusForbidden, Code: string(refused.Reason), Title: "A second factor is needed",
		Message: "The name and password, or the ticket, are good, but not enough here.", Hint: "Log in with a browser."}
}

// shown is what a login that goes on has shown so far: the first factor that its
// request holds, for the browser with the cookie of that step; or, where the request
// only wants more than the browser's session has shown, that session. Nil: nothing,
// and it begins at the beginning.
func (l *Login) shown(r *http.Request, a *attempt) (*authn.Result, error) {
	if a.row.Pending.UserID != "" {
		return l.pending(r, a)
	}
	if !a.row.StepUp || a.row.Fresh {
		return nil, nil //nolint:nilnil // nothing shown is an answer, not an error
	}
	c, err := l.current(r)
	if err != nil || c == nil || c.Session.AuthTime < a.row.MinAuthTime {
		return nil, err
	}
	return ofSession(c), nil
}

// ofSession is a session as the first factor of what is added to it. Its limits stay:
// it ends when it would have, however often something is added.
func ofSession(c *session.Current) *authn.Result {
	s := c.Session
	res := &authn.Result{User: c.User, AMR: s.AMR, AuthTime: time.UnixMilli(s.AuthTime), Until: time.UnixMilli(s.ExpiresAt),
		Principal: s.Principal, Upstream: s.Upstream, Continues: s.ID, Method: authn.MethodStepUp}
	if s.TicketEnd != 0 {
		res.TicketEnd = time.UnixMilli(s.TicketEnd)
	}
	return res
}

// pending is what the request holds. It counts only while all that was shown still
// does: the user is there, with the password that was typed, or the session that is
// to show more lives. Nil: it begins at the beginning, where the reason is found.
func (l *Login) pending(r *http.Request, a *attempt) (*authn.Result, error) {
	mine, err := l.Sessions.HasStep(r, a.row.StepHash)
	if err != nil || !mine {
		return nil, err
	}
	p := a.row.Pending
	u, err := l.Store.UserByID(r.Context(), p.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // nothing shown is an answer, not an error
	}
	if err != nil {
		return nil, err
	}
	lives, err := l.lives(r, p, u)
	if err != nil || !lives {
		return nil, err
	}
	res := &authn.Result{User: u, AMR: p.AMR, AuthTime: time.UnixMilli(p.AuthTime), Principal: p.Principal,
		PasswordHash: p.PasswordHash, Upstream: p.Upstream, Remember: p.Remember, Account: p.Account,
		FactorID: p.FactorID, Second: p.Second, Continues: p.SessionID, Method: p.Method}
	if p.TicketEnd != 0 {
		res.TicketEnd = time.UnixMilli(p.TicketEnd)
	}
	if p.Until != 0 {
		res.Until = time.UnixMilli(p.Until)
	}
	return res, nil
}

func (l *Login) lives(r *http.Request, p store.Pending, u *store.User) (bool, error) {
	switch {
	case u.Disabled || (p.PasswordHash != "" && p.PasswordHash != u.PasswordHash) || (p.Until != 0 && p.Until <= l.Policy.Now().UnixMilli()):
		return false, nil
	case p.SessionID == "":
		return true, nil
	}
	c, err := l.current(r)
	return c != nil && c.Session.ID == p.SessionID && c.User.ID == u.ID, err
}
