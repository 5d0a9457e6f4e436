package web

import (
	"slices"
	"time"
)

// state is a page in one of its states, to be looked at and tested.
type state struct {
	Name, Page string
	Status     int
	Data       any
}

// states is every page in every state, for tests and photographs.
func states() []state {
	wiki := &Site{Name: "Wiki", Host: "wiki.example.com"}
	since := time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
	login := LoginPage{Action: "/login", FormToken: "token", LoginID: "id", Site: wiki, Reference: "2026-11-23 08:30:00 UTC, 6nq2TtYvQJ"}
	with := func(change func(*LoginPage)) LoginPage {
		p := login
		change(&p)
		return p
	}
	methods := func(first int, order ...Method) []Method {
		order = append([]Method{{Kind: MethodForm}, {Kind: MethodUpstream, ID: "partner", Name: "Partner Incorporated"}, {Kind: MethodUpstream, ID: "city", Name: "City of Example"}}, order...)
		m := order[first]
		return slices.Insert(slices.Delete(order, first, first+1), 0, m)
	}
	login.Methods = methods(0)[:1]
	wrong := &Notice{Kind: "error", Title: "Name or password is wrong", Text: "Check both and try again. Capital letters count."}
	fresh := &Notice{Kind: "info", Title: "Please enter your password", Text: "The site asks for a more recent login than your company ticket shows."}
	expired := &Notice{Kind: "info", Title: "Your password has expired", Text: "Set a new one, and you are logged in."}
	short := &Notice{Kind: "error", Title: "The new password was not accepted", Text: "It may be too short, too simple, or one that you have had before."}
	weak := &Notice{Kind: "error", Title: "The password was not accepted", Text: "A password needs at least 15 characters here.", Hint: "Several words that do not belong together make a good one."}
	setup := func(outcome string, change func(*SetupPage)) SetupPage {
		p := setupPage
		p.Outcome, p.Reference = outcome, login.Reference
		if outcome == "yes" {
			p.Principal, p.Name, p.Mechanism, p.Since, p.Until = "alice@EXAMPLE.COM", "alice", "Kerberos, by SPNEGO", since, since.Add(10*time.Hour)
		}
		if change != nil {
			change(&p)
		}
		return p
	}
	consent := func(change func(*ConsentPage)) ConsentPage {
		p := ConsentPage{Action: "/consent", FormToken: "token", LoginID: "id", Site: wiki, User: "alice", OtherURL: "/authorize/resume?login=id&other=1", Shares: shares, Remembered: true,
			About: []SiteLink{{"About the site", "https://wiki.example.com/about", "wiki.example.com"}, {"What it does with what it learns", "https://example.com/privacy", "example.com"},
				{"Its terms", "https://example.com/terms", "example.com"}}}
		if change != nil {
			change(&p)
		}
		return p
	}
	device := func(change func(*DevicePage)) DevicePage {
		p := DevicePage{FormToken: "token", User: "alice", OtherURL: "/device?other=1", Reference: login.Reference}
		if change != nil {
			change(&p)
		}
		return p
	}
	tv := &Site{Name: "Tellyvision"}
	ask := DeviceAskPage{FormToken: "token", Code: "WDJB-MJHT", Site: tv, User: "alice", OtherURL: "/device?other=1&user_code=WDJB-MJHT", Shares: shares[:2],
		Asked: since, Ago: "1 minute ago", Address: "192.0.2.7", Near: true}
	far := ask
	far.Near, far.Address, far.Ago, far.Shares = false, "2001:db8:1234:5678:9abc:def0:1234:5678", "less than a minute ago", shares
	far.Site, far.About = &Site{Name: "The extraordinarily long name of an application on a television", Host: "tv.example.com"}, []SiteLink{{"About the site", "https://tv.example.com/about", "tv.example.com"}}
	stranger := &Site{Name: "Bank of Example", Host: "app.example.net", Unchecked: true}
	unchecked, nowhere := ask, ask
	unchecked.Site = &Site{Name: stranger.Name, Unchecked: true}
	nowhere.Address, nowhere.Near = "", false
	return append(slices.Concat(accountStates(), factorStates(), passkeyStates()), []state{
		{"device", "device", 200, device(nil)},
		{"device-link", "device", 200, device(func(p *DevicePage) { p.Code, p.ByLink = "WDJB-MJHT", true })},
		{"device-wrong", "device", 404, device(func(p *DevicePage) {
			p.Code, p.Notice = "wdjb mjhx", &Notice{Kind: "error", Title: "No device waits with this code", Text: "Compare it with what your device shows: letters only, no numbers.",
				Hint: "A code is good for 10 minutes. After that the device shows a new one, or you start again there."}
		})},
		{"device-locked", "device", 429, device(func(p *DevicePage) {
			p.Locked, p.Until = true, since
			p.Notice = &Notice{Kind: "error", Title: "Too many codes were wrong", Text: "So that nobody finds a code by trying, none is looked at for a while."}
		})},
		{"deviceask", "deviceask", 200, ask},
		{"deviceask-far", "deviceask", 200, far},
		{"deviceask-unchecked", "deviceask", 200, unchecked},
		{"deviceask-nowhere", "deviceask", 200, nowhere},
		{"devicedone-allowed", "devicedone", 200, DeviceDonePage{Site: tv, User: "alice", Allowed: true}},
		{"devicedone-offline", "devicedone", 200, DeviceDonePage{Site: tv, User: "alice", Allowed: true, Offline: true}},
		{"devicedone-denied", "devicedone", 200, DeviceDonePage{Site: tv, User: "alice"}},
		{"login", "login", 200, login},
		{"login-methods", "login", 200, with(func(p *LoginPage) { p.Methods = methods(0) })},
		{"login-upstream", "login", 200, with(func(p *LoginPage) {
			p.Methods, p.TicketURL = methods(1, Method{Kind: MethodTicket}), "/login/negotiate?login=id"
		})},
		{"login-ticket", "login", 200, with(func(p *LoginPage) {
			p.Methods, p.TicketURL, p.NoTicketOffer = methods(3, Method{Kind: MethodTicket}), "/login/negotiate?login=id", true
		})},
		{"login-hint", "login", 200, with(func(p *LoginPage) {
			p.Methods, p.Username, p.OtherURL = methods(2), "carol@city.example", "/login?login=id&other=1"
		})},
		{"login-upstream-down", "login", 200, with(func(p *LoginPage) {
			p.Methods = methods(1)
			p.Notice = &Notice{Kind: "error", Title: "Partner Incorporated does not answer", Text: "You were not logged in.", Hint: "Try again in a minute, or log in another way."}
		})},
		{"login-fresh-upstream", "login", 200, with(func(p *LoginPage) {
			p.Methods, p.SignedInAs, p.OtherURL = methods(1), "carol", "/login?login=id&other=1"
		})},
		{"login-inside", "login", 401, with(func(p *LoginPage) { p.TicketURL, p.NoTicketOffer = "/login/negotiate?login=id", true })},
		{"login-wrong", "login", 401, with(func(p *LoginPage) { p.Notice, p.Username, p.TicketURL = wrong, "alice", "/login/negotiate" })},
		{"login-fresh", "login", 200, with(func(p *LoginPage) { p.Notice, p.SignedInAs, p.OtherURL = fresh, "alice", "/login?login=id&other=1" })},
		{"login-remember", "login", 200, with(func(p *LoginPage) { p.Remember, p.Remembered = true, true })},
		{"newpassword", "newpassword", 200, with(func(p *LoginPage) { p.Notice, p.Username, p.OtherURL = expired, "alice", "/login?login=id&other=1" })},
		{"newpassword-refused", "newpassword", 401, with(func(p *LoginPage) { p.Notice, p.Username = short, "alice" })},
		{"invitation", "invitation", 200, LinkPage{FormToken: "token", Token: "link", MinLength: 15, Until: since}},
		{"invitation-form", "invitation", 200, LinkPage{FormToken: "token", Name: "bob", MinLength: 15, Until: since}},
		{"invitation-refused", "invitation", 200, LinkPage{FormToken: "token", Name: "bob", MinLength: 15, Notice: weak, Reference: login.Reference}},
		{"reset", "invitation", 200, LinkPage{Reset: true, FormToken: "token", Token: "link", MinLength: 15, Until: since}},
		{"reset-form", "invitation", 200, LinkPage{Reset: true, FormToken: "token", Name: "bob", MinLength: 15}},
		{"password", "password", 200, PasswordPage{AccountFrame: AccountFrame{Here: "/account/password", User: "bob"}, FormToken: "token", MinLength: 15}},
		{"password-refused", "password", 200, PasswordPage{AccountFrame: AccountFrame{Here: "/account/password", User: "bob", Notice: weak}, FormToken: "token", MinLength: 15, Reference: login.Reference}},
		{"password-changed", "password", 200, PasswordPage{AccountFrame: AccountFrame{Here: "/account/password", User: "bob"}, Changed: true}},
		{"password-elsewhere", "password", 200, PasswordPage{AccountFrame: AccountFrame{Here: "/account/password", User: "alice"}, Elsewhere: true}},
		{"login-unchecked", "login", 200, with(func(p *LoginPage) { p.Site = stranger })},
		{"login-own", "login", 200, with(func(p *LoginPage) { p.Site = nil })},
		{"consent", "consent", 200, consent(nil)},
		{"consent-more", "consent", 200, consent(func(p *ConsentPage) {
			p.Before, p.More, p.About, p.Shares = true, true, nil, slices.Clone(shares)
			p.Shares[2].New, p.Shares[6].New = true, true
		})},
		{"consent-again", "consent", 200, consent(func(p *ConsentPage) { p.Before, p.About = true, nil })},
		{"consent-unchecked", "consent", 200, consent(func(p *ConsentPage) { p.Site, p.About, p.Shares = stranger, nil, shares[:3] })},
		{"consent-app", "consent", 200, consent(func(p *ConsentPage) {
			p.Remembered = false
			p.Site, p.Shares = &Site{Name: "The extraordinarily long name of an application on a telephone", Host: "the app com.example.extraordinarily.long.name"}, shares[:1]
		})},
		{"error", "error", 400, ErrorPage{Title: "This link has expired", Message: "This login was already used, is too old, or was started in another browser.",
			Hint: "Start again from the site you came from.", Links: []Link{{"Go to your account", "/account"}}, Reference: login.Reference}},
		{"logout", "logout", 200, LogoutPage{FormToken: "token", User: "alice", Site: wiki, Fields: map[string]string{"state": "x"}}},
		{"logout-unchecked", "logout", 200, LogoutPage{FormToken: "token", User: "alice", Site: stranger}},
		{"signedout", "signedout", 200, SignedOutPage{}},
		{"signedout-tickets", "signedout", 200, SignedOutPage{NoTicket: true}},
		{"signedout-waits", "signedout", 200, SignedOutPage{Waits: true, NextURL: "https://wiki.example.com/bye", Site: wiki}},
		{"signedout-frames", "signedout", 200, SignedOutPage{Frames: []string{"/frame"}}},
		{"signedout-goes-on", "signedout", 200, SignedOutPage{Frames: []string{"/frame"}, NextURL: "/signedout", Site: wiki}},
		{"stopped", "stopped", 400, StoppedPage{Site: wiki, What: "scope is missing, or holds nothing that this client may ask for", BackURL: "https://wiki.example.com/?error=invalid_scope", Reference: login.Reference}},
		{"stopped-form", "stopped", 400, StoppedPage{Site: wiki, What: "it wanted to know who you are without asking you", BackURL: "https://wiki.example.com/", BackFields: map[string]string{"error": "interaction_required"}, Reference: login.Reference}},
		{"denied", "denied", 403, DeniedPage{User: "alice", Site: wiki, OtherURL: "/login", BackURL: "https://wiki.example.com/", Reference: login.Reference}},
		{"denied-unchecked", "denied", 403, DeniedPage{User: "alice", Site: stranger, OtherURL: "/login", BackURL: "https://app.example.net/", Reference: login.Reference}},
		{"denied-form", "denied", 403, DeniedPage{User: "alice", Site: wiki, OtherURL: "/login", BackURL: "https://wiki.example.com/", BackFields: map[string]string{"error": "access_denied"}, Reference: login.Reference}},
		{"formpost", "formpost", 200, FormPostPage{Site: wiki, Action: "https://wiki.example.com/callback", Fields: map[string]string{"code": "c", "state": "s"}}},
		{"setup", "setup", 200, setup("", nil)},
		{"setup-yes", "setup", 200, setup("yes", nil)},
		{"setup-none", "setup", 200, SetupPage{Outcome: "none"}},
		{"setup-yes-signedout", "setup", 200, setup("yes", func(p *SetupPage) { p.SignedOut = true })},
		{"setup-yes-noticket", "setup", 200, setup("yes", func(p *SetupPage) { p.NoTicket = true })},
		{"setup-no", "setup", 401, setup("no", func(p *SetupPage) { p.Causes = causes })},
		{"setup-phone", "setup", 401, setup("no", func(p *SetupPage) {
			p.Causes = []Cause{{Title: "Phones and tablets have no tickets", Text: "Nothing is wrong."}}
		})},
		{"setup-ntlm", "setup", 401, setup("refused", func(p *SetupPage) {
			p.Text, p.Code, p.Causes = "The browser may send a ticket, but had none for this site, and offered NTLM instead.", "NTLM_TOKEN", causes[1:]
		})},
		{"setup-refused", "setup", 401, setup("refused", func(p *SetupPage) { p.Text, p.Code = "The server's key does not open the ticket.", "WRONG_KEY" })},
		{"setup-outside", "setup", 200, setup("outside", func(p *SetupPage) { p.Address = "2001:db8:1234:5678:9abc:def0:1234:5678" })},
		{"setup-forwarded", "setup", 200, setup("outside", func(p *SetupPage) { p.Forwarded = true })},
		{"setup-unready", "setup", 200, setup("unready", func(p *SetupPage) { p.Text = "The server has no key to open tickets with (kerberos.keytabs)." })},
	}...)
}

