package account

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// What the tokens of the page are good for: taking back, and saying that it was
// done, which no link of another site can make the page say.
const (
	takeBackPurpose  = "take back"
	takenBackPurpose = "taken back\x00" // and the client's id
)

// allowed lists what the user allowed which sites.
func (a *Account) allowed(ctx context.Context, u *store.User) ([]web.Allowed, error) {
	consents, err := a.Store.Consents(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	var all []web.Allowed
	for _, c := range consents {
		all = append(all, web.Allowed{ClientID: c.ClientID, Site: a.named(ctx, c.ClientID), Since: time.UnixMilli(c.CreatedAt),
			Shares: a.Shares(ctx, c.ClientID, u, c.Scope, "")})
	}
	return all, nil
}

// named is a site by its name, or by its id when it is not registered any more.
func (a *Account) named(ctx context.Context, clientID string) web.Site {
	if site := a.Site(ctx, clientID, ""); site != nil {
		return *site
	}
	return web.Site{Name: clientID}
}

// takenBack is the site of ?taken_back= where our own redirect says so, and
// nothing was allowed again since.
func (a *Account) takenBack(r *http.Request, b *session.Browser, allowed []web.Allowed) *web.Site {
	id := r.URL.Query().Get("taken_back")
	again := slices.ContainsFunc(allowed, func(s web.Allowed) bool { return s.ClientID == id })
	if id == "" || again || !a.Sessions.CheckFormToken(b, takenBackPurpose+id, r.URL.Query().Get("token")) {
		return nil
	}
	site := a.named(r.Context(), id)
	return &site
}

// ServeTakeBack answers POST /account/consents: what was allowed a site, and all
// it was given by that, ends. Sent twice it does nothing more.
func (a *Account) ServeTakeBack(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	c, err := a.Sessions.Visitor(r)
	if err != nil {
		return err
	}
	if c == nil {
		return web.Redirect(w, r, http.StatusSeeOther, "/account") // which asks for a login
	}
	b, err := a.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	info := web.InfoFrom(r.Context())
	if !a.Sessions.CheckFormToken(b, takeBackPurpose, r.PostForm.Get("form_token")) {
		return web.FormExpired()
	}
	id := r.PostForm.Get("client_id")
	entry := store.Entry{Actor: c.User.Name, Name: c.User.Name, SessionID: c.Session.ID, Address: info.Client.String(), RequestID: info.RequestID}
	if err := a.Store.RevokeConsent(r.Context(), c.User.ID, id, entry); err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther,
		"/account?"+url.Values{"taken_back": {id}, "token": {a.Sessions.FormToken(b, takenBackPurpose+id)}}.Encode())
}
