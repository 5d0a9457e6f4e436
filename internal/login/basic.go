package login

import (
	"net/http"
	"time"

	"idp/internal/authn"
	"idp/internal/kerberos"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/web"
)

// basic answers Basic. After a sign-out the first credential is answered by one
// more challenge, under another realm string, for it is the browser that sent
// it, from memory: so another user can be typed.
func (l *Login) basic(w http.ResponseWriter, r *http.Request, a *attempt, value string) error {
	web.InfoFrom(r.Context()).Method = authn.MethodBasic
	if l.Kerberos.Fallback != kerberos.FallbackBasic {
		return l.malformed(w, r, a, reason.MalformedInput, "Basic is not offered: kerberos.fallback")
	}
	if a.browser.SignedOut {
		switch {
		case a.row == nil:
			return web.Redirect(w, r, http.StatusSeeOther, policy.PathForm)
		case !a.row.Rechallenged:
			return l.rechallenge(w, r, a)
		}
	}
	name, password, ok := web.BasicCredential(value)
	if !ok {
		return l.malformed(w, r, a, reason.MalformedInput, "the Basic credential is not base64 of name:password")
	}
	res, err := l.Authn.Password(r.Context(), name, password, a.from)
	if err != nil {
		return l.refused(w, r, a, err)
	}
	return l.finish(w, r, a, res)
}

func (l *Login) rechallenge(w http.ResponseWriter, r *http.Request, a *attempt) error {
	first, err := l.Store.MarkRechallenged(r.Context(), a.row.ID)
	if err != nil {
		return err
	}
	if !first {
		return web.Redirect(w, r, http.StatusSeeOther, formPath(a.row))
	}
	return l.challenge(w, r, a, l.Kerberos.PromptRealm()+", after signing out at "+time.Now().UTC().Format("15:04:05"))
}
