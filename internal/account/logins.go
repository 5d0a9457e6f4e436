package account

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/store"
	"idp/internal/upstream"
	"idp/internal/user"
	"idp/internal/web"
)

const (
	loginsPath    = "/account/logins"
	changeLogins  = loginsPath + "?change=1"
	loginsPurpose = "linked logins"
)

// ServeLogins answers GET /account/logins: by which logins elsewhere somebody comes in
// here. With ?change, and to whoever has just logged in, it has the forms that link one
// more or take one away.
func (a *Account) ServeLogins(w http.ResponseWriter, r *http.Request) error {
	v, may, err := a.changesLogins(w, r)
	if err != nil || v == nil {
		return err
	}
	page := &web.LoginsPage{AccountFrame: frame(v, loginsPath), HasPassword: v.User.PasswordHash != ""}
	page.Notice = a.loginsNotice(r, v)
	if may {
		page.FormToken = a.Sessions.FormToken(v.browser, loginsPurpose)
	} else {
		page.ChangeURL = changeLogins
	}
	ids, err := a.Store.IdentitiesOf(r.Context(), v.User.ID)
	if err != nil {
		return err
	}
	has := map[string]bool{}
	for _, id := range ids {
		one := a.linkedLogin(id)
		one.Last = len(ids) == 1 && !page.HasPassword
		page.Logins, has[one.Upstream] = append(page.Logins, one), true
	}
	for _, b := range a.Upstreams.Buttons() {
		if !has[b.ID] {
			page.Upstreams = append(page.Upstreams, web.UpstreamButton{ID: b.ID, Name: b.Name})
		}
	}
	return a.Pages.Render(w, r, http.StatusOK, "logins", page)
}

// changesLogins is whoever opens the page, and whether they may change what is on it:
// they have just logged in, by all that they have. Nil: the answer is written.
func (a *Account) changesLogins(w http.ResponseWriter, r *http.Request) (v *visit, may bool, err error) {
	if v, err = a.visitor(w, r); err != nil || v == nil {
		return nil, false, err
	}
	need, err := a.levelToChange(r.Context(), v)
	if err != nil {
		return nil, false, err
	}
	if r.URL.Query().Has("change") {
		v, err = a.confirmed(w, r, need)
		return v, true, err
	}
	return v, a.confirms(v.Session) && policy.Reaches(v.Session.ACR, need), nil
}

// levelToChange is the level at which somebody changes how they log in: with a second factor
// where they have one.
func (a *Account) levelToChange(ctx context.Context, v *visit) (string, error) {
	have, err := a.Factors.Of(ctx, v.User.ID)
	if err != nil || !have.Any() {
		return "", err
	}
	return policy.ACRMultiFactor, nil
}

// loginsCard tells by which logins elsewhere somebody comes in, where there are any.
func (a *Account) loginsCard(ctx context.Context, v *visit) (web.AccountCard, error) {
	ids, err := a.Store.IdentitiesOf(ctx, v.User.ID)
	if err != nil {
		return web.AccountCard{}, err
	}
	var names []string
	for _, id := range ids {
		if one := a.linkedLogin(id); one.Source != "" {
			names = append(names, one.Name)
		}
	}
	switch {
	case len(names) > 0:
		return web.AccountCard{Title: "Logins elsewhere", State: "You come in by " + strings.Join(names, ", "), URL: loginsPath, Link: "Look at your logins"}, nil
	case len(a.Upstreams.Buttons()) > 0:
		return web.AccountCard{Title: "Logins elsewhere", State: "You have linked none", URL: loginsPath, Link: "Link one",
			Text: "With one, you come in by a login that you have at another organisation."}, nil
	}
	return web.AccountCard{}, nil
}

// linkedLogin is an identity in words.
func (a *Account) linkedLogin(id store.Identity) web.LinkedLogin {
	one := web.LinkedLogin{Label: id.Label, Since: time.UnixMilli(id.CreatedAt)}
	if id.UsedAt > 0 {
		one.Used = time.UnixMilli(id.UsedAt)
	}
	issuer, upstream := strings.CutPrefix(id.Source, store.SourceUpstream)
	if !upstream {
		one.Name, one.Label = "Company ticket or password", strings.TrimPrefix(id.Source, user.SourceKerberos)
		return one
	}
	one.Source, one.Key, one.Name = id.Source, id.Key, issuer
	if u := a.Upstreams.ByIssuer(issuer); u != nil {
		one.Upstream, one.Name = u.ID, u.Name
	}
	return one
}

