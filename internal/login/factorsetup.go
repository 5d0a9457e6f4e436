package login

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"idp/internal/authn"
	"idp/internal/factor"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// setUpFor is how long after a password was typed its session may be used to set up
// the first factor.
const setUpFor = 10 * time.Minute

// firstAppName is what an app is called that was set up on the way; its person can
// rename it.
const firstAppName = "Authenticator app"

// serveSetUp is for whoever must show a second factor and has none: they set one up
// here and now. Only whoever has just typed a password may: what a ticket, or a
// browser that was left alone, shows is not enough to make an account somebody's.
func (l *Login) serveSetUp(w http.ResponseWriter, r *http.Request, s *second) error {
	if s.need == policy.ACRPhishingResistant {
		return l.needsPasskey(w, r, s)
	}
	if !l.maySetUp(s) {
		return l.restart(w, r, s)
	}
	offer := l.offer(s)
	p, err := setupOf(offer)
	if err != nil {
		return err
	}
	p.FactorStep = l.step(r, s)
	return l.Pages.Render(w, r, http.StatusOK, "factorsetup", p)
}

// maySetUp reports whether what was shown is a person's own doing, of a moment ago: an
// upstream may have logged in whoever sat there in silence, and says when they acted.
func (l *Login) maySetUp(s *second) bool {
	silent := len(s.first.AMR) == 1 && slices.Contains(s.first.AMR, policy.AMRTicket)
	return !silent && l.Policy.Now().Sub(s.first.AuthTime) < setUpFor
}

// restart begins the login anew, with the form.
func (l *Login) restart(w http.ResponseWriter, r *http.Request, s *second) error {
	err := l.Store.RestartLoginRequest(r.Context(), s.row.ID, s.browser.Hash, string(reason.FactorSetup))
	if errors.Is(err, store.ErrNotFound) {
		return web.LoginExpired(err)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, formPath(s.row))
}

// offer is the secret that this login sets up: a reload shows it again.
func (l *Login) offer(s *second) factor.Offer {
	u := s.first.User
	return l.Factors.Offer(l.Name, u.Name, "login", s.row.ID, u.ID, strconv.FormatInt(u.UpdatedAt, 10))
}

// setUp keeps the app that the person has set up, when its first code is right, and
// goes on to their recovery codes.
func (l *Login) setUp(w http.ResponseWriter, r *http.Request, s *second) error {
	web.InfoFrom(r.Context()).Method = authn.MethodCode
	if s.have.Any() || s.need == policy.ACRPhishingResistant || !l.maySetUp(s) {
		return web.Redirect(w, r, http.StatusSeeOther, stepPath(policy.PathFactor, s.row)) // which says what is wanted
	}
	id, err := l.Factors.Add(r.Context(), factor.NewApp{Offer: l.offer(s), UserID: s.first.User.ID, Name: firstAppName,
		Code: secret.String(r.PostForm.Get("setup_code")), First: true, PasswordHash: s.first.PasswordHash, Entry: l.entry(s)})
	var refused *reason.Error
	switch {
	case errors.As(err, &refused):
		refused.Name = s.first.User.Name
		return l.failStep(w, r, s, "", refused)
	case errors.Is(err, store.ErrConflict): // set up in another tab, or by somebody else
		return web.Redirect(w, r, http.StatusSeeOther, stepPath(policy.PathFactor, s.row))
	case errors.Is(err, store.ErrNotFound):
		return web.LoginExpired(err)
	case err != nil:
		return err
	}
	res := *s.first
	res.AMR, res.FactorID, res.Second = policy.Combined(s.first.AMR, []string{policy.AMROneTime}), id, authn.MethodCode
	return l.WithNewCodes(w, r, s.attempt, &res)
}

// WithNewCodes gives whoever has just set up their first factor recovery codes, and
// holds the login until they have kept them.
func (l *Login) WithNewCodes(w http.ResponseWriter, r *http.Request, a *attempt, res *authn.Result) error {
	s := &second{attempt: a, first: res}
	if err := l.Factors.PutRecoveryCodes(r.Context(), res.User.ID, l.newCodes(s), l.entry(s)); err != nil {
		return err
	}
	return l.hold(w, r, a, res, true)
}

// newCodes are the codes that this login shows: a reload shows them again.
func (l *Login) newCodes(s *second) []string {
	return l.Factors.RecoveryCodes("login", s.row.ID, s.first.User.ID, s.first.FactorID)
}

func (l *Login) showNewCodes(w http.ResponseWriter, r *http.Request, s *second) error {
	return l.Pages.Render(w, r, http.StatusOK, "recoverycodes", web.RecoveryCodesPage{FactorStep: l.step(r, s), Codes: l.newCodes(s)})
}

// setupOf is what a page shows of an offer.
func setupOf(o factor.Offer) (web.FactorSetupPage, error) {
	q, err := o.QR()
	return web.FactorSetupPage{QR: q.Path, QRSize: q.Size, Key: o.Key(), URI: template.URL(o.URI())}, err //nolint:gosec // made by us
}
