package login

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"idp/internal/audit"
	"idp/internal/authn"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/user"
	"idp/internal/useragent"
	"idp/internal/web"
)

// A one-time link, which an administrator made, leads to a first or a new password.
//
// Mail programs and the scanners in front of them open links, some of them in a browser
// and before any person does. So GET changes nothing: it shows a button. Who presses it
// binds the link to this browser, by a cookie of its own, and goes on without what was
// in the link, so that neither history nor a copied address gives it to somebody else.
// Whoever else has the link then can do nothing with it. The new password ends all that
// the one before gave, and logs in like a typed one: second factors, which no link
// takes away, are asked for as always.

const (
	// PathLink is where links lead.
	PathLink = "/invitation"

	linkPurpose    = "link"
	refusedPurpose = "link refused\x00" // and the reason
)

// ServeLink answers GET /invitation: what the link is, or the form for the password in
// the browser that has opened it.
func (l *Login) ServeLink(w http.ResponseWriter, r *http.Request) error {
	if token := r.URL.Query().Get("token"); token != "" {
		return l.showLink(w, r, token)
	}
	link, u, err := l.linkHere(r)
	if err != nil {
		return err
	}
	p, err := l.linkPage(w, r, link)
	if err != nil {
		return err
	}
	p.Name = u.Name
	return l.Pages.Render(w, r, http.StatusOK, "invitation", p)
}

func (l *Login) showLink(w http.ResponseWriter, r *http.Request, token string) error {
	link, u, err := l.Store.Link(r.Context(), secret.Hash(secret.String(token)))
	if errors.Is(err, store.ErrNotFound) {
		return linkOver("LINK_UNKNOWN", err)
	}
	if err != nil {
		return err
	}
	if err := l.usable(r, link, u); err != nil {
		return err
	}
	if len(link.BrowserHash) > 0 { // this one's
		return web.Redirect(w, r, http.StatusSeeOther, PathLink)
	}
	p, err := l.linkPage(w, r, link)
	if err != nil {
		return err
	}
	p.Token = token
	return l.Pages.Render(w, r, http.StatusOK, "invitation", p)
}

// linkHere is the link that this browser has opened.
func (l *Login) linkHere(r *http.Request) (*store.Link, *store.User, error) {
	hash, err := l.Sessions.LinkHash(r)
	if err != nil {
		return nil, nil, err
	}
	link, u, err := l.Store.LinkOfBrowser(r.Context(), hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, linkOver("LINK_UNKNOWN", errors.New("this browser has opened no link, or a newer one has taken its place"))
	}
	if err != nil {
		return nil, nil, err
	}
	return link, u, l.usable(r, link, u)
}

// usable looks at a link for this browser. What makes it a page is decided again by the
// statements that open and use it.
func (l *Login) usable(r *http.Request, link *store.Link, u *store.User) error {
	hash, err := l.Sessions.LinkHash(r)
	if err != nil {
		return err
	}
	code := ""
	switch {
	case link.UsedAt != 0:
		code = "LINK_USED"
	case link.ExpiresAt <= l.Store.Now():
		code = "LINK_EXPIRED"
	case u.Disabled:
		code = string(reason.UserDisabled)
	case len(link.BrowserHash) > 0 && !secret.Equal(link.BrowserHash, hash):
		code = "LINK_OTHER_BROWSER"
	default:
		return nil
	}
	web.InfoFrom(r.Context()).User = u.Name
	e := linkEntry(r, u)
	e.Actor = "" // whoever it is
	e.Event, e.Reason, e.Detail = audit.LinkRefused, code, link.Purpose
	if err := l.Store.Audit(r.Context(), e); err != nil {
		return err
	}
	return linkOver(code, nil)
}

// linkOver is the answer to every link that is no good: to whoever has it all the same.
func linkOver(code string, cause error) error {
	return &web.Error{Status: http.StatusBadRequest, Code: code, Title: "This link cannot be used",
		Message: "It was used already, is too old, was replaced by a newer one, or was opened in another browser first.",
		Hint:    "If you have chosen a password by it, log in. Else ask whoever sent it for a new one.",
		Links:   []web.Link{{Text: "Log in", URL: policy.PathForm}}, Err: cause}
}

// linkEntry: whoever has the link acts as its user.
func linkEntry(r *http.Request, u *store.User) store.Entry {
	info := web.InfoFrom(r.Context())
	return store.Entry{Actor: u.Name, UserID: u.ID, Name: u.Name, Address: info.Client.String(), Agent: useragent.Identify(r.Header).String(), RequestID: info.RequestID}
}

