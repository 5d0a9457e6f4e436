package login

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"idp/internal/authn"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/store"
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
	now, vouches, err := l.Authn.AskDirectory(r.Context(), res.User)
	if err == nil && !vouches {
		err = l.vouchedByNobody(r, a, res)
	}
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

// vouchedByNobody refuses a passkey alone, of an account that is the company's and that
// no directory knows: its ticket or its KDC would say when it is disabled there, and a
// passkey would go on for ever.
func (l *Login) vouchedByNobody(r *http.Request, a *attempt, res *authn.Result) error {
	if !slices.Contains(res.AMR, policy.AMRPasskey) || slices.Contains(res.AMR, policy.AMRPassword) || slices.Contains(res.AMR, policy.AMRTicket) ||
		res.Upstream.ID != "" || res.User.PasswordHash != "" {
		return nil
	}
	ids, err := l.Store.IdentitiesOf(r.Context(), res.User.ID)
	if err != nil || !slices.ContainsFunc(ids, func(i store.Identity) bool { return strings.HasPrefix(i.Source, user.SourceKerberos) }) {
		return err
	}
	refused := l.Authn.Refuse(r.Context(), a.from, res.User.Name, reason.PasskeyUnvouched, "no directory vouches for the account")
	var e *reason.Error
	if !errors.As(refused, &e) {
		return refused
	}
	logRefusal(web.InfoFrom(r.Context()), e)
	return &web.Error{Status: http.StatusForbidden, Code: string(e.Reason), Title: "A passkey alone is not enough here",
		Message: "Your account is your company's, and nobody can be asked just now whether it is still open.",
		Hint:    "Log in with your company ticket, or with your name and password.", Err: refused}
}
