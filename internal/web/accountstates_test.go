package web

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// accountStates are the pages of the account and the start page in every state.
func accountStates() []state {
	wiki, stranger := Site{Name: "Wiki", Host: "wiki.example.com"}, Site{Name: "Bank of Example", Unchecked: true}
	since := time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
	at := func(here string) AccountFrame { return AccountFrame{Here: here, User: "alice"} }
	told := func(here, kind, title, text string) AccountFrame {
		f := at(here)
		f.Notice = &Notice{Kind: kind, Title: title, Text: text}
		return f
	}
	var many []MySite
	for i := range 60 {
		many = append(many, MySite{Site{Name: fmt.Sprintf("Site %d", i), Host: fmt.Sprintf("site-%d.example.com", i)}, fmt.Sprintf("https://site-%d.example.com/?iss=https%%3A%%2F%%2Fsso.example.com", i)})
	}
	account := AccountPage{AccountFrame: at("/account"), FullName: "Alice Liddell", Email: "alice@example.com", Groups: []string{"finance", "staff"},
		How: "with your company ticket", Principal: "alice@EXAMPLE.COM", Since: since, Until: since.Add(10 * time.Hour),
		Sites: []Site{wiki, stranger}, FormToken: "token", Look: []Look{
			{"Somebody tried to log in with your name in the last seven days, and did not get in", "/account/history", "History"},
			{"You are logged in at 3 other places", "/account/sessions", "Sessions"}}}
	plain := AccountPage{AccountFrame: at("/account"), How: "with your name and password", Since: since, Until: since.Add(time.Hour), FormToken: "token"}
	sessions := []AccountSession{
		{ID: "a", Agent: "Firefox on Windows", Here: true, How: "with your company ticket", Address: "10.1.2.3", Inside: true, Since: since, Seen: since.Add(time.Hour), Until: since.Add(8 * time.Hour), Sites: []Site{wiki, stranger}},
		{ID: "b", Agent: "An unknown browser or program", How: "with your name and password, and with a one-time code", Address: "2001:db8:1234:5678:9abc:def0:1234:5678", Since: since, Seen: since, Until: since},
	}
	devices := []AccountDevice{
		{ID: "c", Site: Site{Name: "Tellyvision"}, Device: true, Address: "192.0.2.7", Since: since, Used: since},
		{ID: "d", Site: Site{Name: "The extraordinarily long name of an application on a telephone", Unchecked: true}, Offline: true, Since: since, Used: since.Add(time.Hour)},
	}
	history := []HistoryEntry{
		{At: since, Text: "Logged in with your company ticket", Where: "from 10.1.2.3, Firefox on Windows"},
		{At: since, Text: "Somebody tried to log in with your name 57 times that day, and did not get in", Where: "from 2001:db8:1234:5678:9abc:def0:1234:5678, an unknown browser or program", Strange: true},
		{At: since, Text: "An administrator set a new password for you"},
	}
	facts := []ProfileFact{{Name: "User name", Value: "alice", From: "It never changes"}, {Name: "Name", Value: "Alice Liddell", From: "From your company"},
		{Name: "Mail address", Value: "alice@example.com (not checked)", From: "From your company"}, {Name: "Groups", Value: "finance, staff", From: "From your company"}}
	own := []ProfileFact{{Name: "Name", Value: "Bob", From: "From an administrator here, or from yourself", URL: "/account/name", Link: "Change your name"}}
	allowed := []Allowed{{ClientID: "tickets", Site: Site{Name: "Tickets", Host: "tickets.example.com"}, Shares: shares, Since: since},
		{ClientID: "gone", Site: Site{Name: "gone"}, Shares: shares[:1], Since: since}, {ClientID: "bank", Site: stranger, Shares: shares[:2], Since: since}}
	cards := []AccountCard{{Title: "Password", State: "Your company keeps it", Text: "It is the one that you log in to your computer with, and is changed there."},
		{Title: "Second factor", State: "You have none", Lacks: true, URL: "/account/factors", Link: "Set one up"}}
	return []state{
		{"home", "home", 200, HomePage{AccountFrame: at("/"), Sites: many[:7], All: 7}},
		{"home-none", "home", 200, HomePage{AccountFrame: at("/")}},
		{"home-many", "home", 200, HomePage{AccountFrame: at("/"), Sites: many, All: 212, Search: true}},
		{"home-found", "home", 200, HomePage{AccountFrame: at("/"), Sites: many[:1], All: 212, Search: true, Query: "site 0"}},
		{"home-not-found", "home", 200, HomePage{AccountFrame: at("/"), All: 212, Search: true, Query: "nothing"}},
		{"account", "account", 200, account},
		{"account-plain", "account", 200, plain},
		{"profile", "profile", 200, ProfilePage{AccountFrame: at("/account/profile"), Facts: facts, From: "your company"}},
		{"profile-changed", "profile", 200, ProfilePage{AccountFrame: told("/account/profile", "info", "Your name is changed", "Sites are told the next time that they ask."), Facts: own, From: "an administrator here"}},
		{"name", "name", 200, NamePage{AccountFrame: at("/account/name"), FormToken: "token", FullName: "Bob", Version: 1}},
		{"name-refused", "name", 400, NamePage{AccountFrame: told("/account/name", "error", "This name cannot be taken", "It has no letter."), FormToken: "token", FullName: "…", Version: 1}},
		{"security", "security", 200, SecurityPage{AccountFrame: at("/account/security"), Cards: cards}},
		{"security-changed", "security", 200, SecurityPage{AccountFrame: told("/account/security", "info", "Your password is changed", ""), Cards: cards[:1]}},
		{"sessions", "sessions", 200, SessionsPage{AccountFrame: at("/account/sessions"), FormToken: "token", Sessions: sessions, Devices: devices}},
		{"sessions-one", "sessions", 200, SessionsPage{AccountFrame: told("/account/sessions", "info", "Signed out everywhere else", "Only this browser is still logged in."), FormToken: "token", Sessions: sessions[:1]}},
		{"sites", "sites", 200, AllowedPage{AccountFrame: at("/account/sites"), FormToken: "token", Allowed: allowed}},
		{"sites-none", "sites", 200, AllowedPage{AccountFrame: told("/account/sites", "info", "Taken back from Wiki", "It gets nothing of you from here any more."), FormToken: "token"}},
		{"history", "history", 200, HistoryPage{AccountFrame: at("/account/history"), Days: 30, Entries: history, OlderURL: "/account/history?before=0123456789ab"}},
		{"history-later", "history", 200, HistoryPage{AccountFrame: at("/account/history"), Days: 30, Entries: history, Later: true}},
		{"history-none", "history", 200, HistoryPage{AccountFrame: at("/account/history"), Days: 30}},
	}
}

// Every page of the account says which one it is: once, in the navigation.
func TestTheNavigationSaysWhereOneIs(t *testing.T) {
	current := regexp.MustCompile(`<a href="([^"]*)" aria-current="(page|true)">`)
	for _, s := range accountStates() {
		found := current.FindAllStringSubmatch(show(t, newPages(t), s).Body.String(), -1)
		if len(found) != 1 {
			t.Errorf("%s: %q", s.Name, found)
		}
	}
	for here, want := range map[string]string{"/account/factors/totp": "/account/security true", "/account/passwords": "", "/account/logins": "/account/security true", "/": "/ page"} {
		got := ""
		for _, p := range (AccountFrame{Here: here}).Places() {
			if p.Current != "" {
				got += p.URL + " " + p.Current
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", here, got, want)
		}
	}
	if body := show(t, newPages(t), accountStates()[0]).Body.String(); !strings.Contains(body, `<nav class="places-bar" aria-label="Your account">`) {
		t.Error("no navigation")
	}
}
