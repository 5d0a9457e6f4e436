package account

import (
	"net/http"
	"net/url"

	"idp/internal/secret"
	"idp/internal/web"
)

// ServeRecovery answers GET /account/factors/recovery: make new recovery codes.
func (a *Account) ServeRecovery(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Has("made") {
		return a.showRecovery(w, r)
	}
	v, have, err := a.changing(w, r)
	if err != nil || v == nil {
		return err
	}
	if !have.Any() {
		return web.Redirect(w, r, http.StatusSeeOther, PathFactors)
	}
	return a.Pages.Render(w, r, http.StatusOK, "securityrecovery", web.RecoveryPage{FactorStep: a.recoveryStep(v), Left: have.Recovery})
}

func (a *Account) recoveryStep(v *visit) web.FactorStep {
	return web.FactorStep{Action: pathRecovery, FormToken: a.Sessions.FormToken(v.browser, factorsPurpose), User: v.User.Name, StartURL: PathFactors}
}

// showRecovery shows the codes that this session has just made, by ?made=, which only
// our redirect knows: for as long as they are the ones that count, and the login is of
// a moment ago. Whoever has set up their first app has shown no more than that yet.
func (a *Account) showRecovery(w http.ResponseWriter, r *http.Request) error {
	v, err := a.confirmed(w, r, "")
	if err != nil || v == nil {
		return err
	}
	codes := a.codes(v, r.URL.Query().Get("made"))
	current, err := a.Factors.AreCurrent(r.Context(), v.User.ID, codes)
	if err != nil {
		return err
	}
	if !current {
		return web.Redirect(w, r, http.StatusSeeOther, pathRecovery)
	}
	return a.Pages.Render(w, r, http.StatusOK, "recoverycodes", web.RecoveryCodesPage{FactorStep: a.recoveryStep(v), Codes: codes, Own: true})
}

// ServeRecoverySubmit answers POST /account/factors/recovery.
func (a *Account) ServeRecoverySubmit(w http.ResponseWriter, r *http.Request) error {
	v, have, err := a.submitted(w, r)
	if err != nil || v == nil {
		return err
	}
	if !have.Any() {
		return web.Redirect(w, r, http.StatusSeeOther, PathFactors)
	}
	return a.newRecoveryCodes(w, r, v)
}

func (a *Account) newRecoveryCodes(w http.ResponseWriter, r *http.Request, v *visit) error {
	made := secret.ID()
	if err := a.Factors.PutRecoveryCodes(r.Context(), v.User.ID, a.codes(v, made), v.entry()); err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, pathRecovery+"?"+url.Values{"made": {made}}.Encode())
}

// codes are those of one page of one session.
func (a *Account) codes(v *visit, made string) []string {
	return a.Factors.RecoveryCodes("account", v.Session.ID, v.User.ID, made)
}
