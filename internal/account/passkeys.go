package account

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"idp/internal/factor"
	"idp/internal/reason"
	"idp/internal/store"
	"idp/internal/web"
)

const (
	pathPasskey    = PathFactors + "/passkey"
	newPasskeyName = "Passkey"
)

// asked is what the page asks the browser for: a new passkey of this user, for this
// session.
func asked(v *visit) factor.Asked {
	return factor.Asked{For: factor.ToRegister, Browser: v.browser.Hash, At: v.Session.ID, UserID: v.User.ID}
}

// passkeyURL is where one is made; empty: nowhere.
func (a *Account) passkeyURL() string {
	if a.Passkeys == nil {
		return ""
	}
	return pathPasskey
}

// ServePasskey answers GET /account/factors/passkey: make a passkey.
func (a *Account) ServePasskey(w http.ResponseWriter, r *http.Request) error {
	if a.Passkeys == nil {
		return a.Pages.ServeNotFound(w, r)
	}
	v, have, err := a.changing(w, r)
	if err != nil || v == nil {
		return err
	}
	options, err := a.Passkeys.AskNew(asked(v), v.User, have.All, false)
	if err != nil {
		return err
	}
	info := web.InfoFrom(r.Context())
	token := a.Sessions.FormToken(v.browser, factorsPurpose)
	return a.Pages.Render(w, r, http.StatusOK, "securitypasskey", web.NewPasskeyPage{
		FactorStep: web.FactorStep{User: v.User.Name, StartURL: PathFactors, Reference: web.Reference(info, a.Policy.Now()), Notice: whyNot(r.URL.Query().Get("wrong"))},
		Passkey: &web.PasskeyForm{Action: pathPasskey, FormToken: token, Options: options, New: true, First: true, Needed: true, Names: true,
			Name: cmp.Or(r.URL.Query().Get("name"), newPasskeyName)},
	})
}

// whyNot is what the page says of the attempt before this one.
func whyNot(wrong string) *web.Notice {
	switch wrong {
	case "":
		return nil
	case "exists":
		return &web.Notice{Kind: "error", Title: "This passkey is in use already", Text: "It is set up for an account here.", Hint: "Use another device, or another security key."}
	case "late":
		return &web.Notice{Kind: "info", Title: "This page was open for too long", Hint: "Try again."}
	}
	return &web.Notice{Kind: "error", Title: "The passkey was not accepted", Text: "Your browser did not make it as this page had asked.",
		Hint: "Try again, or use another browser or security key."}
}

// ServePasskeySubmit answers POST /account/factors/passkey: what the browser has made.
// The first factor brings recovery codes along.
func (a *Account) ServePasskeySubmit(w http.ResponseWriter, r *http.Request) error {
	if a.Passkeys == nil {
		return a.Pages.ServeNotFound(w, r)
	}
	v, have, err := a.submitted(w, r)
	if err != nil || v == nil {
		return err
	}
	name := cmp.Or(nameOf(r), newPasskeyName)
	made, err := a.Passkeys.Registration(r.Context(), asked(v), false, r.PostForm.Get("new_passkey"))
	if err == nil {
		made.Factor.Name = name
		err = a.Store.AddFactor(r.Context(), store.NewFactor{Factor: made.Factor, First: !have.Any(), Entry: v.entry()})
	}
	again := func(why string) error {
		return web.Redirect(w, r, http.StatusSeeOther, pathPasskey+"?"+url.Values{"wrong": {why}, "name": {name}}.Encode())
	}
	var refused *reason.Error
	switch {
	case errors.As(err, &refused):
		info := web.InfoFrom(r.Context())
		info.Reason, info.Detail = string(refused.Reason), refused.Explain()
		if refused.Reason == reason.PasskeyTooLate {
			return again("late")
		}
		return again("refused")
	case errors.Is(err, store.ErrConflict): // somebody's, or the first was set up meanwhile
		return again("exists")
	case errors.Is(err, store.ErrTooMany):
		return tooManyFactors()
	case err != nil:
		return err
	}
	if have.Recovery > 0 {
		return a.sendBack(w, r, v, PathFactors, "passkey")
	}
	return a.newRecoveryCodes(w, r, v)
}

// passkeyKind says what a passkey is good for.
func passkeyKind(f *store.Factor) string {
	k, err := factor.PasskeyOf(f)
	switch {
	case err != nil:
		return "Passkey"
	case k.BackedUp:
		return "Passkey, kept by your password manager for all your devices"
	case !k.Alone:
		return "Security key, beside your password"
	}
	return "Passkey, on one device only"
}
