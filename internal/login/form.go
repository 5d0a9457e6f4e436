package login

import (
	"errors"
	"net/http"

	"idp/internal/authn"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/web"
)

// formPurpose is what the login form's token is good for.
const formPurpose = "login"

// ServeForm answers GET /login with the form.
func (l *Login) ServeForm(w http.ResponseWriter, r *http.Request) error {
	a, err := l.begin(w, r, r.URL.Query().Get("login"))
	if err != nil {
		return err
	}
	if a.row == nil {
		return l.startHere(w, r, a)
	}
	code := reason.Code(a.row.Reason)
	if wantsAnother(r, a) {
		code, a.row.Username = "", "" // what went wrong was somebody else's
	}
	return l.page(w, r, http.StatusOK, a, code)
}

// startHere is for people who open /login by itself: logged in they see their
// account, else the form with a login request that leads there.
func (l *Login) startHere(w http.ResponseWriter, r *http.Request, a *attempt) error {
	current, err := l.current(r)
	if err != nil {
		return err
	}
	if current != nil {
		return web.Redirect(w, r, http.StatusSeeOther, "/account")
	}
	target, err := l.accountRequest(r, a, policy.Markers{SignedOut: true}, "", "") // the form was asked for
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, target)
}

// ServeSubmit answers POST /login: the form, or the wish for no company ticket.
func (l *Login) ServeSubmit(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	a, err := l.begin(w, r, r.PostForm.Get("login"))
	if err != nil {
		return err
	}
	if !l.Sessions.CheckFormToken(a.browser, formPurpose, r.PostForm.Get("form_token")) {
		return web.FormExpired()
	}
	if r.PostForm.Has("no_ticket") {
		if err := l.Sessions.SetMarkers(w, r, a.browser.SignedOut, true); err != nil {
			return err
		}
		return web.Redirect(w, r, http.StatusSeeOther, formPath(a.row))
	}
	if r.PostForm.Has("upstream") {
		return l.toUpstream(w, r, a)
	}
	if r.PostForm.Has("passkey") {
		return l.submitPasskey(w, r, a)
	}
	return l.submit(w, r, a)
}

func (l *Login) submit(w http.ResponseWriter, r *http.Request, a *attempt) error {
	info := web.InfoFrom(r.Context())
	info.Method = authn.MethodForm
	res, err := l.check(r, a)
	var refused *reason.Error
	if !errors.As(err, &refused) {
		if err != nil {
			return err
		}
		res.Remember = r.PostForm.Get(fieldRemember) != ""
		return l.finish(w, r, a, res)
	}
	logRefusal(info, refused)
	if a.row == nil {
		target, err := l.accountRequest(r, a, policy.Markers{SignedOut: true}, refused.Reason, refused.Name)
		if err != nil {
			return err
		}
		return web.Redirect(w, r, http.StatusSeeOther, target)
	}
	if err := l.Store.FailLoginRequest(r.Context(), a.row.ID, string(refused.Reason), reference(r), refused.Name); err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, formPath(a.row))
}

// check asks for the password of the form and, where the form is the one for whoever
// has an expired password, sets the new one.
func (l *Login) check(r *http.Request, a *attempt) (*authn.Result, error) {
	field := func(name string) secret.String { return secret.String(r.PostForm.Get(name)) }
	name := r.PostForm.Get("username")
	switch {
	case !r.PostForm.Has("new_password"):
		return l.Authn.Password(r.Context(), name, field("password"), a.from)
	case field("new_password") != field("new_password_again"):
		return nil, l.Authn.Refuse(r.Context(), a.from, name, reason.PasswordsDiffer, "")
	}
	return l.Authn.ChangePassword(r.Context(), name, field("password"), field("new_password"), a.from)
}
