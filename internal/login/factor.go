package login

import (
	"context"
	"errors"
	"net/http"

	"idp/internal/authn"
	"idp/internal/factor"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// The second step of a login, and the only one of a session that is to show more:
// /factor asks for what is missing. A person who has a factor shows it; one who has
// none sets one up (factorsetup.go). The request, never the form, says who is asked
// and what has been shown.

// What the query field "with" names: the factor that somebody wants to show.
const (
	withCode     = "code"
	withRecovery = "recovery"
)

// second is a visit of the step.
type second struct {
	*attempt
	first *authn.Result // what was shown so far
	need  string        // the level that is to be reached
	have  factor.Have
}

// reached: all that is wanted was shown.
func (s *second) reached() bool { return policy.Reaches(policy.ACROf(s.first.AMR), s.need) }

// purpose is what the forms' token is good for: this step of this user.
func (s *second) purpose() string {
	return "factor\x00" + s.row.ID + "\x00" + s.first.User.ID
}

// ServeFactor answers GET /factor with what is to be done next.
func (l *Login) ServeFactor(w http.ResponseWriter, r *http.Request) error {
	s, err := l.second(w, r, r.URL.Query().Get("login"))
	if err != nil || s == nil {
		return err
	}
	switch {
	case s.row.Pending.NewCodes:
		return l.showNewCodes(w, r, s)
	case s.reached(): // in another tab, say
		return l.finish(w, r, s.attempt, s.first)
	case !s.have.Any():
		return l.serveSetUp(w, r, s)
	case policy.Reaches(policy.ACROf(s.first.AMR), policy.ACRMultiFactor) && !s.have.Passkeys:
		return l.needsPasskey(w, r, s)
	}
	return l.askFactor(w, r, s)
}

// second finds out who is to show what; nil when the answer is written: a login that
// is over goes on, and one that has shown nothing (in another browser, or by a user
// who is disabled by now) begins at the beginning.
func (l *Login) second(w http.ResponseWriter, r *http.Request, id string) (*second, error) {
	a, err := l.begin(w, r, id)
	if err != nil {
		return nil, err
	}
	if a.row == nil {
		return nil, web.LoginExpired(errors.New("no login request is named"))
	}
	if a.row.SessionID != "" {
		return nil, web.Redirect(w, r, http.StatusSeeOther, resumePath(a.row))
	}
	s := &second{attempt: a}
	if s.first, err = l.shown(r, a); err != nil {
		return nil, err
	}
	if s.first == nil {
		return nil, web.Redirect(w, r, http.StatusSeeOther, formPath(a.row))
	}
	web.InfoFrom(r.Context()).User = s.first.User.Name
	if s.have, err = l.Factors.Of(r.Context(), s.first.User.ID); err != nil {
		return nil, err
	}
	s.need = l.Policy.OfLogin(s.first.User, s.first.AMR, s.have.Any(), a.from.ClientID, a.row.ACR, a.from)
	return s, nil
}

// askFactor asks for a factor that the person has.
func (l *Login) askFactor(w http.ResponseWriter, r *http.Request, s *second) error {
	p := web.FactorPage{FactorStep: l.step(r, s), Recovery: r.URL.Query().Get("with") == withRecovery && s.have.Recovery > 0,
		HasCode: s.asksCode(), HasPasskey: s.have.Passkeys, NeedsPasskey: s.need == policy.ACRPhishingResistant}
	if s.have.Recovery > 0 {
		p.RecoveryURL = p.StartURL + "&with=" + withRecovery
	}
	var err error
	if p.Passkey, err = l.passkeyOf(r, s); err != nil {
		return err
	}
	return l.Pages.Render(w, r, http.StatusOK, "factor", p)
}

// step is what all pages of the step show.
func (l *Login) step(r *http.Request, s *second) web.FactorStep {
	p := web.FactorStep{
		Action: policy.PathFactor, FormToken: l.Sessions.FormToken(s.browser, s.purpose()), LoginID: s.row.ID,
		Site: l.Site(r.Context(), s.row.ClientID, redirectOf(s.row)), User: s.first.User.Name,
		StartURL: stepPath(policy.PathFactor, s.row), OtherURL: formPath(s.row) + "&other=1",
		Reference: reference(r), Remember: l.mayRemember(r, s), Remembered: s.first.Remember,
	}
	if code := reason.Code(s.row.Reason); ofSecond(code) {
		p.Notice = notice(code, false)
		p.Reference = s.row.Reference
	}
	return p
}

// ServeFactorSubmit answers POST /factor: what the person shows, or sets up.
func (l *Login) ServeFactorSubmit(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	s, err := l.second(w, r, r.PostForm.Get("login"))
	if err != nil || s == nil {
		return err
	}
	if !l.Sessions.CheckFormToken(s.browser, s.purpose(), r.PostForm.Get("form_token")) {
		return web.FormExpired()
	}
	if s.reached() { // new recovery codes are kept now, or it was shown in another tab
		return l.finish(w, r, s.attempt, s.first)
	}
	switch {
	case r.PostForm.Has("setup_code"):
		return l.setUp(w, r, s)
	case r.PostForm.Has("recovery_code"):
		return l.tryRecovery(w, r, s)
	case r.PostForm.Has("code"):
		return l.tryCode(w, r, s)
	case r.PostForm.Has("passkey"):
		return l.tryPasskey(w, r, s)
	case r.PostForm.Has("new_passkey"):
		return l.makePasskey(w, r, s)
	}
	return web.BadForm(errors.New("nothing is shown"))
}

func (l *Login) tryCode(w http.ResponseWriter, r *http.Request, s *second) error {
	typed := secret.String(r.PostForm.Get("code"))
	return l.try(w, r, s, "", authn.SecondFactor{As: authn.MethodCode, AMR: []string{policy.AMROneTime}, Typed: typed,
		Verify: func(ctx context.Context) (string, error) { return l.Factors.CheckCode(ctx, s.first.User.ID, typed) }})
}

func (l *Login) tryRecovery(w http.ResponseWriter, r *http.Request, s *second) error {
	typed := secret.String(r.PostForm.Get("recovery_code"))
	return l.try(w, r, s, withRecovery, authn.SecondFactor{As: authn.MethodRecovery, AMR: []string{policy.AMROneTime}, Typed: typed,
		Verify: func(ctx context.Context) (string, error) {
			return "", l.Factors.UseRecoveryCode(ctx, s.first.User.ID, typed, l.entry(s))
		}})
}

// try checks what is typed.
func (l *Login) try(w http.ResponseWriter, r *http.Request, s *second, with string, f authn.SecondFactor) error {
	if f.Typed == "" {
		web.InfoFrom(r.Context()).Method = f.As
		return l.failStep(w, r, s, with, reason.Refuse(reason.BadCode, "empty"))
	}
	if l.mayRemember(r, s) {
		s.first.Remember = r.PostForm.Get(fieldRemember) != ""
	}
	return l.show(w, r, s, with, f)
}

// show checks what is shown. One that is refused leads back to the page, by a redirect,
// so that a reload sends nothing twice.
func (l *Login) show(w http.ResponseWriter, r *http.Request, s *second, with string, f authn.SecondFactor) error {
	web.InfoFrom(r.Context()).Method = f.As
	res, err := l.Authn.Second(r.Context(), s.first, f, s.from)
	var refused *reason.Error
	if errors.As(err, &refused) {
		return l.failStep(w, r, s, with, refused)
	}
	if err != nil {
		return err
	}
	return l.finish(w, r, s.attempt, res)
}

// failStep notes in the request why what was shown was refused, and leads back.
func (l *Login) failStep(w http.ResponseWriter, r *http.Request, s *second, with string, refused *reason.Error) error {
	logRefusal(web.InfoFrom(r.Context()), refused)
	err := l.Store.FailLoginRequest(r.Context(), s.row.ID, string(refused.Reason), reference(r), s.first.User.Name)
	if errors.Is(err, store.ErrNotFound) {
		return web.LoginExpired(err)
	}
	if err != nil {
		return err
	}
	target := stepPath(policy.PathFactor, s.row)
	if with != "" {
		target += "&with=" + with
	}
	return web.Redirect(w, r, http.StatusSeeOther, target)
}

// entry is the audit entry of what the step changes.
func (l *Login) entry(s *second) store.Entry {
	u := s.first.User
	return store.Entry{Actor: u.Name, UserID: u.ID, Name: u.Name, ClientID: s.from.ClientID, SessionID: s.first.Continues,
		Address: s.from.Address.String(), Agent: s.from.Agent, RequestID: s.from.RequestID}
}
