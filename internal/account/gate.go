package account

import (
	"net/http"
	"slices"
	"time"

	"idp/internal/policy"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/visitor"
	"idp/internal/web"
)

// confirmedFor is how long after logging in somebody may change their account
// without logging in once more.
const confirmedFor = 10 * time.Minute

// visit is a request for one of these pages, by whoever is logged in.
type visit struct {
	*session.Current
	browser *session.Browser
	from    policy.From
}

// visitor is whoever opens one of the pages, with a session that has shown as much
// as the rules demand; nil when the answer, a redirect to log in, is written.
func (a *Account) visitor(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v, err := a.visit(w, r)
	if err != nil {
		return nil, err
	}
	switch {
	case v.Current == nil:
		return nil, a.logIn(w, r, v, store.LoginRequest{})
	case !a.Policy.Enough(v.Session, v.User, "", v.from):
		return nil, a.stepUp(w, r, v, "")
	}
	return v, nil
}

// confirmed is visitor for whatever changes how somebody logs in: they must have
// typed a password, or shown a factor, a moment ago, and all that they have. What a
// ticket or an old cookie shows is not enough to take an account over. need is the
// level of authentication that is wanted beside what the rules demand; may be empty.
func (a *Account) confirmed(w http.ResponseWriter, r *http.Request, need string) (*visit, error) {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return nil, err
	}
	switch {
	case !a.confirms(v.Session):
		return nil, a.logIn(w, r, v, store.LoginRequest{Fresh: true, ACR: need})
	case !policy.Reaches(v.Session.ACR, need):
		return nil, a.stepUp(w, r, v, need)
	}
	return v, nil
}

// confirmedByAll is confirmed at the level of all that the visitor has: with a second
// factor where there is one.
func (a *Account) confirmedByAll(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return nil, err
	}
	need, err := a.levelToChange(r.Context(), v)
	if err != nil {
		return nil, err
	}
	return a.confirmed(w, r, need)
}

// confirms reports whether a session began by somebody's own doing a moment ago.
func (a *Account) confirms(s *store.Session) bool {
	silent := len(s.AMR) == 1 && slices.Contains(s.AMR, policy.AMRTicket)
	return !silent && a.Policy.Now().Sub(time.UnixMilli(s.AuthTime)) < confirmedFor
}

func (a *Account) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	c, err := a.Sessions.Visitor(r)
	if err != nil {
		return nil, err
	}
	b, err := a.Sessions.Browser(w, r)
	if err != nil {
		return nil, err
	}
	return &visit{c, b, visitor.From(r, "")}, nil
}

// logIn begins a login that returns to the page; the row says what it demands.
func (a *Account) logIn(w http.ResponseWriter, r *http.Request, v *visit, row store.LoginRequest) error {
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	row.BrowserHash, row.ReturnTo = v.browser.Hash, returnTo(r)
	target, err := a.Policy.Begin(r.Context(), row, v.from, policy.Markers{SignedOut: v.browser.SignedOut, NoTicket: v.browser.NoTicket})
	return visitor.SendOn(w, r, target, err)
}

// stepUp sends whoever is logged in on to show more, and back.
func (a *Account) stepUp(w http.ResponseWriter, r *http.Request, v *visit, need string) error {
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	row := store.LoginRequest{BrowserHash: v.browser.Hash, ReturnTo: returnTo(r), ACR: need}
	target, err := a.Policy.BeginStepUp(r.Context(), row, v.from)
	return visitor.SendOn(w, r, target, err)
}

// returnTo is the page that was opened; of a form that was sent the page that it is on.
func returnTo(r *http.Request) string {
	if r.Method != http.MethodGet {
		return r.URL.Path
	}
	return r.URL.RequestURI()
}

// entry is the audit entry of what a visitor changes.
func (v *visit) entry() store.Entry {
	return store.Entry{Actor: v.User.Name, UserID: v.User.ID, Name: v.User.Name, SessionID: v.Session.ID,
		Address: v.from.Address.String(), Agent: v.from.Agent, RequestID: v.from.RequestID}
}
