// Package account is a person's own pages: who they are logged in as, how that
// was proved and since when, which sites know them through us, what they allowed
// which of those (and the way to take it back), and the way out.
package account

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"idp/internal/authn"
	"idp/internal/factor"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// Config is everything New needs.
type Config struct {
	Store    *store.Store
	Sessions *session.Sessions
	Policy   *authn.Policy
	Factors  *factor.Factors
	Passkeys *factor.Passkeys // nil: there can be none at this issuer
	Name     string           // of the company, as apps that make codes show it
	Pages    *web.Pages
	Site     func(ctx context.Context, clientID, redirect string) *web.Site
	// Shares says what a consent gives a relying party of a user.
	Shares func(ctx context.Context, clientID string, u *store.User, consent, had string) []web.Share
}

// Account serves the pages. Safe for concurrent use.
type Account struct{ Config }

// New makes an Account.
func New(c Config) (*Account, error) {
	if c.Store == nil || c.Sessions == nil || c.Policy == nil || c.Factors == nil || c.Pages == nil || c.Site == nil || c.Shares == nil {
		return nil, errors.New("account: Store, Sessions, Policy, Factors, Pages, Site and Shares are required")
	}
	return &Account{c}, nil
}

// ServeHome answers GET /: for now the account is the start page.
func (a *Account) ServeHome(w http.ResponseWriter, r *http.Request) error {
	return web.Redirect(w, r, http.StatusSeeOther, "/account")
}

// ServeAccount answers GET /account; without a session it begins a login.
func (a *Account) ServeAccount(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return err
	}
	page, err := a.page(r, v)
	if err != nil {
		return err
	}
	return a.Pages.Render(w, r, http.StatusOK, "account", page)
}

func (a *Account) page(r *http.Request, c *visit) (*web.AccountPage, error) {
	b := c.browser
	visited, err := a.Store.VisitedClients(r.Context(), c.Session.ID)
	if err != nil {
		return nil, err
	}
	page := &web.AccountPage{
		AccountFrame: frame(c, "/account"),
		Name:         c.User.Name, FullName: c.User.FullName, Email: c.User.Email, Groups: c.User.Groups,
		How: how(c.Session), Principal: c.Session.Principal,
		Since: time.UnixMilli(c.Session.AuthTime), Until: time.UnixMilli(c.Session.ExpiresAt),
		FormToken: a.Sessions.FormToken(b, "end_session"), AllowedToken: a.Sessions.FormToken(b, takeBackPurpose),
	}
	if page.Allowed, err = a.allowed(r.Context(), c.User); err != nil {
		return nil, err
	}
	page.TakenBack = a.takenBack(r, b, page.Allowed)
	for _, id := range visited {
		if site := a.Site(r.Context(), id, ""); site != nil {
			page.Sites = append(page.Sites, *site)
		}
	}
	return page, nil
}

// how says in plain words what proved who the person is (RFC 8176 values).
func how(s *store.Session) string {
	switch {
	case slices.Contains(s.AMR, authn.AMRTicket):
		return "with your company ticket"
	case !slices.Contains(s.AMR, authn.AMRPassword) && slices.Contains(s.AMR, authn.AMRPasskey):
		return "with your passkey"
	case s.Principal != "":
		return "with your name and password, checked by your company"
	default:
		return "with your name and password"
	}
}
