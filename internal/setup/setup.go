// Package setup answers whether a browser would log in silently, and what to do
// where it does not: the set-up page, its test, and the policy files. The test asks
// for a ticket as package login does and judges it in the same way (package authn),
// but nobody is logged in by it.
package setup

import (
	"errors"
	"net/http"
	"net/url"

	"idp/internal/authn"
	"idp/internal/browserpolicy"
	"idp/internal/policy"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// The paths; the table of routes has them too.
const (
	pathPage  = "/setup"
	pathTest  = pathPage + "/test"
	pathFiles = pathPage + "/files/"
)

// What a test of a browser can end with, as the page's template knows it.
const (
	outcomeYes     = "yes"     // a ticket came and is good
	outcomeNo      = "no"      // no ticket came
	outcomeRefused = "refused" // what came is no good
	outcomeOutside = "outside" // nobody asked for one: the address is outside
	outcomeUnready = "unready" // nobody asked for one: there is no key to check it with
	outcomeNone    = "none"    // nobody asks for any: there is no kerberos section
)

// Config is everything New needs.
type Config struct {
	Store    *store.Store
	Sessions *session.Sessions
	Authn    *authn.Authn
	Policy   *policy.Policy
	Pages    *web.Pages
	Issuer   *url.URL // what browsers are to send tickets to
}

// Setup serves the set-up pages. Safe for concurrent use.
type Setup struct{ Config }

// New makes a Setup.
func New(c Config) (*Setup, error) {
	if c.Store == nil || c.Sessions == nil || c.Authn == nil || c.Policy == nil || c.Pages == nil || c.Issuer == nil {
		return nil, errors.New("setup: Store, Sessions, Authn, Policy, Pages and Issuer are required")
	}
	return &Setup{c}, nil
}

// ServePage answers GET /setup: what the test is, and the policy files.
func (s *Setup) ServePage(w http.ResponseWriter, r *http.Request) error {
	p := web.SetupPage{}
	if !s.Policy.UsesTickets() {
		p.Outcome = outcomeNone
	}
	return s.page(w, r, http.StatusOK, p)
}

// ServeFile answers GET /setup/files/{name}: a policy file. It holds what
// every visitor knows, the address of this site.
func (s *Setup) ServeFile(w http.ResponseWriter, r *http.Request) error {
	f, ok := browserpolicy.ByName(s.Issuer, r.PathValue("name"))
	if !ok {
		return s.Pages.ServeNotFound(w, r)
	}
	w.Header().Set("Content-Type", f.Type)
	w.Header().Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
	_, err := w.Write(f.Content)
	return err
}

// page renders the page.
func (s *Setup) page(w http.ResponseWriter, r *http.Request, status int, p web.SetupPage) error {
	if p.Outcome == outcomeNone {
		return s.Pages.Render(w, r, status, "setup", p)
	}
	files, err := browserpolicy.Files(s.Issuer)
	if err != nil { // an issuer that no policy can name: the test goes on without files
		web.InfoFrom(r.Context()).Detail = err.Error()
	}
	p.Site, p.TestURL, p.Reference = browserpolicy.Origin(s.Issuer), browserpolicy.Origin(s.Issuer)+pathTest, web.ReferenceOf(r)
	for _, f := range files {
		file := web.SetupFile{URL: pathFiles + f.Name, Name: f.Name, For: f.For, Check: f.Check, Tried: f.TriedText()}
		for _, place := range f.Places {
			file.Places = append(file.Places, place.For+": "+place.Path)
		}
		p.Files = append(p.Files, file)
	}
	p.Notes = browserpolicy.Notes(s.Issuer)
	return s.Pages.Render(w, r, status, "setup", p)
}
