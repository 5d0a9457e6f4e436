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
)

// ServeSetup answers GET /setup: what the test is, and the policy files.
func (l *Login) ServeSetup(w http.ResponseWriter, r *http.Request) error {
	return l.setup(w, r, http.StatusOK, web.SetupPage{})
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
	info := web.InfoFrom(r.Context())
	info.Method = methodSetup
	from := authn.From{Address: info.Client, Outside: info.Outside, RequestID: info.RequestID}
	if !l.Policy.OffersTicket(from) {
		info.Detail = l.whyNot(&attempt{from: from})
	}
	if !authn.Inside(l.Kerberos.OfferTo, from) { // before anything is told of the server
		return l.setup(w, r, http.StatusOK, l.setupFromOutside(info))
	}
	if !l.Policy.OffersTicket(from) {
		return l.setup(w, r, http.StatusOK, web.SetupPage{Outcome: setupUnready, Text: l.unready()})
	}
	headers := r.Header["Authorization"]
	if len(headers) == 0 {
		w.Header().Set("WWW-Authenticate", "Negotiate")
		return l.setup(w, r, http.StatusUnauthorized, web.SetupPage{Outcome: setupNo, Causes: l.causes(r, false)})
	}
	if len(headers) > 1 || len(headers[0]) > maxAuthorization {
		return l.setupRefused(w, r, l.Authn.Refuse(r.Context(), from, "", reason.TokenTooBig, "the Authorization header is too long, or there twice"))
	}
	scheme, value, _ := strings.Cut(headers[0], " ")
	token, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil || !strings.EqualFold(scheme, "negotiate") { // a password is not looked at here
		return l.setupRefused(w, r, l.Authn.Refuse(r.Context(), from, "", reason.Malformed, "not a token of Negotiate"))
	}
	return l.setupTicket(w, r, token, from)
}

// setupTicket checks the ticket.
func (l *Login) setupTicket(w http.ResponseWriter, r *http.Request, token []byte, from authn.From) error {
	res, err := l.Authn.Ticket(r.Context(), token, from)
	if err != nil {
		return l.setupRefused(w, r, err)
	}
	b, err := l.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	if len(res.Reply) > 0 { // mutual authentication: RFC 4559 §5
		w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(res.Reply))
	}
	web.InfoFrom(r.Context()).User = res.User.Name
	return l.setup(w, r, http.StatusOK, web.SetupPage{
		Outcome: setupYes, Principal: res.Principal, Name: res.User.Name, Mechanism: mechanisms[res.Mechanism],
		Since: res.AuthTime, Until: res.Until, SignedOut: b.SignedOut, NoTicket: b.NoTicket,
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
	p := web.SetupPage{Outcome: setupRefused, Text: l.refusalText(e.Reason), Code: string(e.Reason)}
	if e.Reason == reason.NTLM || e.Reason == reason.NegoexOnly {
		p.Causes = l.causes(r, true)
	}
	return l.setup(w, r, http.StatusUnauthorized, p)
}

// setup renders the page.
func (l *Login) setup(w http.ResponseWriter, r *http.Request, status int, p web.SetupPage) error {
	files, err := browserpolicy.Files(l.Issuer)
	if err != nil { // an issuer that no policy can name: the test goes on without files
		web.InfoFrom(r.Context()).Detail = err.Error()
	}
	p.Site, p.TestURL, p.Reference = browserpolicy.Origin(l.Issuer), browserpolicy.Origin(l.Issuer)+pathSetupTest, reference(r)
	for _, f := range files {
		file := web.SetupFile{URL: pathSetupFiles + f.Name, Name: f.Name, For: f.For, Check: f.Check, Tried: f.TriedText()}
		for _, place := range f.Place {
			file.Places = append(file.Places, place.Browser+": "+place.Path)
		}
		p.Files = append(p.Files, file)
	}
	p.Notes = browserpolicy.Notes(l.Issuer)
	return l.Pages.Render(w, r, status, "setup", p)
}
