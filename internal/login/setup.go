package login

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"idp/internal/authn"
	"idp/internal/browserpolicy"
	"idp/internal/kerberos"
	"idp/internal/reason"
	"idp/internal/store"
	"idp/internal/web"
)

// The set-up page's paths; the table of routes has them too.
const (
	pathSetup      = "/setup"
	pathSetupTest  = pathSetup + "/test"
	pathSetupFiles = pathSetup + "/files/"
)

// methodSetup is how the log line names a ticket that was only tested.
const methodSetup = "setup-test"

// What a test of a browser can end with, as the page's template knows it.
const (
	setupYes     = "yes"     // a ticket came and is good
	setupNo      = "no"      // no ticket came
	setupRefused = "refused" // what came is no good
	setupOutside = "outside" // nobody asked for one: the address is outside
	setupUnready = "unready" // nobody asked for one: there is no key to check it with
	setupNone    = "none"    // nobody asks for any: there is no kerberos section
)

// ServeSetup answers GET /setup: what the test is, and the policy files.
func (l *Login) ServeSetup(w http.ResponseWriter, r *http.Request) error {
	p := web.SetupPage{}
	if !l.Policy.UsesTickets() {
		p.Outcome = setupNone
	}
	return l.setup(w, r, http.StatusOK, p)
}

// ServeSetupFile answers GET /setup/files/{name}: a policy file. It holds what
// every visitor knows, the address of this site.
func (l *Login) ServeSetupFile(w http.ResponseWriter, r *http.Request) error {
	f, ok := browserpolicy.ByName(l.Issuer, r.PathValue("name"))
	if !ok {
		return l.Pages.ServeNotFound(w, r)
	}
	w.Header().Set("Content-Type", f.Type)
	w.Header().Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
	_, err := w.Write(f.Content)
	return err
}

// ServeSetupTest answers GET /setup/test: would this browser log in silently?
// The challenge is Negotiate alone, so that nobody is prompted, and its body is
// what a browser shows that sends no ticket. A ticket is checked as a login's is,
// replay and audit of refusals included, and no session comes of it. As at
// /login/negotiate, a request that carries credentials is never challenged again.
func (l *Login) ServeSetupTest(w http.ResponseWriter, r *http.Request) error {
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	a, err := l.setupAttempt(w, r)
	if err != nil {
		return err
	}
	info := web.InfoFrom(r.Context())
	info.Method = methodSetup
	if !l.Policy.OffersTicket(a.from) {
		info.Detail = l.whyNot(&attempt{from: a.from})
	}
	switch {
	case !l.Policy.UsesTickets():
		return l.setup(w, r, http.StatusOK, web.SetupPage{Outcome: setupNone})
	case !authn.Inside(l.Kerberos.OfferTo, a.from): // before anything is told of the server
		return l.setup(w, r, http.StatusOK, l.setupFromOutside(info))
	case !l.Policy.OffersTicket(a.from):
		return l.setup(w, r, http.StatusOK, web.SetupPage{Outcome: setupUnready, Text: l.unready()})
	case a.row == nil && web.FromBrowser(r) && !r.URL.Query().Has("login"):
		return l.setupRequest(w, r, a)
	}
	scheme, value, ok := authorization(r.Header["Authorization"])
	switch {
	case !ok:
		return l.setupRefused(w, r, l.Authn.Refuse(r.Context(), a.from, "", reason.TokenTooBig, headerTooLong))
	case scheme == "":
		w.Header().Set("WWW-Authenticate", "Negotiate")
		return l.setup(w, r, http.StatusUnauthorized, web.SetupPage{Outcome: setupNo, Causes: l.causes(r, false)})
	}
	token, err := base64.StdEncoding.DecodeString(value)
	if err != nil || scheme != "negotiate" { // a password is not looked at here
		return l.setupRefused(w, r, l.Authn.Refuse(r.Context(), a.from, "", reason.Malformed, "not a token of Negotiate"))
	}
	return l.setupTicket(w, r, a, token)
}

// setupAttempt is begin, but a login request that is over is none: the test goes
// on without, and whoever keeps no cookies is not sent around in circles.
func (l *Login) setupAttempt(w http.ResponseWriter, r *http.Request) (*attempt, error) {
	a, err := l.begin(w, r, r.URL.Query().Get("login"))
	if errors.Is(err, store.ErrNotFound) {
		return l.begin(w, r, "")
	}
	return a, err
}

