package account

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"idp/internal/policy"
	"idp/internal/store"
	"idp/internal/useragent"
	"idp/internal/web"
)

// endPurpose is what the token of the forms of /account/sessions is good for.
const endPurpose = "end sessions"

// What was ended, for the page that says so.
const (
	endedSession = "session"
	endedDevice  = "device"
	endedOthers  = "others"
)

var ended = map[string]web.Notice{
	endedSession: {Kind: "info", Title: "Signed out there", Text: "That browser has to log in again. Sites that it visited are told, and may need a few minutes until they know."},
	endedDevice:  {Kind: "info", Title: "Signed out there", Text: "What it was given is worth nothing from here any more. It may show you as logged in for a few minutes."},
	endedOthers:  {Kind: "info", Title: "Signed out everywhere else", Text: "Only this browser is still logged in. Sites that the others visited are told, and may need a few minutes until they know."},
}

// ServeSessions answers GET /account/sessions: where somebody is logged in.
func (a *Account) ServeSessions(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return err
	}
	page := &web.SessionsPage{AccountFrame: frame(v, "/account/sessions"), FormToken: a.Sessions.FormToken(v.browser, endPurpose)}
	if n, ok := ended[a.done(r, v)]; ok {
		page.Notice = &n
	}
	if page.Sessions, err = a.sessions(r.Context(), v); err != nil {
		return err
	}
	if page.Devices, err = a.devices(r.Context(), v); err != nil {
		return err
	}
	return a.Pages.Render(w, r, http.StatusOK, "sessions", page)
}

// sessions are the visitor's live sessions, this one first.
func (a *Account) sessions(ctx context.Context, v *visit) ([]web.AccountSession, error) {
	rows, err := a.Store.SessionsOf(ctx, v.User.ID)
	if err != nil {
		return nil, err
	}
	visits, err := a.Store.VisitsOf(ctx, v.User.ID)
	if err != nil {
		return nil, err
	}
	visited := map[string][]string{}
	for _, s := range visits {
		visited[s.SessionID] = append(visited[s.SessionID], s.ClientID)
	}
	var all []web.AccountSession
	for i := range rows {
		s := &rows[i]
		all = append(all, web.AccountSession{
			ID: s.ID, Agent: capital(useragent.Parse(s.UserAgent).String()), Here: s.ID == v.Session.ID, How: how(s), Address: s.Address, Inside: a.inside(s.Address),
			Since: time.UnixMilli(s.CreatedAt), Seen: time.UnixMilli(s.SeenAt), Until: time.UnixMilli(min(s.ExpiresAt, s.IdleExpiresAt)),
			Sites: a.sites(ctx, visited[s.ID]),
		})
	}
	slices.SortStableFunc(all, func(x, y web.AccountSession) int {
		switch {
		case x.Here == y.Here:
			return 0
		case x.Here:
			return -1
		}
		return 1
	})
	return all, nil
}

// capital begins a line.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// inside reports whether an address that was noted is in the company's network, where
// there is one that people are logged in by ticket from.
func (a *Account) inside(address string) bool {
	addr, err := netip.ParseAddr(address)
	return err == nil && a.Policy.UsesTickets() && policy.Inside(a.Policy.OfferTo, policy.From{Address: addr})
}

// devices are what stays logged in by itself: devices that were allowed by a code (RFC
// 8628), and sites that may come while their person is away. Those of trusted sites,
// which nobody is asked about, are nowhere else to be seen.
func (a *Account) devices(ctx context.Context, v *visit) ([]web.AccountDevice, error) {
	grants, err := a.Store.HeldGrants(ctx, v.User.ID)
	if err != nil {
		return nil, err
	}
	var all []web.AccountDevice
	for _, g := range grants {
		all = append(all, web.AccountDevice{ID: g.ID, Site: a.named(ctx, g.ClientID), Device: g.Device, Offline: g.Offline, Address: g.Address,
			Since: time.UnixMilli(g.CreatedAt), Used: time.UnixMilli(g.UsedAt)})
	}
	return all, nil
}

// ServeEnd answers POST /account/sessions: one session, one device, all others, or
// all of them end. What is not there, or is somebody else's, is answered as if it had
// been ended: an id tells nothing.
func (a *Account) ServeEnd(w http.ResponseWriter, r *http.Request) error {
	v, err := a.sent(w, r, "/account/sessions", endPurpose)
	if err != nil || v == nil {
		return err
	}
	word, err := a.end(r, v)
	switch {
	case err != nil:
		return err
	case word == "":
		return a.SignOut(w, r, v.Current)
	}
	return a.sendBack(w, r, v, "/account/sessions", word)
}

// end does what the form says. Empty: what is left to end is the session of this
// browser.
func (a *Account) end(r *http.Request, v *visit) (word string, err error) {
	e, form := v.entry(), r.PostForm
	switch {
	case form.Get("session") != "":
		if form.Get("session") == v.Session.ID {
			return "", nil
		}
		e.Detail = store.EndedFromElsewhere
		_, err = a.Store.EndSessionOf(r.Context(), v.User.ID, form.Get("session"), e)
		return endedSession, err
	case form.Get("grant") != "":
		_, err = a.Store.EndGrantOf(r.Context(), v.User.ID, form.Get("grant"), e)
		return endedDevice, err
	case form.Get("all") == "others":
		_, err = a.Store.EndLogins(r.Context(), v.User.ID, v.Session.ID, e)
		return endedOthers, err
	case form.Get("all") == "everywhere":
		_, err = a.Store.EndLogins(r.Context(), v.User.ID, v.Session.ID, e)
		return "", err
	}
	return "", web.BadForm(errors.New("it says nothing to end"))
}
