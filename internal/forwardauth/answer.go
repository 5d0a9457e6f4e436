package forwardauth

import (
	"errors"
	"net/http"
	"net/url"

	"idp/internal/forwardauth/sites"
	"idp/internal/reason"
	"idp/internal/web"
)

// HeaderReason says why a request does not pass, to programs and to whoever looks into
// a proxy's log.
const HeaderReason = "Idp-Reason"

// ServeAsk answers GET /forward-auth and, for Envoy, whatever is asked below it.
func (f *ForwardAuth) ServeAsk(w http.ResponseWriter, r *http.Request) error {
	info := web.InfoFrom(r.Context())
	info.Assets = assets
	q, err := f.read(r)
	if err != nil {
		return f.refuse(w, r, &question{}, err)
	}
	info.ClientID = q.site.Host
	who, err := f.decide(w, r, q)
	if err == nil && who != nil {
		err = f.tell(w.Header(), q.site, who)
	}
	if err != nil {
		return f.refuse(w, r, q, err)
	}
	if cookies := othersCookies(r.Header); cookies != "" {
		w.Header()["Cookie"] = []string{cookies}
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// refuse answers a request that does not pass. Trouble of ours is passed on: what a
// proxy gets then is no 200 either.
func (f *ForwardAuth) refuse(w http.ResponseWriter, r *http.Request, q *question, err error) error {
	var why refusal
	if !errors.As(err, &why) {
		return err
	}
	info := web.InfoFrom(r.Context())
	if info.Reason == "" {
		info.Reason, info.Detail = string(why.code), why.detail
	}
	w.Header().Set(HeaderReason, string(why.code))
	status := http.StatusForbidden
	switch why.code {
	case reason.SiteLogin, reason.SiteCredential:
		status = http.StatusUnauthorized
	case reason.SiteUnavailable: // RFC 9110 §15.6.4
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	case reason.SiteFactor:
		if q.navigation(r) { // else nobody is there to show one
			status = http.StatusUnauthorized
		}
	}
	if q.method == "" { // not known: what the proxy says cannot be believed
		q.method = http.MethodGet
	}
	if q.navigation(r) {
		return f.page(w, r, q, why.code, status)
	}
	if why.code == reason.SiteLogin && web.Program(r) {
		f.challenge(w, r, q)
	}
	t := texts[why.code]
	return web.JSON(w, status, map[string]string{"error": oauthError(why.code), "reason": string(why.code), "message": t.title + ". " + t.message, "reference": web.ReferenceOf(r)})
}

// oauthError is a reason as programs know errors.
func oauthError(code reason.Code) string {
	switch code {
	case reason.SiteLogin, reason.SiteFactor:
		return "login_required"
	case reason.SiteUnavailable: // RFC 6749 §4.1.2.1
		return "temporarily_unavailable"
	}
	return "access_denied"
}

// page answers a person: with the way to the login, which a proxy or the browser
// itself goes on to, or with what can be done.
func (f *ForwardAuth) page(w http.ResponseWriter, r *http.Request, q *question, code reason.Code, status int) error {
	if q.site == nil {
		t := texts[code]
		return f.Pages.Render(w, r, status, "error", web.ErrorPage{Title: t.title, Message: t.message, Hint: t.hint, Reference: web.ReferenceOf(r)})
	}
	start := q.startURL(q.target, "")
	links := q.otherAccount(code, q.target)
	switch {
	case code == reason.SiteNotRouted: // no address of the site leads to us
		links = nil
	case status == http.StatusUnauthorized && q.redirects:
		return web.Redirect(w, r, http.StatusSeeOther, start)
	case status == http.StatusUnauthorized:
		w.Header().Set("Location", start)
		w.Header().Set("Refresh", "0; url="+start)
		links = []web.Link{{Text: "Log in", URL: start}}
	}
	t := texts[code]
	message := t.message
	if code == reason.SiteNotAllowed {
		message = notFor(web.InfoFrom(r.Context()).User)
	}
	return f.Pages.Render(w, r, status, "error", web.ErrorPage{Title: t.title, Message: message, Hint: t.hint, Links: links, Reference: web.ReferenceOf(r)})
}

// notFor is what somebody reads who is logged in, and not one of those whom a page is
// for; name is empty where it is not known who they are.
func notFor(name string) string {
	if name == "" {
		return texts[reason.SiteNotAllowed].message
	}
	return "You are logged in as " + name + ", who is not one of those whom this page is for."
}

// otherAccount leads to the login of somebody else, where the reason is who they are.
func (q *question) otherAccount(code reason.Code, target string) []web.Link {
	if code != reason.SiteNotAllowed && code != reason.SiteName {
		return nil
	}
	return []web.Link{{Text: "Use another account", URL: q.startURL(target, "account")}}
}

// challenge asks a program for what it can show. No browser gets here: it would ask its
// person, in the name of whatever page made the request.
func (f *ForwardAuth) challenge(w http.ResponseWriter, r *http.Request, q *question) {
	if r.Header.Get("Authorization") != "" {
		return // never a second time: a wrong password would be sent for ever
	}
	if f.Policy.OffersTicket(q.from(r)) {
		w.Header().Add("WWW-Authenticate", "Negotiate")
	}
	if q.site.TakesPasswords() {
		w.Header().Add("WWW-Authenticate", `Basic realm="`+f.BasicRealm+`", charset="UTF-8"`)
	}
}

// startURL begins a login that comes back to target.
func (q *question) startURL(target, other string) string {
	v := url.Values{"to": {safeTarget(target)}}
	if other != "" {
		v.Set("other", other)
	}
	return origin(q.origin) + sites.PathStart + "?" + v.Encode()
}

// assets are below the paths that a site's proxy routes to us.
const assets = "/.idp"
