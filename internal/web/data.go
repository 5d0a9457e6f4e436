package web

import (
	"html/template"
	"time"
)

// Site is a relying party as people see it: who asks.
type Site struct {
	Name      string
	Host      string // where it is; an app says so; empty: nobody can tell
	Unchecked bool   // it registered itself, and nobody here has vouched for it
}

// SiteLink is a relying party's page on itself.
type SiteLink struct{ Text, URL, Host string }

// Share is one thing that a relying party gets of somebody, in plain words.
type Share struct {
	Text, Detail string
	New          bool // beside what was allowed before
}

// Notice is a message at the head of a page. Kind is "error" or "info".
type Notice struct{ Kind, Title, Text, Hint string }

// MethodKind is a kind of logging in.
type MethodKind string

// The kinds, as the login page's template knows them.
const (
	MethodForm     MethodKind = "form"
	MethodTicket   MethodKind = "ticket"
	MethodUpstream MethodKind = "upstream"
	MethodPasskey  MethodKind = "passkey"
)

// Method is one way to log in. ID and Name are an upstream's.
type Method struct {
	Kind     MethodKind
	ID, Name string
}

// UpstreamButton is a provider that people may log in with. Mail addresses of Domains
// are its people's; they are not shown.
type UpstreamButton struct {
	ID, Name string
	Domains  []string
}

// LoginPage is the login page: the form, the body of a 401, re-authentication;
// and the page "newpassword", for whoever has typed a password that has expired.
type LoginPage struct {
	Action        string // where the form goes
	FormToken     string
	LoginID       string // id of the login request; may be empty
	Site          *Site  // nil: a page of our own asks
	Username      string // to begin with
	Notice        *Notice
	TicketURL     string // "Log in with your company ticket"; empty: not offered
	NoTicketOffer bool   // offer not to use tickets on this device
	SignedInAs    string // somebody must confirm that they are still there
	OtherURL      string // the page for another account; empty: it is for nobody in particular
	Upstreams     []UpstreamButton
	Methods       []Method     // what is offered; the first is what to begin with
	Passkey       *PasskeyForm // nil: none is offered
	Remember      bool         // offer to remember this device
	Remembered    bool         // which it is already
	Reference     string
}

// Focus is what the page is opened at: the notice of an error, what to begin with
// where that is a button, else the first field that is to be filled in.
func (p LoginPage) Focus() string {
	switch {
	case p.Notice != nil && p.Notice.Kind == "error":
		return "notice"
	case len(p.Methods) > 0 && p.Methods[0].Kind != MethodForm && p.Methods[0].Kind != MethodPasskey: // whose button a script shows
		return "first"
	case p.Username != "" || p.SignedInAs != "":
		return "password"
	default:
		return "username"
	}
}

// Or reports whether method i stands behind an "or" of the page's. What parts the
// passkey from the others is only there when its button is.
func (p LoginPage) Or(i int) bool {
	return i == 1 && p.Methods[1].Kind != MethodTicket && p.Methods[0].Kind != MethodPasskey && p.Methods[1].Kind != MethodPasskey
}

// TicketFirst reports whether the ticket is what to begin with.
func (p LoginPage) TicketFirst() bool { return len(p.Methods) > 0 && p.Methods[0].Kind == MethodTicket }

// ConsentPage asks whether a relying party may get what it asks for.
type ConsentPage struct {
	Action    string
	FormToken string
	LoginID   string // id of the login request
	Site      *Site  // and where the answer is sent: its Host
	About     []SiteLink
	User      string // who is logged in
	OtherURL  string // log in as somebody else
	Shares    []Share
	Before    bool // something was allowed before
	More      bool // but not all of this
	// Remembered: who allows it is not asked again for the same.
	Remembered bool
}

// DevicePage asks for the code that a device shows (RFC 8628 §3.3).
type DevicePage struct {
	FormToken string
	User      string // who is logged in
	OtherURL  string // log in as somebody else
	Code      string // what was typed
	ByLink    bool   // or rather what a link has filled in: to be compared
	Notice    *Notice
	Locked    bool      // too many codes were wrong: there is nothing to type
	Until     time.Time // of Locked
	Reference string
}

// DeviceAskPage asks whether a relying party may log in on a device.
type DeviceAskPage struct {
	FormToken string
	Code      string // as the device shows it
	Site      *Site
	About     []SiteLink
	User      string
	OtherURL  string
	Shares    []Share
	Asked     time.Time // by the device
	Ago       string    // the same in words: "1 minute ago"
	Address   string    // where the device asked from; empty: nobody can tell
	Near      bool      // which is the visitor's network too
}

// DeviceDonePage tells what was answered to a device.
type DeviceDonePage struct {
	Site    *Site
	User    string
	Allowed bool
	Offline bool // it may stay logged in while its person is away
}

// LogoutPage asks whether to sign out. Fields are sent along, hidden.
type LogoutPage struct {
	FormToken string
	User      string
	Site      *Site
	Fields    map[string]string
}

// SignedOutPage tells that somebody is signed out. Where relying parties are told
// by frames it waits for them a moment, and goes on by itself.
type SignedOutPage struct {
	Frames   []string     // addresses; empty: nobody is told by frames
	NextURL  template.URL // where to go on to then; any registered scheme; empty: nowhere
	Site     *Site        // whose NextURL is
	Waits    bool         // at NextURL until somebody follows it: nobody has vouched for Site
	NoTicket bool         // people log in by ticket here, and this browser does not until its next login
}

// DeniedPage tells a user that a site is not for them.
type DeniedPage struct {
	User     string
	Site     *Site
	OtherURL string       // log in as somebody else
	BackURL  template.URL // back to the site, with access_denied; any registered scheme
	// BackFields are posted to BackURL, where the site wants a form; nil: a link.
	BackFields map[string]string
	Reference  string
}

// StoppedPage tells what is wrong with a request of a site that nobody has vouched
// for, to which people are not sent on by themselves.
type StoppedPage struct {
	Site    *Site
	What    string       // is wrong, as the end of a sentence
	BackURL template.URL // on to the site, with the error; any registered scheme
	// BackFields are posted to BackURL, where the site wants a form; nil: a link.
	BackFields map[string]string
	Reference  string
}

// FormPostPage posts an authorization response to a site: by itself, or by its
// button where scripts do not run (OAuth 2.0 Form Post Response Mode §2).
type FormPostPage struct {
	Site   *Site
	Action string // http or https: the template lets nothing else pass
	Fields map[string]string
}

// Script is all that the page runs.
func (FormPostPage) Script() template.JS { return submitScript }

// SetupPage tells whether a browser logs in silently.
type SetupPage struct {
	Site    string // the issuer
	TestURL string
	Outcome string // empty: not tested yet; else yes, no, refused, outside, unready; none: there are no tickets here
	Text    string // why, of refused and unready
	Code    string // reason code of refused

	Principal, Name, Mechanism string // of yes
	Since, Until               time.Time
	SignedOut, NoTicket        bool // a ticket is not used in this browser, although it could be

	Causes    []Cause // of no and refused, the most likely first
	Address   string  // of outside; empty when a proxy hides it
	Forwarded bool    // of outside: by a proxy nobody told us about
	Files     []SetupFile
	Notes     []string // for administrators
	Reference string
}

// Cause is a reason why something did not work, and how to find out: Code is
// what to type or to compare.
type Cause struct {
	Title, Text string
	Code        []string
}

// SetupFile is a policy file to download.
type SetupFile struct {
	URL, Name, For, Check, Tried string
	Places                       []string
}
