package web

import (
	"strings"
	"time"
)

// AccountFrame is what every page of the account shows around its own: where one is
// among the places, and what was done a moment ago. Pages embed it; their templates
// begin with {{template "accountnav" .}} and have {{define "width"}}account{{end}}; those
// of pages that do not embed it with {{template "accountnav" (place "/account/…")}}.
type AccountFrame struct {
	Here   string // path of the page
	User   string // who is logged in
	Notice *Notice
}

// AccountPlace is a link of the account's navigation. Current is the value of its
// aria-current: page, true (the page is below that place), or empty.
type AccountPlace struct{ URL, Text, Current string }

// accountPlaces are the navigation, and which other pages belong to a place.
var accountPlaces = []struct {
	url, text string
	inside    []string
}{
	{"/", "My sites", nil},
	{"/account", "Overview", nil},
	{"/account/profile", "Profile", []string{"/account/name"}},
	{"/account/security", "Security", []string{"/account/password", "/account/factors", "/account/logins"}},
	{"/account/sessions", "Sessions", nil},
	{"/account/sites", "Allowed", nil},
	{"/account/history", "History", nil},
}

// Places is the navigation as a page shows it.
func (f AccountFrame) Places() []AccountPlace {
	var all []AccountPlace
	for _, p := range accountPlaces {
		place := AccountPlace{URL: p.url, Text: p.text}
		if f.Here == p.url {
			place.Current = "page"
		}
		for _, below := range p.inside {
			if f.Here == below || strings.HasPrefix(f.Here, below+"/") {
				place.Current = "true"
			}
		}
		all = append(all, place)
	}
	return all
}

// HomePage is the start page: the sites that somebody may use.
type HomePage struct {
	AccountFrame
	Sites  []MySite // those that are shown
	All    int      // how many fit
	Query  string   // what was searched for
	Search bool     // there are so many that searching helps
}

// MySite is a site that somebody may use, with the page that it begins at.
type MySite struct {
	Site
	URL string
}

// AccountPage says who is logged in, and what to look at.
type AccountPage struct {
	AccountFrame
	FullName, Email string
	Groups          []string
	How             string // "with your company ticket"
	Principal       string // Kerberos principal; may be empty
	Since, Until    time.Time
	Sites           []Site // that this login visited
	FormToken       string
	Look            []Look
}

// Look is something of one's account that is worth a look.
type Look struct{ Text, URL, Link string }

// AccountCard is one thing that protects an account, on its security page: how it
// stands, and the page that changes it.
type AccountCard struct {
	Title, State string
	Text         string // more about it; may be empty
	Lacks        bool   // the state is one that should be mended
	URL, Link    string // where to change it, in words: "Change the password"; empty: nowhere
}

// SecurityPage shows how somebody logs in.
type SecurityPage struct {
	AccountFrame
	Cards []AccountCard
}

// SessionsPage lists where somebody is logged in.
type SessionsPage struct {
	AccountFrame
	FormToken string
	Sessions  []AccountSession
	Devices   []AccountDevice
}

// AccountSession is one login of one browser.
type AccountSession struct {
	ID          string
	Agent       string // "Firefox on Windows"
	Here        bool   // it is this browser's
	How         string
	Address     string
	Inside      bool // the address is in the company's network
	Since, Seen time.Time
	Until       time.Time
	Sites       []Site // that it visited
}

// AccountDevice is a site, or a device of one, that stays logged in by itself.
type AccountDevice struct {
	ID          string // of the grant
	Site        Site
	Device      bool // a device that was allowed by a code
	Offline     bool // it stays when the login that allowed it ends
	Address     string
	Since, Used time.Time
}

// AllowedPage lists what somebody allowed sites.
type AllowedPage struct {
	AccountFrame
	Allowed   []Allowed
	FormToken string // of the forms that take it back
}

// Allowed is what somebody allowed one relying party.
type Allowed struct {
	ClientID string
	Site     Site
	Shares   []Share
	Since    time.Time
}

// HistoryPage tells what happened to somebody's account.
type HistoryPage struct {
	AccountFrame
	Entries  []HistoryEntry
	Days     int    // how far it goes back
	OlderURL string // the page that goes on; empty: it is the last
	Later    bool   // it is not the first
}

// HistoryEntry is one thing that happened, in plain words.
type HistoryEntry struct {
	At      time.Time
	Text    string
	Where   string // "from 10.1.2.3, Firefox on Windows"; may be empty
	Strange bool   // somebody else may have done it
}

// ProfilePage shows what sites may be told of somebody.
type ProfilePage struct {
	AccountFrame
	Facts []ProfileFact
	From  string // who keeps it
}

// ProfileFact is one thing that sites may be told.
type ProfileFact struct {
	Name, Value string
	From        string // where it comes from, as a sentence
	URL, Link   string // where to change it; empty: somebody else does
}

// NamePage asks for another full name.
type NamePage struct {
	AccountFrame
	FormToken string
	FullName  string
	Version   int64 // of what is changed
}