func (l *Login) linkPage(w http.ResponseWriter, r *http.Request, link *store.Link) (*web.LinkPage, error) {
	b, err := l.Sessions.Browser(w, r)
	if err != nil {
		return nil, err
	}
	p := &web.LinkPage{Reset: link.Purpose == store.LinkReset, FormToken: l.Sessions.FormToken(b, linkPurpose), MinLength: l.Passwords.MinLength(),
		Until: time.UnixMilli(link.ExpiresAt), Reference: reference(r)}
	code := r.URL.Query().Get("refused")
	if l.Sessions.CheckFormToken(b, refusedPurpose+code, r.URL.Query().Get("proof")) { // no link of another site makes the page say so
		if why := l.Passwords.Explain(reason.Code(code)); why != nil {
			p.Notice = &web.Notice{Kind: "error", Title: "The password was not accepted", Text: why.Text, Hint: why.Hint}
		}
	}
	return p, nil
}

// ServeLinkSubmit answers POST /invitation: the button, or the form.
func (l *Login) ServeLinkSubmit(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	a, err := l.begin(w, r, "")
	if err != nil {
		return err
	}
	if !l.Sessions.CheckFormToken(a.browser, linkPurpose, r.PostForm.Get("form_token")) {
		return web.FormExpired()
	}
	if token := r.PostForm.Get("token"); token != "" {
		return l.openLink(w, r, token)
	}
	return l.useLink(w, r, a)
}

// openLink binds the link to this browser.
func (l *Login) openLink(w http.ResponseWriter, r *http.Request, token string) error {
	hash := secret.Hash(secret.String(token))
	link, u, err := l.Store.Link(r.Context(), hash)
	if errors.Is(err, store.ErrNotFound) {
		return linkOver("LINK_UNKNOWN", err)
	}
	if err != nil {
		return err
	}
	if err := l.usable(r, link, u); err != nil {
		return err
	}
	if len(link.BrowserHash) == 0 {
		err := l.Sessions.BindLink(w, time.UnixMilli(link.ExpiresAt), func(browser []byte) error {
			return l.Store.OpenLink(r.Context(), hash, browser, linkEntry(r, u))
		})
		if errors.Is(err, store.ErrNotFound) {
			return linkOver("LINK_OTHER_BROWSER", err) // which was faster
		}
		if err != nil {
			return err
		}
	}
	return web.Redirect(w, r, http.StatusSeeOther, PathLink)
}

// useLink sets the password and goes on as after any login.
func (l *Login) useLink(w http.ResponseWriter, r *http.Request, a *attempt) error {
	link, u, err := l.linkHere(r)
	if err != nil {
		return err
	}
	info := web.InfoFrom(r.Context())
	info.Method, info.User = authn.MethodLink, u.Name
	password := secret.String(r.PostForm.Get("new_password"))
	if code := l.chosen(u, password, secret.String(r.PostForm.Get("new_password_again"))); code != "" {
		info.Reason = string(code)
		proof := l.Sessions.FormToken(a.browser, refusedPurpose+string(code))
		return web.Redirect(w, r, http.StatusSeeOther, PathLink+"?"+url.Values{"refused": {string(code)}, "proof": {proof}}.Encode())
	}
	hash, err := l.Authn.Hash(r.Context(), password)
	if err != nil {
		return err
	}
	err = l.Store.UseLink(r.Context(), link.Hash, link.BrowserHash, hash, linkEntry(r, u))
	if errors.Is(err, store.ErrNotFound) {
		return linkOver("LINK_USED", err)
	}
	if err != nil {
		return err
	}
	l.Sessions.DropLink(w)
	return l.linked(w, r, a, u.ID, hash)
}

// chosen is why a new password is not accepted; empty: it is.
func (l *Login) chosen(u *store.User, password, again secret.String) reason.Code {
	if password != again {
		return reason.PasswordsDiffer
	}
	var refused *user.PasswordError
	if errors.As(l.Passwords.Check(u, password), &refused) {
		return refused.Reason
	}
	return ""
}

// linked ends the login of whoever has just chosen a password.
func (l *Login) linked(w http.ResponseWriter, r *http.Request, a *attempt, userID, hash string) error {
	u, err := l.Store.UserByID(r.Context(), userID)
	if err != nil {
		return err
	}
	row := store.LoginRequest{BrowserHash: a.browser.Hash, ReturnTo: "/account"}
	step, err := l.Policy.Begin(r.Context(), row, a.from, policy.Markers{SignedOut: true})
	if errors.Is(err, store.ErrTooMany) {
		return web.TooManyRequests(err)
	}
	if err != nil {
		return err
	}
	target, err := url.Parse(step)
	if err != nil {
		return err
	}
	if a, err = l.begin(w, r, target.Query().Get("login")); err != nil {
		return err
	}
	return l.finish(w, r, a, &authn.Result{User: u, AMR: []string{policy.AMRPassword}, AuthTime: l.Policy.Now(), PasswordHash: hash})
}