// setupRequest gives a browser a login request for its test, which keeps what a
// client that offers another mechanism first, as Windows does, needs between its
// tokens. Who logs in with it gets to the set-up page.
func (l *Login) setupRequest(w http.ResponseWriter, r *http.Request, a *attempt) error {
	row := store.LoginRequest{BrowserHash: a.browser.Hash, ReturnTo: pathSetup}
	target, err := l.Policy.Begin(r.Context(), row, a.from, authn.Markers{})
	if errors.Is(err, store.ErrTooMany) {
		return web.TooManyRequests(err)
	}
	if err != nil {
		return err
	}
	_, query, _ := strings.Cut(target, "?")
	return web.Redirect(w, r, http.StatusSeeOther, pathSetupTest+"?"+query)
}

// setupTicket checks one token of the browser.
func (l *Login) setupTicket(w http.ResponseWriter, r *http.Request, a *attempt, token []byte) error {
	res, next, err := l.leg(r, a, token)
	if err != nil {
		return l.setupRefused(w, r, err)
	}
	if next != nil {
		if err := l.keepLeg(r, a, next.State); err != nil {
			return err
		}
		sendToken(w, next.Reply)
		return l.setup(w, r, http.StatusUnauthorized, web.SetupPage{Outcome: setupNo, Causes: l.causes(r, false)})
	}
	if a.row != nil && len(a.row.State) > 0 { // what was begun is over
		if err := l.keepLeg(r, a, []byte{}); err != nil {
			return err
		}
	}
	sendToken(w, res.Reply) // mutual authentication: RFC 4559 §5
	web.InfoFrom(r.Context()).User = res.User.Name
	return l.setup(w, r, http.StatusOK, web.SetupPage{
		Outcome: setupYes, Principal: res.Principal, Name: res.User.Name, Mechanism: mechanisms[res.Mechanism],
		Since: res.AuthTime, Until: res.Until, SignedOut: a.browser.SignedOut, NoTicket: a.browser.NoTicket,
	})
}

// mechanisms are the ways a ticket comes, in words.
var mechanisms = map[kerberos.Mechanism]string{
	kerberos.MechanismSPNEGO:   "Kerberos, by SPNEGO",
	kerberos.MechanismKerberos: "Kerberos, without SPNEGO",
}

// setupRefused answers credentials that were no good: a bare 401.
func (l *Login) setupRefused(w http.ResponseWriter, r *http.Request, err error) error {
	var e *reason.Error
	if !errors.As(err, &e) {
		return err
	}
	logRefusal(web.InfoFrom(r.Context()), e)
	if !web.FromBrowser(r) { // as at /login/negotiate
		sendToken(w, e.Reply)
	}
	p := web.SetupPage{Outcome: setupRefused, Text: l.refusalText(e.Reason), Code: string(e.Reason)}
	if e.Reason == reason.NTLM || e.Reason == reason.NegoexOnly {
		p.Causes = l.causes(r, true)
	}
	return l.setup(w, r, http.StatusUnauthorized, p)
}

// setup renders the page.
func (l *Login) setup(w http.ResponseWriter, r *http.Request, status int, p web.SetupPage) error {
	if p.Outcome == setupNone {
		return l.Pages.Render(w, r, status, "setup", p)
	}
	files, err := browserpolicy.Files(l.Issuer)
	if err != nil { // an issuer that no policy can name: the test goes on without files
		web.InfoFrom(r.Context()).Detail = err.Error()
	}
	p.Site, p.TestURL, p.Reference = browserpolicy.Origin(l.Issuer), browserpolicy.Origin(l.Issuer)+pathSetupTest, reference(r)
	for _, f := range files {
		file := web.SetupFile{URL: pathSetupFiles + f.Name, Name: f.Name, For: f.For, Check: f.Check, Tried: f.TriedText()}
		for _, place := range f.Places {
			file.Places = append(file.Places, place.For+": "+place.Path)
		}
		p.Files = append(p.Files, file)
	}
	p.Notes = browserpolicy.Notes(l.Issuer)
	return l.Pages.Render(w, r, status, "setup", p)
}