// loginsNotice says what our own redirect says that was done.
func (a *Account) loginsNotice(r *http.Request, v *visit) *web.Notice {
	if a.done(r, v) == "unlinked" {
		return &web.Notice{Kind: "info", Title: "The login is not linked any more", Text: "Nobody logs in here by it, and what came of it is signed out."}
	}
	id := r.URL.Query().Get("linked")
	u := a.Upstreams.ByID(id)
	if u == nil || !a.Sessions.CheckFormToken(v.browser, upstream.Linked(id), r.URL.Query().Get("token")) {
		return nil
	}
	return &web.Notice{Kind: "info", Title: "Your login with " + u.Name + " is linked", Text: "From now on you can log in here by it, too."}
}

// sentLogins is whoever sends one of the page's forms, and may; nil when the answer is
// written: back to the page, which asks for what is missing.
func (a *Account) sentLogins(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v, err := a.sent(w, r, changeLogins, loginsPurpose)
	if err != nil || v == nil {
		return nil, err
	}
	need, err := a.levelToChange(r.Context(), v)
	if err != nil {
		return nil, err
	}
	if !a.confirms(v.Session) || !policy.Reaches(v.Session.ACR, need) {
		return nil, web.Redirect(w, r, http.StatusSeeOther, changeLogins)
	}
	return v, nil
}

// ServeLink answers POST /account/logins/link: off to an upstream, whose login is to be
// linked. Its person has to log in there now, whoever is logged in there already: a
// session that somebody left behind proves nothing.
func (a *Account) ServeLink(w http.ResponseWriter, r *http.Request) error {
	v, err := a.sentLogins(w, r)
	if err != nil || v == nil {
		return err
	}
	u := a.Upstreams.ByID(r.PostForm.Get("upstream"))
	if u == nil {
		return web.Redirect(w, r, http.StatusSeeOther, loginsPath)
	}
	leaving, err := u.Begin(r.Context(), upstream.Wanted{Fresh: true,
		For: store.UpstreamLogin{LoginID: v.Session.ID, BrowserHash: v.browser.Hash, LinkUserID: v.User.ID}})
	if err != nil {
		return unreachable(r.Context(), u.Name, err)
	}
	if err := a.Store.PutUpstreamLogin(r.Context(), leaving.Row); err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, leaving.URL)
}

func unreachable(ctx context.Context, name string, err error) error {
	var refused *reason.Error
	if !errors.As(err, &refused) {
		return err
	}
	info := web.InfoFrom(ctx)
	info.Reason, info.Detail = string(refused.Reason), refused.Explain()
	return &web.Error{Status: http.StatusBadGateway, Code: string(refused.Reason), Title: name + " cannot be reached just now",
		Message: "The provider does not answer as it should. Nothing was linked.", Hint: "Try again in a minute.",
		Links: []web.Link{{Text: "Back to your logins", URL: loginsPath}}, Err: err}
}

// ServeUnlink answers POST /account/logins/unlink.
func (a *Account) ServeUnlink(w http.ResponseWriter, r *http.Request) error {
	v, err := a.sentLogins(w, r)
	if err != nil || v == nil {
		return err
	}
	id := store.Identity{Source: r.PostForm.Get("source"), Key: r.PostForm.Get("key"), UserID: v.User.ID}
	if !strings.HasPrefix(id.Source, store.SourceUpstream) { // what the company knows somebody by is its own to say
		return web.Redirect(w, r, http.StatusSeeOther, loginsPath)
	}
	entry := v.entry()
	entry.Detail = id.Source + " " + id.Key
	err = a.Store.DropIdentity(r.Context(), id, entry)
	switch {
	case errors.Is(err, store.ErrNotFound): // sent twice
		return web.Redirect(w, r, http.StatusSeeOther, loginsPath)
	case errors.Is(err, store.ErrLast):
		return &web.Error{Status: http.StatusConflict, Code: "LAST_LOGIN", Title: "You log in by nothing else",
			Message: "Without this login you could not come back.", Hint: "Link another one first.", Links: []web.Link{{Text: "Back to your logins", URL: loginsPath}}, Err: err}
	case err != nil:
		return err
	}
	return a.sendBack(w, r, v, loginsPath, "unlinked")
}
