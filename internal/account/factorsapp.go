package account

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"idp/internal/factor"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// ServeApp answers GET /account/factors/app: set up an app that makes codes.
func (a *Account) ServeApp(w http.ResponseWriter, r *http.Request) error {
	v, _, err := a.changing(w, r)
	if err != nil || v == nil {
		return err
	}
	p, err := setupOf(a.offer(v))
	if err != nil {
		return err
	}
	info := web.InfoFrom(r.Context())
	p.FactorStep = web.FactorStep{Action: pathApp, FormToken: a.Sessions.FormToken(v.browser, factorsPurpose), User: v.User.Name, StartURL: PathFactors,
		Reference: web.Reference(info, a.Policy.Now())}
	p.Name = cmp.Or(r.URL.Query().Get("name"), newAppName)
	if r.URL.Query().Has("wrong") {
		p.Notice = &web.Notice{Kind: "error", Title: "The code is wrong", Text: "Check it and try again. Codes change every half minute.",
			Hint: "If codes are wrong again and again, have your phone set its clock by itself."}
	}
	return a.Pages.Render(w, r, http.StatusOK, "factorsetup", p)
}

// offer is the secret that the page sets up: a reload shows it again, and it is another
// one when anything about the user has changed, this very factor included.
func (a *Account) offer(v *visit) factor.Offer {
	return a.Factors.Offer(a.Name, v.User.Name, "account", v.Session.ID, v.User.ID, strconv.FormatInt(v.User.UpdatedAt, 10))
}

// ServeAppSubmit answers POST /account/factors/app. The first factor brings recovery
// codes along.
func (a *Account) ServeAppSubmit(w http.ResponseWriter, r *http.Request) error {
	v, have, err := a.submitted(w, r)
	if err != nil || v == nil {
		return err
	}
	name := cmp.Or(nameOf(r), newAppName)
	_, err = a.Factors.Add(r.Context(), factor.NewApp{Offer: a.offer(v), UserID: v.User.ID, Name: name,
		Code: secret.String(r.PostForm.Get("setup_code")), First: !have.Any(), Entry: v.entry()})
	var refused *reason.Error
	switch {
	case errors.As(err, &refused):
		info := web.InfoFrom(r.Context())
		info.Reason, info.Detail = string(refused.Reason), refused.Explain()
		return web.Redirect(w, r, http.StatusSeeOther, pathApp+"?"+url.Values{"wrong": {"1"}, "name": {name}}.Encode())
	case errors.Is(err, store.ErrConflict): // the first was set up meanwhile: what was shown is not enough any more
		return web.Redirect(w, r, http.StatusSeeOther, pathApp)
	case errors.Is(err, store.ErrTooMany):
		return tooManyFactors()
	case err != nil:
		return err
	}
	if have.Recovery > 0 {
		return a.sendBack(w, r, v, PathFactors, "added")
	}
	return a.newRecoveryCodes(w, r, v)
}

func tooManyFactors() error {
	return &web.Error{Status: http.StatusConflict, Code: "TOO_MANY_FACTORS", Title: "You have many already",
		Message: "Remove what you do not use any more, then set up a new one.", Links: []web.Link{{Text: "Back", URL: PathFactors}}}
}
