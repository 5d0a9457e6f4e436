// Package account is a person's own pages: the sites they may use, who they are
// logged in as and how that was proved, what sites are told of them, how they log in,
// on which devices they are logged in (and the way to end that), what they allowed
// which site (and the way to take it back), what happened to their account, and the
// way out.
//
// Every page asks for a session that has shown what the rules demand (gate.go). What
// changes how somebody logs in, or what sites are told, asks for a login of a moment
// ago besides; what ends something does not, for whoever has lost a telephone is in a
// hurry.
package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"idp/internal/authn"
	"idp/internal/factor"
	"idp/internal/policy"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/upstream"
	"idp/internal/user"
	"idp/internal/web"
)

// Config is everything New needs.
type Config struct {
	Store     *store.Store
	Sessions  *session.Sessions
	Policy    *policy.Policy
	Factors   *factor.Factors
	Passkeys  *factor.Passkeys // nil: there can be none at this issuer
	Authn     *authn.Authn     // checks a password before it is changed
	Upstreams *upstream.Upstreams
	Passwords *user.Policy // which new ones are accepted
	Name      string       // of the company, as apps that make codes show it
	Pages     *web.Pages
	Site      func(ctx context.Context, clientID, redirect string) *web.Site
	// Shares says what a consent gives a relying party of a user.
	Shares func(ctx context.Context, clientID string, u *store.User, consent, had string) []web.Share
	// Sites lists the relying parties that a user may use and that have a page to
	// begin at.
	Sites func(ctx context.Context, u *store.User) ([]web.MySite, error)
	// SignOut ends the session of this browser and answers, as the sign-out button does.
	SignOut func(w http.ResponseWriter, r *http.Request, c *session.Current) error
}

// Account serves the pages. Safe for concurrent use.
type Account struct{ Config }

// New makes an Account.
func New(c Config) (*Account, error) {
	if c.Store == nil || c.Sessions == nil || c.Policy == nil || c.Factors == nil || c.Authn == nil || c.Passwords == nil || c.Pages == nil || c.Site == nil || c.Shares == nil || c.Sites == nil || c.SignOut == nil || c.Upstreams == nil {
		return nil, errors.New("account: Store, Sessions, Policy, Factors, Authn, Passwords, Pages, Site, Shares, Sites, SignOut and Upstreams are required")
	}
	return &Account{c}, nil
}

// ServeAccount answers GET /account; without a session it begins a login.
func (a *Account) ServeAccount(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return err
	}
	visited, err := a.Store.VisitedClients(r.Context(), v.Session.ID)
	if err != nil {
		return err
	}
	page := &web.AccountPage{
		AccountFrame: frame(v, "/account"),
		FullName:     v.User.FullName, Email: v.User.Email, Groups: v.User.Groups,
		How: how(v.Session), Principal: v.Session.Principal,
		Since: time.UnixMilli(v.Session.AuthTime), Until: time.UnixMilli(v.Session.ExpiresAt),
		Sites: a.sites(r.Context(), visited), FormToken: a.Sessions.FormToken(v.browser, "end_session"),
	}
	if page.Look, err = a.look(r.Context(), v); err != nil {
		return err
	}
	return a.Pages.Render(w, r, http.StatusOK, "account", page)
}

// sites are relying parties by their ids, those that are gone left out.
func (a *Account) sites(ctx context.Context, ids []string) (all []web.Site) {
	for _, id := range ids {
		if site := a.Site(ctx, id, ""); site != nil {
			all = append(all, *site)
		}
	}
	return all
}

// attemptsFor is how long a failed login is worth a look.
const attemptsFor = 7 * 24 * time.Hour

// look is what is worth a look: what lacks, who tried, and where else one is logged in.
func (a *Account) look(ctx context.Context, v *visit) (all []web.Look, err error) {
	cards, err := a.shownCards(ctx, v)
	if err != nil {
		return nil, err
	}
	for _, c := range cards {
		if c.Lacks {
			all = append(all, web.Look{Text: c.Title + ": " + c.State, URL: "/account/security", Link: "How you log in"})
		}
	}
	h, err := a.Store.ReadHistory(ctx, store.HistoryPage{UserID: v.User.ID, Since: a.Policy.Now().Add(-attemptsFor).UnixMilli(), Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(h.Attempts) > 0 {
		all = append(all, web.Look{Text: "Somebody tried to log in with your name in the last seven days, and did not get in", URL: "/account/history", Link: "History"})
	}
	sessions, err := a.Store.SessionsOf(ctx, v.User.ID)
	if err != nil {
		return nil, err
	}
	held, err := a.Store.HeldGrants(ctx, v.User.ID)
	if err != nil {
		return nil, err
	}
	if n := len(sessions) - 1 + len(held); n > 0 {
		all = append(all, web.Look{Text: "You are logged in at " + counted(n, "other place", "other places"), URL: "/account/sessions", Link: "Sessions"})
	}
	return all, nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return strings.TrimSpace("one " + one)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", n, many))
}
