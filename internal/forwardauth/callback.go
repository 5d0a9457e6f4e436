package forwardauth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"idp/internal/forwardauth/sites"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// ServeCallback answers GET /.idp/callback: it redeems the code, which is of this site
// and of the browser that holds the verifier, in one conditional statement, gives the
// browser the site's cookie and sends it back to where it was.
func (f *ForwardAuth) ServeCallback(w http.ResponseWriter, r *http.Request) error {
	q, err := f.visited(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	target, again := readState(query.Get("state"))
	if query.Has("error") { // of whoever is logged in, too: back would only lead here again
		return f.notLoggedIn(q, target, query.Get("error"))
	}
	if c, _, err := f.current(r, q); err == nil { // another tab was faster, or this page was reloaded
		web.InfoFrom(r.Context()).User = c.User.Name
		return f.back(w, r, q, target)
	} else if why := (refusal{}); !errors.As(err, &why) {
		return err
	}
	grant, err := f.redeem(r, q, query)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrReused) {
		return f.beginAgain(w, r, q, target, again, err)
	}
	if err != nil {
		return err
	}
	behind, err := f.Store.SiteSession(r.Context(), grant.ID, q.site.Host, f.Now().UnixMilli())
	if errors.Is(err, store.ErrNotFound) { // it ended a moment ago
		return f.beginAgain(w, r, q, target, again, err)
	}
	if err != nil {
		return err
	}
	q.setCookie(w, cookieStart, "", -1)
	q.setCookie(w, cookieSite, f.seal(q.site, grant.ID, behind.Session.SecretHash), 0)
	return f.back(w, r, q, target)
}

// back sends the browser to a path of the site that it came from.
func (f *ForwardAuth) back(w http.ResponseWriter, r *http.Request, q *question, target string) error {
	return web.Redirect(w, r, http.StatusSeeOther, origin(q.origin)+target)
}

// redeem turns the code into a grant (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9207 §2.4).
// store.ErrNotFound: it is none that this browser can redeem here.
func (f *ForwardAuth) redeem(r *http.Request, q *question, query url.Values) (*store.Grant, error) {
	verifier, err := q.cookie(r, cookieStart)
	if err != nil {
		return nil, err
	}
	if verifier == "" || len(query["code"]) != 1 || query.Get("iss") != f.Issuer.String() {
		return nil, store.ErrNotFound
	}
	now := f.Now()
	info := web.InfoFrom(r.Context())
	_, grant, err := f.Store.RedeemCode(r.Context(), store.Redeem{
		Hash: secret.Hash(secret.String(query.Get("code"))), ClientID: q.site.Host, RedirectURI: q.callback(), CodeChallenge: secret.S256(verifier), ByVerifier: true,
		Now: now.UnixMilli(), Entry: store.Entry{Actor: "client:" + q.site.Host, Address: info.Client.String(), RequestID: info.RequestID},
		Grant: func(c store.Code, now2 store.Standing) (store.Grant, *store.RefreshFamily, error) {
			info.User = now2.User.Name
			return store.Grant{Scope: c.Scope, AMR: c.AMR, ACR: c.ACR, AuthTime: c.AuthTime, CreatedAt: now.UnixMilli(), ExpiresAt: now.Add(f.Longest).UnixMilli()}, nil, nil
		},
	})
	return grant, err
}

// beginAgain begins the login once more, for a code that was not this browser's, or has
// been used: there is no way to be logged in by somebody else's link, and the right one
// costs a person nothing. A browser that keeps no cookies would do so for ever.
func (f *ForwardAuth) beginAgain(w http.ResponseWriter, r *http.Request, q *question, target string, again bool, cause error) error {
	if !again {
		web.InfoFrom(r.Context()).Detail = "the code is not this browser's, or was used: the login begins again"
		return web.Redirect(w, r, http.StatusSeeOther, q.startURL(target, "")+"&again=1")
	}
	return &web.Error{
		Status: http.StatusBadRequest, Code: "LOGIN_EXPIRED", Title: "You could not be logged in here",
		Message: "This login was already used, is too old, or your browser does not keep the cookies of this site.",
		Hint:    "Allow cookies for this site, then try again.", Links: []web.Link{{Text: "Try again", URL: q.startURL(target, "")}}, Err: cause,
	}
}

// notLoggedIn answers an authorization request that was refused (RFC 6749 §4.1.2.1).
func (f *ForwardAuth) notLoggedIn(q *question, target, code string) error {
	e := &web.Error{Status: http.StatusForbidden, Code: "LOGIN_REFUSED", Title: "You were not logged in", Message: "The login ended before it was done."}
	switch code {
	case "access_denied":
		e = refusalPage(reason.SiteNotAllowed)
	case "unmet_authentication_requirements": // OpenID Connect Core Unmet Authentication Requirements 1.0
		e = refusalPage(reason.SiteFactor)
	}
	e.Links = []web.Link{{Text: "Try again", URL: q.startURL(target, "")}, {Text: "Use another account", URL: q.startURL(target, "account")}}
	e.Err = errors.New("the authorization endpoint answered " + web.Quote(code))
	return e
}

// ServeSignOut answers GET /.idp/sign-out: the issuer asks, and ends the session of all
// sites.
func (f *ForwardAuth) ServeSignOut(w http.ResponseWriter, r *http.Request) error {
	q, err := f.visited(r)
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, "/end_session?"+url.Values{"client_id": {q.site.Host}}.Encode())
}

// ServeDenied answers GET /.idp/denied, where a proxy may send people whose request was
// refused, for it shows them no page of ours; reason is that of the refusal.
func (f *ForwardAuth) ServeDenied(_ http.ResponseWriter, r *http.Request) error {
	q, err := f.visited(r)
	if err != nil {
		return err
	}
	why := reason.Code(r.URL.Query().Get("reason"))
	if _, known := texts[why]; !known {
		why = reason.SiteNotAllowed
	}
	e := refusalPage(why)
	info := web.InfoFrom(r.Context()) // whoever is told the page's reference finds this line
	if c, _, err := f.current(r, q); err == nil {
		info.User = c.User.Name
		if why == reason.SiteNotAllowed {
			e.Message = notFor(c.User.Name)
		}
	}
	if !strings.HasPrefix(q.path(), sites.PathOurs) { // said by the proxy, with X-Original-URL
		info.Detail = "asked for " + web.Quote(q.path())
	}
	e.Links = q.otherAccount(why, q.target)
	return e
}

// ServeNothing answers what else is asked for below /.idp/.
func (f *ForwardAuth) ServeNothing(_ http.ResponseWriter, r *http.Request) error {
	q, err := f.visited(r)
	if err != nil {
		return err
	}
	return &web.Error{Status: http.StatusNotFound, Code: "NOT_FOUND", Title: "There is no page here", Message: "The address is wrong or no longer in use.",
		Links: []web.Link{{Text: "Go to the site", URL: origin(q.origin) + "/"}}}
}
