package login

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"idp/internal/authn"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/upstream"
	"idp/internal/user"
	"idp/internal/web"
)

// buttons are the upstreams of the login page. Nobody asks them anything for it: one
// that is down keeps nobody else from logging in.
func (l *Login) buttons(a *attempt) (all []web.UpstreamButton) {
	if a.row == nil {
		return nil
	}
	for _, b := range l.Upstreams.Buttons() {
		all = append(all, web.UpstreamButton{ID: b.ID, Name: b.Name, Domains: b.Domains})
	}
	return all
}

// toUpstream answers the login form's button of an upstream: off to it.
func (l *Login) toUpstream(w http.ResponseWriter, r *http.Request, a *attempt) error {
	info := web.InfoFrom(r.Context())
	info.Method = authn.MethodUpstream
	if a.row == nil {
		return l.startHere(w, r, a)
	}
	u := l.Upstreams.ByID(r.PostForm.Get("upstream"))
	if u == nil {
		return l.upstreamFailed(w, r, a, "", "", upstream.Unknown(r.PostForm.Get("upstream")))
	}
	want := upstream.Wanted{For: store.UpstreamLogin{LoginID: a.row.ID, BrowserHash: a.browser.Hash},
		Fresh: a.row.Fresh, LoginHint: a.row.LoginHint}
	if a.row.MinAuthTime > 0 {
		want.MinAuthTime = time.UnixMilli(a.row.MinAuthTime)
	}
	if policy.Reaches(a.row.ACR, policy.ACRMultiFactor) {
		want.ACRValues = u.ACRValues(func(ours string) bool { return policy.Reaches(ours, a.row.ACR) })
	}
	leaving, err := u.Begin(r.Context(), want)
	if err != nil {
		return l.upstreamFailed(w, r, a, u.ID, "", err)
	}
	if err := l.Store.PutUpstreamLogin(r.Context(), leaving.Row); err != nil {
		return err
	}
	info.Method = "" // nobody has shown anything yet
	return web.Redirect(w, r, http.StatusSeeOther, leaving.URL)
}

// ServeUpstreamCallback answers GET /upstream/{id}/callback: the browser is back from
// an upstream (OIDC Core §3.1.2.5). What it brings is looked at only in the browser
// that left, and once.
func (l *Login) ServeUpstreamCallback(w http.ResponseWriter, r *http.Request) error {
	b, err := l.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	answer, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(answer["state"]) > 1 {
		return web.LoginExpired(errors.New("the answer of the upstream is no query, or has two states"))
	}
	id := r.PathValue("id")
	left, err := l.Store.TakeUpstreamLogin(r.Context(), secret.Hash(secret.String(answer.Get("state"))), b.Hash, id)
	if errors.Is(err, store.ErrNotFound) {
		return web.LoginExpired(err)
	}
	if err != nil {
		return err
	}
	web.InfoFrom(r.Context()).Method = authn.MethodUpstream
	if left.LinkUserID != "" {
		return l.linkUpstream(w, r, left, answer)
	}
	a, err := l.begin(w, r, left.LoginID)
	if err != nil {
		return err
	}
	return l.fromUpstream(w, r, a, left, answer)
}

// fromUpstream ends a login.
func (l *Login) fromUpstream(w http.ResponseWriter, r *http.Request, a *attempt, left *store.UpstreamLogin, answer url.Values) error {
	u := l.Upstreams.ByID(left.Upstream)
	if u == nil { // taken out of the configuration meanwhile
		return l.upstreamFailed(w, r, a, left.Upstream, "", upstream.Unknown(left.Upstream))
	}
	if a.row.Fresh && left.MinAuthTime == 0 { // it left before its person had to act
		return l.upstreamFailed(w, r, a, u.ID, "", reason.Refuse(reason.UpstreamStale, "the login was begun before a fresh one was demanded"))
	}
	there, subject, err := u.Finish(r.Context(), left, answer)
	if err != nil {
		return l.upstreamFailed(w, r, a, u.ID, subject, err)
	}
	res, err := l.Authn.Upstream(r.Context(), of(u, there), a.from)
	if err != nil {
		return l.backToForm(w, r, a, err)
	}
	return l.finish(w, r, a, res)
}

// of puts a login at an upstream in the words of those who say whose it is.
func of(u *upstream.Upstream, l *upstream.Login) authn.UpstreamLogin {
	p := l.Profile
	return authn.UpstreamLogin{
		Person: user.UpstreamPerson{Upstream: u.ID, Issuer: u.Issuer, Subject: l.Subject, Name: p.Name, FullName: p.FullName,
			Email: p.Email, EmailVerified: p.EmailVerified, Groups: p.Groups, Managed: u.Managed(), MakesUsers: u.MakesUsers()},
		Session: store.UpstreamSession{ID: u.ID, Issuer: u.Issuer, Subject: l.Subject, SID: l.SID, IDToken: l.IDToken},
		ACR:     l.ACR, AuthTime: l.AuthTime,
	}
}

// upstreamFailed books the refusal and shows the login page with its reason.
func (l *Login) upstreamFailed(w http.ResponseWriter, r *http.Request, a *attempt, id, subject string, err error) error {
	return l.backToForm(w, r, a, l.Authn.UpstreamRefused(r.Context(), id, subject, err, a.from))
}

// backToForm goes back to the login page with a refusal. Other trouble is passed on.
func (l *Login) backToForm(w http.ResponseWriter, r *http.Request, a *attempt, err error) error {
	var refused *reason.Error
	if !errors.As(err, &refused) {
		return err
	}
	logRefusal(web.InfoFrom(r.Context()), refused)
	if err := l.Store.FailLoginRequest(r.Context(), a.row.ID, string(told(refused.Reason)), reference(r), ""); err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, formPath(a.row))
}

// told is the reason that the page goes by: of a disabled user it would say that a
// password is wrong, and nobody has typed one.
func told(code reason.Code) reason.Code {
	if code == reason.UserDisabled {
		return reason.UpstreamNotAllowed
	}
	return code
}
