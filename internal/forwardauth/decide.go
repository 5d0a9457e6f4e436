package forwardauth

import (
	"errors"
	"net/http"
	"strings"

	"idp/internal/forwardauth/sites"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// decide says whether a request passes: nil, or a refusal; who is whom it passes for,
// nil for anyone. Every way of reading the path has to let it in.
func (f *ForwardAuth) decide(w http.ResponseWriter, r *http.Request, q *question) (who *identity, err error) {
	if strings.HasPrefix(q.path(), sites.PathOurs) { // else the login would lead here, and from here to the login
		return nil, refusal{reason.SiteNotRouted, "the proxy asks about " + web.Quote(q.path()) + ": route everything below /.idp/ to idp"}
	}
	gates, ok := q.site.Gates(q.path())
	if !ok {
		return nil, refusal{reason.SitePath, web.Quote(q.path())}
	}
	from := q.from(r)
	open := true
	for _, g := range gates {
		if !g.ReachableFrom(from) {
			return nil, refusal{reason.SiteNetwork, "the client is in none of the networks"}
		}
		open = open && g.Anyone
	}
	if open {
		return f.visitor(r, q), nil
	}
	if who, err = f.identify(w, r, q, gates); err != nil {
		return nil, err
	}
	web.InfoFrom(r.Context()).User = who.user.Name
	for _, g := range gates {
		if !g.Anyone && !g.Admits(who.user) {
			return nil, refusal{reason.SiteNotAllowed, web.Quote(q.path()) + " is for " + g.For() + ": the user is in none of these groups"}
		}
	}
	return who, nil
}

// visitor is who comes to a page that is open to anyone, as far as the site is told:
// somebody who is logged in, and whom it lets in where it is not open. Everybody else is
// nobody, for the site may take whom it is told of for one of those. A credential is
// none of ours here: it may be for the site itself.
func (f *ForwardAuth) visitor(r *http.Request, q *question) *identity {
	own := q.site.Own()
	who, err := f.loggedIn(r, q, []sites.Gate{own})
	if err != nil {
		if why := (refusal{}); !errors.As(err, &why) {
			web.InfoFrom(r.Context()).Err = err // no reason to turn anyone away
		}
		return nil
	}
	if !own.ReachableFrom(q.from(r)) || !own.Admits(who.user) {
		return nil
	}
	return who
}

// identify finds out who sends a request, by the site's cookie or, where a program
// shows one, by a ticket or a password, and that they have shown enough.
func (f *ForwardAuth) identify(w http.ResponseWriter, r *http.Request, q *question, gates []sites.Gate) (*identity, error) {
	if web.Program(r) {
		if scheme, value, ok := q.credential(r); !ok || scheme != "" {
			return f.credential(w, r, q, gates, scheme, value)
		}
	}
	return f.loggedIn(r, q, gates)
}

// loggedIn is who is behind the site's cookie; a refusal where nobody is, or where they
// have not shown enough.
func (f *ForwardAuth) loggedIn(r *http.Request, q *question, gates []sites.Gate) (*identity, error) {
	c, grant, err := f.current(r, q)
	if err != nil {
		return nil, err
	}
	for _, g := range gates {
		if !g.Anyone && !(policy.Reaches(c.Session.ACR, g.ACR) && f.Policy.Enough(c.Session, c.User, q.site.Host, q.from(r))) {
			return nil, refusal{reason.SiteFactor, "the session has shown acr " + c.Session.ACR}
		}
	}
	return &identity{user: c.User, amr: c.Session.AMR, acr: c.Session.ACR, authTime: c.Session.AuthTime, session: c.Session, grant: grant}, nil
}

// current is the live session behind the site's cookie; a refusal where there is none.
func (f *ForwardAuth) current(r *http.Request, q *question) (c *session.Current, grant string, err error) {
	value, err := q.cookie(r, cookieSite)
	if err != nil {
		return nil, "", refusal{reason.SiteCookie, "the site's cookie comes twice"}
	}
	grant, sum, ok := cutCookie(value)
	if !ok {
		return nil, "", refusal{reason.SiteLogin, ""}
	}
	found, err := f.Store.SiteSession(r.Context(), grant, q.site.Host, f.Now().UnixMilli())
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", refusal{reason.SiteLogin, "the session has ended"}
	}
	if err != nil {
		return nil, "", err
	}
	if !secret.Verify(f.cookieKeys, sealed(q.site, grant, found.Session.SecretHash), sum) {
		return nil, "", refusal{reason.SiteLogin, "the cookie is older than the last login of the session, or forged"}
	}
	c, err = f.Sessions.Use(r, &found.Session, &found.User)
	if errors.Is(err, session.ErrNone) {
		return nil, "", refusal{reason.SiteLogin, "the session has ended"}
	}
	return c, grant, err
}
