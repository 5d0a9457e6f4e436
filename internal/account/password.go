package account

import (
	"errors"
	"net/http"
	"net/url"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/user"
	"idp/internal/web"
)

// PathPassword is where a password is changed.
const PathPassword = "/account/password"

const (
	passwordPurpose = "password"
	saidPurpose     = "password said\x00" // and what: changed, or a reason
	changed         = "changed"
)

// ServeChangePassword answers /.well-known/change-password, at which password managers
// look for the page (W3C, A Well-Known URL for Changing Passwords §2).
func (a *Account) ServeChangePassword(w http.ResponseWriter, r *http.Request) error {
	return web.Redirect(w, r, http.StatusSeeOther, PathPassword)
}

// ServePassword answers GET /account/password.
func (a *Account) ServePassword(w http.ResponseWriter, r *http.Request) error {
	v, err := a.confirmedByAll(w, r)
	if err != nil || v == nil {
		return err
	}
	p := web.PasswordPage{AccountFrame: frame(v, PathPassword), FormToken: a.Sessions.FormToken(v.browser, passwordPurpose), Elsewhere: v.User.PasswordHash == "",
		MinLength: a.Passwords.MinLength(), Reference: web.Reference(web.InfoFrom(r.Context()), a.Policy.Now())}
	said := r.URL.Query().Get("said")
	if a.Sessions.CheckFormToken(v.browser, saidPurpose+said, r.URL.Query().Get("proof")) { // no link of another site makes the page say so
		p.Changed, p.Notice = said == changed, a.passwordNotice(reason.Code(said))
	}
	return a.Pages.Render(w, r, http.StatusOK, "password", p)
}

// passwordNotice says why a password was not changed; nil: it was.
func (a *Account) passwordNotice(code reason.Code) *web.Notice {
	n := &web.Notice{Kind: "error", Title: "Your password was not changed"}
	why := a.Passwords.Explain(code)
	switch {
	case code == changed:
		return nil
	case why != nil:
		n.Text, n.Hint = why.Text, why.Hint
	case code == reason.TooManyGuesses:
		n.Text, n.Hint = "The current password was wrong too often. To protect the account, no more are tried for a while.", "Try again in half an hour, or ask your support."
	default:
		n.Text, n.Hint = "The current password is wrong.", "Type all three again. Capital letters count."
	}
	return n
}

// ServePasswordSubmit answers POST /account/password. The current password is asked for
// although the login is recent (ASVS 5.0 §6.2.3): not everybody who finds a browser
// logged in is to keep others out of the account with it.
func (a *Account) ServePasswordSubmit(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	v, err := a.confirmedByAll(w, r)
	if err != nil || v == nil {
		return err
	}
	if !a.Sessions.CheckFormToken(v.browser, passwordPurpose, r.PostForm.Get("form_token")) {
		return web.FormExpired()
	}
	if v.User.PasswordHash == "" {
		return web.Redirect(w, r, http.StatusSeeOther, PathPassword) // which says where to
	}
	err = a.changePassword(w, r, v)
	var refused *reason.Error
	switch {
	case errors.As(err, &refused):
		info := web.InfoFrom(r.Context())
		info.Reason, info.Detail = string(refused.Reason), refused.Explain()
		return a.say(w, r, v.browser, string(refused.Reason))
	case errors.Is(err, store.ErrNotFound):
		return web.FormExpired() // changed meanwhile, and this session ended with it
	case err != nil:
		return err
	}
	return a.say(w, r, v.browser, changed)
}

// say leads back to the page, which then says what came of it.
func (a *Account) say(w http.ResponseWriter, r *http.Request, b *session.Browser, what string) error {
	return web.Redirect(w, r, http.StatusSeeOther, PathPassword+"?"+url.Values{"said": {what}, "proof": {a.Sessions.FormToken(b, saidPurpose+what)}}.Encode())
}

// changePassword judges the new password, checks the current one, and sets it. The
// error is a *reason.Error when one of them is refused.
func (a *Account) changePassword(w http.ResponseWriter, r *http.Request, v *visit) error {
	field := func(name string) secret.String { return secret.String(r.PostForm.Get(name)) }
	old, next := field("password"), field("new_password")
	var weak *user.PasswordError
	switch err := a.Passwords.Check(v.User, next); {
	case next != field("new_password_again"):
		return reason.Refuse(reason.PasswordsDiffer, "")
	case errors.As(err, &weak):
		return reason.Refuse(weak.Reason, "")
	case user.Normal(next) == user.Normal(old):
		return reason.Refuse(reason.PasswordRefused, "the new password is the old one")
	}
	hash, err := a.Authn.Confirm(r.Context(), v.User, old, v.from)
	if err != nil {
		return err
	}
	in := store.ChangePassword{UserID: v.User.ID, OldHash: hash, SessionID: v.Session.ID, EndOthers: r.PostForm.Get("others") != "", Entry: v.entry()}
	if in.NewHash, err = a.Authn.Hash(r.Context(), next); err != nil {
		return err
	}
	return a.Sessions.Renew(w, v.Session, func(secretHash []byte) error {
		in.SecretHash = secretHash
		return a.Store.ChangePassword(r.Context(), in)
	})
}
