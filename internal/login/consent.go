package login

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// The consent page asks whoever is logged in whether the relying party may get
// what the login request says that it wants. The row, never the form, says what
// is allowed to whom and by whom; the form says yes or no. The authorization
// endpoint, to which both lead back, gives a code or access_denied.

// question is a login request whose user is to be asked.
type question struct {
	*attempt
	current *session.Current
}

// purpose is what the form's token is good for: the answer to this question, put
// to this user. A page shown before the question changed answers nothing.
func (q *question) purpose() string {
	return "consent\x00" + q.row.ID + "\x00" + q.row.SessionID + "\x00" + q.row.UserID + "\x00" + q.row.Consent
}

// open reports whether the question waits for its answer.
func (q *question) open() bool { return q.row.Consent != "" && q.row.ConsentAnswer == "" }

// ask finds the question: of this browser, and in the session that it was put to.
func (l *Login) ask(w http.ResponseWriter, r *http.Request, id string) (*question, error) {
	a, err := l.begin(w, r, id)
	if err != nil {
		return nil, err
	}
	if a.row == nil {
		return nil, web.LoginExpired(errors.New("no login request is named"))
	}
	current, err := l.current(r)
	if err != nil {
		return nil, err
	}
	if current == nil || a.row.SessionID == "" || a.row.SessionID != current.Session.ID || a.row.ClientID == "" {
		return nil, web.LoginExpired(errors.New("the session is not the one that is asked for consent"))
	}
	web.InfoFrom(r.Context()).User = current.User.Name
	return &question{a, current}, nil
}

// ServeConsent answers GET /consent with the page.
func (l *Login) ServeConsent(w http.ResponseWriter, r *http.Request) error {
	q, err := l.ask(w, r, r.URL.Query().Get("login"))
	if err != nil {
		return err
	}
	if !q.open() {
		return web.Redirect(w, r, http.StatusSeeOther, resumePath(q.row))
	}
	had, err := l.Store.Consent(r.Context(), q.current.User.ID, q.row.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		had, err = &store.Consent{}, nil
	}
	if err != nil {
		return err
	}
	ctx, id := r.Context(), q.row.ClientID
	shares := l.Shares(ctx, id, q.current.User, q.row.Consent, had.Scope)
	return l.Pages.Render(w, r, http.StatusOK, "consent", web.ConsentPage{
		Action: "/consent", FormToken: l.Sessions.FormToken(q.browser, q.purpose()), LoginID: q.row.ID, User: q.current.User.Name,
		OtherURL: resumePath(q.row) + "&other=1", Site: l.answerTo(r, q.row), About: l.About(ctx, id, redirectOf(q.row)),
		Shares: shares, Before: had.Scope != "", More: slices.ContainsFunc(shares, func(s web.Share) bool { return s.New }),
		Remembered: l.Remembered(ctx, id, redirectOf(q.row)),
	})
}

// answerTo is the site that asks, at the address where the answer goes.
func (l *Login) answerTo(r *http.Request, row *store.LoginRequest) *web.Site {
	if site := l.Site(r.Context(), row.ClientID, redirectOf(row)); site != nil {
		return site
	}
	return &web.Site{Name: row.ClientID}
}

// redirectOf is the redirect URI of the request that a login is for; empty: a page
// of our own asks.
func redirectOf(row *store.LoginRequest) string { return paramOf(row, "redirect_uri") }

// paramOf is a parameter of the auth request that a login is for; empty without one.
func paramOf(row *store.LoginRequest, name string) string {
	asked, err := url.ParseQuery(row.Params)
	if err != nil {
		return ""
	}
	return asked.Get(name)
}

// ServeConsentSubmit answers POST /consent: the answer. Sent twice it counts once.
func (l *Login) ServeConsentSubmit(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	q, err := l.ask(w, r, r.PostForm.Get("login"))
	if err != nil {
		return err
	}
	if !l.Sessions.CheckFormToken(q.browser, q.purpose(), r.PostForm.Get("form_token")) {
		return web.FormExpired()
	}
	answer := r.PostForm.Get("answer")
	if answer != "allow" && answer != "deny" {
		return web.BadForm(errors.New("answer: neither allow nor deny"))
	}
	if q.open() {
		if err := l.answer(r, q, answer == "allow"); err != nil {
			return err
		}
	}
	return web.Redirect(w, r, http.StatusSeeOther, resumePath(q.row))
}

func (l *Login) answer(r *http.Request, q *question, allow bool) error {
	u := q.current.User
	err := l.Store.AnswerConsent(r.Context(), store.Answer{
		LoginRequestID: q.row.ID, BrowserHash: q.browser.Hash, SessionID: q.current.Session.ID, Asked: q.row.Consent, Allow: allow,
		Entry: store.Entry{Actor: u.Name, Name: u.Name, Address: q.from.Address.String(), RequestID: q.from.RequestID},
	})
	if errors.Is(err, store.ErrNotFound) { // answered meanwhile, or asked anew: the endpoint knows
		return nil
	}
	return err
}

func resumePath(row *store.LoginRequest) string {
	return "/authorize/resume?login=" + url.QueryEscape(row.ID)
}
