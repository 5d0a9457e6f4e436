package setup

import (
	"net/http"
	"strings"

	"idp/internal/browserpolicy"
	"idp/internal/useragent"
	"idp/internal/web"
)

// causes are why no ticket came, the most likely first, as far as the request
// shows: a browser says no word about it. ntlm: the browser may send tickets
// here, for it offered NTLM, so its computer had none for us.
func (s *Setup) causes(r *http.Request, ntlm bool) []web.Cause {
	a := useragent.Identify(r.Header)
	if a.IsPhone() {
		return []web.Cause{{Title: "Phones and tablets have no tickets", Text: "Nothing is wrong. Log in with your name and password there."}}
	}
	var list []web.Cause
	if s.otherAddress(r) {
		list = append(list, web.Cause{Title: "The address is another one",
			Text: "The server was asked under another name than browsers are told to send tickets to. Open this page at exactly the address below.",
			Code: []string{browserpolicy.Origin(s.Issuer) + pathPage}})
	}
	if a.IsChromium() && a.System == useragent.Linux && !ntlm {
		list = append(list, web.Cause{Title: "It was asked for the first time",
			Text: "In a new profile, Chrome, Chromium and Edge on Linux answer from the second time on. Test again; if the answer is the same, go on below."})
	}
	ticket, policy := s.noTicket(a), s.notAllowed(a)
	switch {
	case ntlm:
		return append(list, ticket, s.noService(a))
	case policy.Title == "": // Safari asks nobody
		list = append(list, ticket)
	case a.System == useragent.Windows || a.System == "":
		// With leave to send a ticket and none at hand, Windows offers NTLM.
		list = append(list, policy, ticket)
	default:
		list = append(list, ticket, policy)
	}
	list = append(list, web.Cause{Title: "This is a private window", Text: "Private windows send no tickets. Test in a normal one."}, s.noService(a))
	if a.System == useragent.Linux {
		list = append(list, web.Cause{Title: "The browser cannot see the ticket",
			Text: "A browser that was installed as a snap or a Flatpak may not read the tickets of your session. Try one from your system's own packages."})
	}
	return list
}

// otherAddress: the browser came by another name than the issuer's, or, because
// it sent no Fetch metadata, without https. A proxy may have changed the name.
func (s *Setup) otherAddress(r *http.Request) bool {
	plain := s.Issuer.Scheme == "https" && !web.FromBrowser(r) && useragent.Identify(r.Header).Browser != ""
	return !strings.EqualFold(r.Host, s.Issuer.Host) || plain
}

// noTicket is how one sees and gets a ticket.
func (s *Setup) noTicket(a useragent.Agent) web.Cause {
	switch a.System {
	case useragent.Windows:
		return web.Cause{Title: "This computer has no ticket",
			Text: "It is not in the company's domain, you are logged in to it with a local account, or it could not reach the company when you logged in. Lock and unlock it inside the company's network. In a command prompt the list must name krbtgt:",
			Code: []string{"klist"}}
	case useragent.MacOS:
		return web.Cause{Title: "This Mac has no ticket",
			Text: "It may have expired. On managed Macs the Kerberos SSO extension gets one (the key in the menu bar); else in Terminal, with your own name:",
			Code: []string{"klist", "kinit NAME"}}
	case useragent.Linux:
		return web.Cause{Title: "This computer has no ticket", Text: "It may have expired. In a terminal, with your own name:", Code: []string{"klist", "kinit NAME"}}
	default:
		return web.Cause{Title: "This computer has no ticket", Text: "It is not in the company's domain, or the ticket has expired."}
	}
}

// notAllowed is how one sees whether a browser may send tickets here; empty for
// Safari, which asks nobody.
func (s *Setup) notAllowed(a useragent.Agent) web.Cause {
	title := "The browser may not send tickets to this site"
	host := browserpolicy.Host(s.Issuer)
	switch {
	case a.Browser == useragent.Safari:
		return web.Cause{}
	case a.Browser == useragent.Firefox:
		return web.Cause{Title: title, Text: "In about:config, network.negotiate-auth.trusted-uris must hold the line below. The policy file for Firefox sets it.",
			Code: []string{browserpolicy.Origin(s.Issuer)}}
	case a.Browser == useragent.Edge:
		return web.Cause{Title: title, Text: "edge://policy must show AuthServerAllowlist with the line below." + s.zoneOr(a), Code: []string{host}}
	case a.IsChromium():
		return web.Cause{Title: title, Text: "chrome://policy must show AuthServerAllowlist with the line below." + s.zoneOr(a), Code: []string{host}}
	default:
		return web.Cause{Title: title, Text: "Browsers send tickets only to sites that their administrator has named. The policy files below do that for the usual ones."}
	}
}

// zoneOr tells what Windows does without the policy.
func (s *Setup) zoneOr(a useragent.Agent) string {
	if a.System == useragent.Windows {
		return " Where that policy is not set at all, the site must be in Windows' local intranet zone instead."
	}
	return " The policy file below sets it; start the browser again afterwards."
}

// noService is how one sees whether the KDC has a ticket for us.
func (s *Setup) noService(a useragent.Agent) web.Cause {
	service := "HTTP/" + browserpolicy.Host(s.Issuer)
	c := web.Cause{Title: "The company's domain does not know this site", Text: "It must have a service named " + service + ". The administrator sees that with idp doctor."}
	switch a.System {
	case useragent.Windows:
		c.Text += " You see it when this fails:"
		c.Code = []string{"klist get " + service}
	case useragent.Linux, useragent.MacOS:
		c.Text += " You see it when this fails:"
		c.Code = []string{"kvno " + service}
	}
	return c
}
