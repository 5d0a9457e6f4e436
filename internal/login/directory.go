package login

import (
	"errors"
	"net/http"

	"idp/internal/authn"
	"idp/internal/reason"
	"idp/internal/user"
	"idp/internal/web"
)

// askDirectory keeps out who is disabled in the directory, whatever they have shown: a
// passkey is not taken back where the account is. After a ticket it has just been
// asked, and says the same again.
func (l *Login) askDirectory(r *http.Request, a *attempt, res *authn.Result) error {
	info := web.InfoFrom(r.Context())
	if info.Detail == "" {
		info.Detail = res.Note
	}
	now, _, err := l.Authn.AskDirectory(r.Context(), res.User)
	if !errors.Is(err, user.ErrDisabled) {
		res.User = now
		return err
	}
	refused := l.Authn.Refuse(r.Context(), a.from, res.User.Name, reason.UserDisabled, err.Error())
	var e *reason.Error
	if !errors.As(refused, &e) {
		return refused
	}
	logRefusal(info, e)
	return &web.Error{Status: http.StatusForbidden, Code: string(reason.UserDisabled), Title: "Your account is closed",
		Message: "What you logged in with is good, but your account has been disabled.", Hint: "Ask your support, with the reference below.", Err: refused}
}