// shares are what a site gets that asks for much.
var shares = []Share{
	{Text: "An identifier that stands for you", Detail: "always the same one; with it, when and how you logged in"},
	{Text: "Your profile", Detail: "Alice Liddell, alice; nickname, picture, web pages, gender, birthday, time zone and language as far as they are known here"},
	{Text: "Your mail address", Detail: "alice@example.com"},
	{Text: "The groups you are in", Detail: "those it may see: finance, staff"},
	{Text: "What the site calls “read”"},
	{Text: "To act for you at", Detail: "https://ledger.example.com/a/rather/long/path/that/has/to/be/broken/somewhere"},
	{Text: "To stay logged in there while you are away", Detail: "until you take it back"},
}

// setupPage is the set-up page of a site with one policy file.
var setupPage = SetupPage{
	Site: "https://sso.example.com", TestURL: "https://sso.example.com/setup/test",
	Files: []SetupFile{{URL: "/setup/files/chrome-edge-linux.json", Name: "chrome-edge-linux.json", For: "Chrome, Chromium and Edge on Linux",
		Check: "chrome://policy shows AuthServerAllowlist with the status OK.", Tried: "Tried: idp's tests load it into the browser.",
		Places: []string{"Chrome: /etc/opt/chrome/policies/managed/idp.json", "Chromium: /etc/chromium/policies/managed/idp.json"}}},
	Notes: []string{"Each policy is one value: if your browsers already have a list of sites for tickets, add this site to it."},
}

var causes = []Cause{
	{Title: "The browser may not send tickets to this site", Text: "edge://policy must show AuthServerAllowlist with the line below.", Code: []string{"sso.example.com"}},
	{Title: "This computer has no ticket", Text: "It is not in the company's domain, or you are logged in to it with a local account. The list must name krbtgt:", Code: []string{"klist"}},
	{Title: "The company's domain does not know this site", Text: "It must have a service named HTTP/sso.example.com. You see it when this fails:", Code: []string{"klist get HTTP/sso.example.com"}},
}
