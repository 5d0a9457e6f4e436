package forwardauth

import (
	"errors"
	"net/http"
	"strings"

	"idp/internal/authn"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// decide says whether a request passes: nil, or a refusal; who is whom it passes for,
// nil for anyone. Every way of reading the path has to let it in.
func (f *ForwardAuth) decide(w http.ResponseWriter, r *http.Request, q *question) (who *identity, err error) {
	if strings.HasPrefix(q.path(), PathOurs) { // else the login would lead here, and from here to the login
		return nil, refusal{reasonNotRouted, "the proxy asks about " + web.Quote(q.path()) + ": route everything below /.idp/ to idp"}
	}
	gates, ok := q.site.gates(q.path())
	if !ok {
		return nil, refusal{reasonPath, web.Quote(q.path())}
	}
	from := q.from(r)
	open := true
	for _, g := range gates {
		if !g.reachableFrom(from) {
			return nil, refusal{reasonNetwork, "the client is in none of the networks"}
		}
		open = open && g.anyone
	}
	if who, err = f.identify(w, r, q, gates, open); open && err != nil {
		return nil, nil //nolint:nilnil,nilerr // anyone may, whoever it is
	}
	if err != nil {
		return nil, err
	}
	web.InfoFrom(r.Context()).User = who.user.Name
	for _, g := range gates {
		if !g.anyone && !g.admits(who.user) {
			return nil, refusal{reasonNotAllowed, "the user is in none of the groups"}
		}
	}
	return who, nil
}

// identify finds out who sends a request, by the site's cookie or, where a program
// shows one, by a ticket or a password, and that they have shown enough. Where anyone
// may come (open), a credential is none of ours: it may be for the site itself.
func (f *ForwardAuth) identify(w http.ResponseWriter, r *http.Request, q *question, gates []gate, open bool) (*identity, error) {
	if !open && program(r) {
		if scheme, value, ok := q.credential(r); !ok || scheme != "" {
			return f.credential(w, r, q, gates, scheme, value)
		}
	}
	c, grant, err := f.current(r, q)
	if err != nil {
		return nil, err
	}
	for _, g := range gates {
		if !g.anyone && !(authn.Reaches(c.Session.ACR, g.acr) && f.Policy.Enough(c.Session, c.User, q.site.Host, q.from(r))) {
			return nil, refusal{reasonFactor, "the session has shown acr " + c.Session.ACR}
		}
	}
	return &identity{user: c.User, amr: c.Session.AMR, acr: c.Session.ACR, authTime: c.Session.AuthTime, sid: c.Session.ID, grant: grant}, nil
}

// current is the live session behind the site's cookie; a refusal where there is none.
func (f *ForwardAuth) current(r *http.Request, q *question) (c *session.Current, grant string, err error) {
	value, err := q.cookie(r, cookieSite)
	if err != nil {
		return nil, "", refusal{reasonCookie, "the site's cookie comes twice"}
	}
	grant, ok := f.open(q.site, value)
	if !ok {
		return nil, "", refusal{reasonLogin, ""}
	}
	found, err := f.Store.SiteSession(r.Context(), grant, q.site.Host, f.Now().UnixMilli())
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", refusal{reasonLogin, "the session has ended"}
	}
	if err != nil {
		return nil, "", err
	}
	c, err = f.Sessions.Use(r, &found.Session, &found.User)
	if errors.Is(err, session.ErrNone) {
		return nil, "", refusal{reasonLogin, "the session has ended"}
	}
	return c, grant, err
}
