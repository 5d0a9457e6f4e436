package forwardauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"idp/internal/forwardauth/sites"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/web"
)

// maxTarget bounds where a login comes back to, in bytes; longer ones come back to the
// site's first page.
const maxTarget = 4096

// visited reads which site a request for /.idp/ came to: what its proxy says or, where it
// says nothing, the host that was asked for.
func (f *ForwardAuth) visited(r *http.Request) (*question, error) {
	info := web.InfoFrom(r.Context())
	info.Assets = assets
	if !info.Proxied {
		return nil, notHere(refusal{reason.SiteProxy, "asked by a peer that is not in trusted_proxies"})
	}
	said := asked{}
	for _, family := range []func(*http.Request) (asked, error){original, forwarded} {
		a, err := family(r)
		if err != nil {
			return nil, notHere(err)
		}
		a.method = "" // of this very request, as the address is
		if err := said.agree(a); err != nil {
			return nil, notHere(err)
		}
	}
	if said.host == "" {
		said.host = r.Host
	}
	q, err := f.at(said.proto, said.host)
	if err != nil {
		return nil, notHere(err)
	}
	q.target = said.target
	info.ClientID = q.site.Host
	return q, nil
}

// notHere is the page for a request that came to /.idp/ of no site that we know.
func notHere(err error) error {
	var why refusal
	if !errors.As(err, &why) {
		return err
	}
	e := refusalPage(why.code)
	e.Err = why
	return e
}

// ServeStart answers GET /.idp/start: it gives the browser the verifier of a login and
// sends it to the authorization endpoint. to is where it comes back to.
func (f *ForwardAuth) ServeStart(w http.ResponseWriter, r *http.Request) error {
	q, err := f.visited(r)
	if err != nil {
		return err
	}
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	verifier, err := q.cookie(r, cookieStart)
	if err != nil {
		return err
	}
	if len(verifier) != len(secret.Token()) { // else that of a login in another tab, which goes on
		verifier = secret.Token().Reveal()
	}
	target, err := f.target(r, q)
	if err != nil {
		return err
	}
	if !r.URL.Query().Has("other") && f.letIn(r, q, target.path) {
		return f.sendBack(w, r, q, target.path)
	}
	q.setCookie(w, cookieStart, secret.String(verifier), startAge)
	return web.Redirect(w, r, http.StatusSeeOther, f.authorize(q, secret.S256(verifier), target, r.URL.Query()))
}

// target is where the login comes back to, and the level that it has to reach for that:
// what the page wants and, of somebody who is logged in, what the rules demand where
// they are in the eyes of the site. The authorization endpoint may see them elsewhere,
// and would send them back with what was not enough.
func (f *ForwardAuth) target(r *http.Request, q *question) (t target, err error) {
	t.path = safeTarget(r.URL.Query().Get("to"))
	t.acr = q.site.Demands(withoutQuery(t.path))
	c, _, err := f.current(r, q)
	if why := (refusal{}); errors.As(err, &why) {
		return t, nil
	}
	if err == nil {
		t.acr = policy.Stronger(t.acr, f.Policy.OfSession(c.Session, c.User, q.site.Host, q.from(r)))
	}
	return t, err
}

type target struct{ path, acr string }

// letIn reports whether the cookie that came here lets its browser in at a path already.
func (f *ForwardAuth) letIn(r *http.Request, q *question, path string) bool {
	gates, ok := q.site.Gates(withoutQuery(path))
	if !ok || slices.ContainsFunc(gates, func(g sites.Gate) bool { return !g.ReachableFrom(q.from(r)) }) {
		return false
	}
	who, err := f.loggedIn(r, q, gates)
	return err == nil && !slices.ContainsFunc(gates, func(g sites.Gate) bool { return !g.Anyone && !g.Admits(who.user) })
}

// Somebody who is let in, and is sent here again and again, is behind a proxy that asks
// about them without their cookie; once or twice, they have logged in in another tab
// meanwhile, or clicked twice.
const (
	sentMost   = 3
	sentWithin = 10 // seconds
)

// sendBack sends somebody who is let in to where they want to go, which needs no login.
func (f *ForwardAuth) sendBack(w http.ResponseWriter, r *http.Request, q *question, path string) error {
	sent, err := q.cookie(r, cookieSent)
	if err != nil {
		return err
	}
	times, _ := strconv.Atoi(sent)
	if times >= sentMost {
		return notHere(refusal{reason.SiteCookieLost, "the browser has sent the site's cookie to /.idp/start, and the proxy's question came without it"})
	}
	q.setCookie(w, cookieSent, secret.String(strconv.Itoa(times+1)), sentWithin)
	return web.Redirect(w, r, http.StatusSeeOther, origin(q.origin)+path)
}

// authorize is the authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3).
func (f *ForwardAuth) authorize(q *question, challenge string, t target, query url.Values) string {
	v := url.Values{
		"client_id": {q.site.Host}, "redirect_uri": {q.callback()}, "response_type": {"code"}, "scope": {"openid profile"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"}, "state": {stateOf(t.path, query.Has("again"))},
	}
	if query.Get("other") != "" {
		v.Set("prompt", "select_account")
	}
	if t.acr != "" && t.acr != policy.ACROneFactor {
		v.Set("claims", essentialACR(t.acr))
	}
	return "/authorize?" + v.Encode()
}

func (q *question) callback() string { return origin(q.origin) + sites.PathCallback }

// essentialACR asks for a level or a stronger one (OIDC Core §5.5.1.1).
func essentialACR(need string) string {
	var levels []string
	for _, level := range policy.ACRLevels {
		if policy.Reaches(level, need) {
			levels = append(levels, level)
		}
	}
	type claim struct {
		Essential bool     `json:"essential"`
		Values    []string `json:"values"`
	}
	text, err := json.Marshal(map[string]map[string]claim{"id_token": {"acr": {true, levels}}})
	if err != nil { // strings always marshal
		panic(err)
	}
	return string(text)
}

// safeTarget is a path of the same host, which is all that a login comes back to: not
// what a browser would take for another host (//host, /\host), nor for a new line of
// the answer, nor what begins the next login.
func safeTarget(target string) string {
	odd := func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' }
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || len(target) > maxTarget || strings.ContainsFunc(target, odd) ||
		strings.HasPrefix(target, sites.PathOurs) {
		return "/"
	}
	return target
}

// The state of the authorization request is where to come back to, behind a letter that
// says whether the login was begun again already.
const (
	stateFirst = "1"
	stateAgain = "2"
)

func stateOf(target string, again bool) string {
	if again {
		return stateAgain + target
	}
	return stateFirst + target
}

// readState: whoever changed it has chosen another path of the same host.
func readState(state string) (target string, again bool) {
	if state == "" {
		return "/", false
	}
	return safeTarget(state[1:]), state[:1] == stateAgain
}
