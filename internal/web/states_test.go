package web

import "time"

// state is a page in one of its states, to be looked at and tested.
type state struct {
	Name, Page string
	Status     int
	Data       any
}

// states is every page in every state, for tests and photographs.
func states() []state {
	wiki := &Site{"Wiki", "wiki.example.com"}
	since := time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
	login := LoginPage{Action: "/login", FormToken: "token", LoginID: "id", Site: wiki, Reference: "2026-11-23 08:30:00 UTC, 6nq2TtYvQJ"}
	with := func(change func(*LoginPage)) LoginPage {
		p := login
		change(&p)
		return p
	}
	wrong := &Notice{Kind: "error", Title: "Name or password is wrong", Text: "Check both and try again. Capital letters count."}
	fresh := &Notice{Kind: "info", Title: "Please enter your password", Text: "The site asks for a more recent login than your company ticket shows."}
	expired := &Notice{Kind: "info", Title: "Your password has expired", Text: "Set a new one, and you are logged in."}
	short := &Notice{Kind: "error", Title: "The new password was not accepted", Text: "It may be too short, too simple, or one that you have had before."}
	return []state{
		{"login", "login", 200, login},
		{"login-inside", "login", 401, with(func(p *LoginPage) { p.TicketURL, p.NoTicketOffer = "/login/negotiate?login=id", true })},
		{"login-wrong", "login", 401, with(func(p *LoginPage) { p.Notice, p.Username, p.TicketURL = wrong, "alice", "/login/negotiate" })},
		{"login-fresh", "login", 200, with(func(p *LoginPage) { p.Notice, p.SignedInAs = fresh, "alice" })},
		{"newpassword", "newpassword", 200, with(func(p *LoginPage) { p.Notice, p.Username, p.OtherURL = expired, "alice", "/login?login=id&other=1" })},
		{"newpassword-refused", "newpassword", 401, with(func(p *LoginPage) { p.Notice, p.Username = short, "alice" })},
		{"login-own", "login", 200, with(func(p *LoginPage) { p.Site = nil })},
		{"account", "account", 200, AccountPage{Name: "alice", FullName: "Alice Liddell", Email: "alice@example.com", Groups: []string{"finance", "staff"},
			How: "with your company ticket", Principal: "alice@EXAMPLE.COM", Since: since, Until: since.Add(10 * time.Hour),
			Sites: []Site{*wiki, {"Tickets", "tickets.example.com"}}, FormToken: "token"}},
		{"account-plain", "account", 200, AccountPage{Name: "bob", How: "with your name and password", Since: since, Until: since.Add(time.Hour), FormToken: "token"}},
		{"error", "error", 400, ErrorPage{Title: "This link has expired", Message: "This login was already used, is too old, or was started in another browser.",
			Hint: "Start again from the site you came from.", Links: []Link{{"Go to your account", "/account"}}, Reference: login.Reference}},
		{"logout", "logout", 200, LogoutPage{FormToken: "token", User: "alice", Site: wiki, Fields: map[string]string{"state": "x"}}},
		{"signedout", "signedout", 200, SignedOutPage{}},
		{"denied", "denied", 403, DeniedPage{User: "alice", Site: wiki, OtherURL: "/login", BackURL: "https://wiki.example.com/", Reference: login.Reference}},
	}
}
