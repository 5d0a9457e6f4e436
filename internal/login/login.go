// Package login is what a browser sees and does to log in, and the only place
// where a login ends.
//
// A login request (a row, made by whoever wants somebody logged in: the
// authorization endpoint, the account page) says what is required and where to
// return; its id travels as ?login=, and it belongs to one browser: whoever
// opens somebody else's link gets a page that says it is over. The steps are
// paths: /login/negotiate asks for a ticket or, by the browser's own prompt, for
// a name and password; /login shows the form. Each hands its credential to
// package authn and every good one to finish, which starts the session and sends
// the browser back to where the request came from. Where the rules, the relying party
// or the person's own choice want more than was shown, finish sends them on to /factor
// first. /consent is for whoever is
// logged in: may the relying party get what the row says that it wants?
//
// Nothing else lives below /login/, for browsers send a Basic password again to
// everything in the directory that asked for it.
package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"idp/internal/authn"
	"idp/internal/factor"
	"idp/internal/kerberos"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/upstream"
	"idp/internal/user"
	"idp/internal/visitor"
	"idp/internal/web"
)

// Config is everything New needs.
type Config struct {
	Store     *store.Store
	Sessions  *session.Sessions
	Authn     *authn.Authn
	Factors   *factor.Factors
	Passkeys  *factor.Passkeys // nil: there can be none at this issuer
	Policy    *policy.Policy
	Passwords *user.Policy // which new ones are accepted
	Pages     *web.Pages
	Kerberos  kerberos.Config // what is challenged
	Upstreams *upstream.Upstreams
	Issuer    *url.URL
	Name      string // of the company, as apps that make codes show it; default: the issuer's host
	// Site shows the relying party behind a client id, at the redirect URI that its
	// request names; nil when unknown.
	Site func(ctx context.Context, clientID, redirect string) *web.Site
	// Shares says what a consent gives a relying party of a user, About what pages
	// it has on itself.
	Shares func(ctx context.Context, clientID string, u *store.User, consent, had string) []web.Share
	About  func(ctx context.Context, clientID, redirect string) []web.SiteLink
	// Remembered reports whether a consent that is given there counts the next time.
	Remembered func(ctx context.Context, clientID, redirect string) bool
}

// Login serves the login pages. Safe for concurrent use.
type Login struct{ Config }

// New makes a Login.
func New(c Config) (*Login, error) {
	if c.Store == nil || c.Sessions == nil || c.Authn == nil || c.Factors == nil || c.Policy == nil || c.Passwords == nil || c.Pages == nil || c.Issuer == nil || c.Site == nil || c.Shares == nil || c.About == nil || c.Remembered == nil || c.Upstreams == nil {
		return nil, errors.New("login: Store, Sessions, Authn, Factors, Policy, Passwords, Pages, Issuer, Site, Shares, About, Remembered and Upstreams are required")
	}
	if c.Name == "" {
		c.Name = c.Issuer.Hostname()
	}
	return &Login{c}, nil
}

// attempt is one step of one browser: the login request, if there is one, and
// what is known of who is asking.
type attempt struct {
	browser *session.Browser
	row     *store.LoginRequest // nil: a program, or a form opened without one
	typed   string              // the name typed at the prompt, to begin the form with
	from    policy.From
}

// begin reads the browser and its login request. The id comes from ?login=, in a
// POST from the form's field of that name.
func (l *Login) begin(w http.ResponseWriter, r *http.Request, id string) (*attempt, error) {
	b, err := l.Sessions.Browser(w, r)
	if err != nil {
		return nil, err
	}
	a := &attempt{browser: b, from: visitor.From(r, "")}
	a.from.Known = b.Knows
	if id == "" {
		return a, nil
	}
	a.row, err = l.Store.LoginRequest(r.Context(), id, b.Hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, web.LoginExpired(err)
	}
	if err != nil {
		return nil, err
	}
	a.from.ClientID, web.InfoFrom(r.Context()).ClientID = a.row.ClientID, a.row.ClientID
	return a, nil
}

// accountRequest writes a login request that leads to /account and returns the
// address of its first step.
func (l *Login) accountRequest(r *http.Request, a *attempt, m policy.Markers, code reason.Code, username string) (string, error) {
	if r.Method == http.MethodGet && !web.Navigation(r) {
		return "", web.NotANavigation()
	}
	row := store.LoginRequest{BrowserHash: a.browser.Hash, ReturnTo: "/account", Reason: string(code), Username: username}
	if code != "" {
		row.Reference = reference(r)
	}
	target, err := l.Policy.Begin(r.Context(), row, a.from, m)
	if errors.Is(err, store.ErrTooMany) {
		return "", web.TooManyRequests(err)
	}
	return target, err
}

// reference is what support finds this request by.
func reference(r *http.Request) string { return web.ReferenceOf(r) }

// logRefusal puts the reason into the request's one log line.
func logRefusal(info *web.Info, e *reason.Error) {
	info.Reason, info.Detail, info.User = string(e.Reason), e.Explain(), e.Name
}

func formPath(row *store.LoginRequest) string { return stepPath(policy.PathForm, row) }

func stepPath(path string, row *store.LoginRequest) string {
	if row == nil {
		return path
	}
	return path + "?login=" + url.QueryEscape(row.ID)
}

// wantsNewPassword: the page asks for a new password, for the old one was right
// and has expired.
func wantsNewPassword(code reason.Code) bool {
	return code == reason.PasswordExpired || code == reason.PasswordRefused || code == reason.PasswordsDiffer
}

// current is the live session of the browser, or nil.
func (l *Login) current(r *http.Request) (*session.Current, error) {
	c, err := l.Sessions.Current(r)
	if errors.Is(err, session.ErrNone) {
		return nil, nil //nolint:nilnil // no session is an answer, not an error
	}
	return c, err
}
