package account

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"idp/internal/store"
	"idp/internal/web"
)

// takeBackPurpose is what the token of the forms is good for.
const takeBackPurpose = "take back"

// takenBack begins the word of what was taken back; the client's id follows.
const takenBack = "taken_back "

// ServeAllowed answers GET /account/sites: what was allowed which sites.
func (a *Account) ServeAllowed(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return err
	}
	page := &web.AllowedPage{AccountFrame: frame(v, "/account/sites"), FormToken: a.Sessions.FormToken(v.browser, takeBackPurpose)}
	if page.Allowed, err = a.allowed(r.Context(), v.User); err != nil {
		return err
	}
	page.Notice = a.takenBack(r, v, page.Allowed)
	return a.Pages.Render(w, r, http.StatusOK, "sites", page)
}

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
	return web.Site{Name: cmp.Or(clientID, "a site")}
}

// takenBack says that something was taken back, unless it was allowed again since.
func (a *Account) takenBack(r *http.Request, v *visit, allowed []web.Allowed) *web.Notice {
	id, ok := strings.CutPrefix(a.done(r, v), takenBack)
	if !ok || slices.ContainsFunc(allowed, func(s web.Allowed) bool { return s.ClientID == id }) {
		return nil
	}
	return &web.Notice{Kind: "info", Title: "Taken back from " + a.named(r.Context(), id).Name,
		Text: "It gets nothing of you from here any more, and asks before it does again. What it has already learned it may keep."}
}

// ServeTakeBack answers POST /account/consents: what was allowed a site, and all
// it was given by that, ends. Sent twice it does nothing more.
func (a *Account) ServeTakeBack(w http.ResponseWriter, r *http.Request) error {
	v, err := a.sent(w, r, "/account/sites", takeBackPurpose)
	if err != nil || v == nil {
		return err
	}
	id := r.PostForm.Get("client_id")
	if err := a.Store.RevokeConsent(r.Context(), v.User.ID, id, v.entry()); err != nil {
		return err
	}
	return a.sendBack(w, r, v, "/account/sites", takenBack+id)
}
