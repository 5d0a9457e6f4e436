package web

import (
	"strings"
	"time"
)

// AccountFrame is what every page of the account shows around its own: where one is
// among the places, and what was done a moment ago. Pages embed it; their templates
// begin with {{template "accountnav" .}} and have {{define "width"}}account{{end}}.
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
	{"/account/profile", "Profile", nil},
	{"/account/security", "Security", []string{"/account/password", "/account/factors", "/account/logins"}},
	{"/account/sessions", "Sessions", nil},
	{"/account/sites", "Allowed sites", nil},
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

// AccountPage is a person's own page.
type AccountPage struct {
	AccountFrame
	Name, FullName, Email string
	Groups                []string
	How                   string // "with your company ticket"
	Principal             string // Kerberos principal; may be empty
	Since, Until          time.Time
	Sites                 []Site
	FormToken             string
	Allowed               []Allowed
	AllowedToken          string // of the forms that take it back
	TakenBack             *Site  // from whom it was taken back a moment ago; nil: nothing was
}

// Allowed is what somebody allowed one relying party.
type Allowed struct {
	ClientID string
	Site     Site
	Shares   []Share
	Since    time.Time
}

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
