package login

import (
	"errors"
	"net/http"

	"idp/internal/authn"
	"idp/internal/factor"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/store"
	"idp/internal/web"
)

// firstPasskeyName is what a passkey is called that was made on the way; its person
// can rename it.
const firstPasskeyName = "Passkey"

// needsPasskey is for whoever has shown all that they have, where only a passkey will
// do, and has none: they make one here and now, if what they have shown is their own
// doing of a moment ago.
func (l *Login) needsPasskey(w http.ResponseWriter, r *http.Request, s *second) error {
	p := web.FactorPage{FactorStep: l.step(r, s), NeedsPasskey: true}
	if l.Passkeys != nil {
		if !l.maySetUp(s) {
			return l.restart(w, r, s)
		}
		options, err := l.Passkeys.AskNew(askedOf(s, factor.ToRegister), s.first.User, s.have.All, true)
		if err != nil {
			return err
		}
		p.Passkey = &web.PasskeyForm{Action: p.Action, FormToken: p.FormToken, LoginID: p.LoginID, Options: options, New: true, First: true, Needed: true}
	}
	return l.Pages.Render(w, r, http.StatusOK, "factor", p)
}

// mayMakePasskey: a passkey is wanted, the person has none, and has shown all else.
func (l *Login) mayMakePasskey(s *second) bool {
	shown := !s.have.Any() || policy.Reaches(policy.ACROf(s.first.AMR), policy.ACRMultiFactor)
	return l.Passkeys != nil && s.verified() && !s.have.Passkeys && shown && l.maySetUp(s)
}

// makePasskey keeps the passkey that the person has made. It counts as shown: the
// authenticator has made sure of its person a moment ago, for this very request, and
// a second question would prove no more, for the key is as new as the answer to it.
func (l *Login) makePasskey(w http.ResponseWriter, r *http.Request, s *second) error {
	web.InfoFrom(r.Context()).Method = authn.MethodPasskey
	if !l.mayMakePasskey(s) {
		return web.Redirect(w, r, http.StatusSeeOther, stepPath(policy.PathFactor, s.row)) // which says what is wanted
	}
	made, err := l.Passkeys.Registration(r.Context(), askedOf(s, factor.ToRegister), true, r.PostForm.Get("new_passkey"))
	if err == nil {
		made.Factor.Name = firstPasskeyName
		err = l.Store.AddFactor(r.Context(), store.NewFactor{Factor: made.Factor, First: !s.have.Any(), PasswordHash: s.first.PasswordHash, Entry: l.entry(s)})
	}
	var refused *reason.Error
	switch {
	case errors.As(err, &refused):
		refused.Name = s.first.User.Name
		return l.failStep(w, r, s, "", refused)
	case errors.Is(err, store.ErrConflict): // made in another tab, or a passkey of somebody else
		return web.Redirect(w, r, http.StatusSeeOther, stepPath(policy.PathFactor, s.row))
	case errors.Is(err, store.ErrNotFound):
		return web.LoginExpired(err)
	case err != nil:
		return err
	}
	res := *s.first
	res.AMR, res.FactorID, res.Second = policy.Combined(s.first.AMR, []string{policy.AMRPasskey, policy.AMRUserVerified}), made.Factor.ID, authn.MethodPasskey
	if s.have.Any() {
		return l.finish(w, r, s.attempt, &res)
	}
	return l.WithNewCodes(w, r, s.attempt, &res)
}
