package account

import (
	"net/http"
	"net/url"

	"idp/internal/secret"
	"idp/internal/web"
)

// ServeRecovery answers GET /account/factors/recovery: make new recovery codes, or,
// behind ?made=, see those that were made a moment ago, for as long as they are the
// ones that count and the login is of a moment ago.
func (a *Account) ServeRecovery(w http.ResponseWriter, r *http.Request) error {
	v, have, err := a.changing(w, r)
	if err != nil || v == nil {
		return err
	}
	if !have.Any() {
		return web.Redirect(w, r, http.StatusSeeOther, PathFactors)
	}
	step := web.FactorStep{Action: pathRecovery, FormToken: a.Sessions.FormToken(v.browser, factorsPurpose), User: v.User.Name, StartURL: PathFactors}
	if made := r.URL.Query().Get("made"); made != "" {
		codes := a.codes(v, made)
		current, err := a.Factors.AreCurrent(r.Context(), v.User.ID, codes)
		if err != nil {
			return err
		}
		if current {
			return a.Pages.Render(w, r, http.StatusOK, "recoverycodes", web.RecoveryCodesPage{FactorStep: step, Codes: codes, Own: true})
		}
	}
	return a.Pages.Render(w, r, http.StatusOK, "securityrecovery", web.RecoveryPage{FactorStep: step, Left: have.Recovery})
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
