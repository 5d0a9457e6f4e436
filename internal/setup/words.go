package setup

import (
	"idp/internal/browserpolicy"
	"idp/internal/reason"
	"idp/internal/web"
)

// fromOutside says why nobody asked for a ticket, and who can change that.
// The address is the visitor's own; behind a proxy that nobody told us about it
// is the proxy's, and is left out.
func (s *Setup) fromOutside(info *web.Info) web.SetupPage {
	p := web.SetupPage{Outcome: outcomeOutside, Forwarded: info.Outside}
	if !info.Outside {
		p.Address = info.Client.String()
	}
	return p
}

// unready says what keeps the server from checking tickets, without the names of
// files and realms that are in the log.
func (s *Setup) unready() string {
	switch reason.Of(s.Policy.Usable()) {
	case reason.NoKeytab:
		return "The server has no key to open tickets with (kerberos.keytabs)."
	case reason.Realm:
		return "The server trusts no Kerberos realm (kerberos.realms)."
	case reason.Etype:
		return "The server's keys are all of a kind that is too weak to be accepted."
	default:
		return "The server cannot check tickets at the moment."
	}
}

// refusals say why a ticket was refused, to somebody who sets up a browser.
// Only the owner of a ticket sees what is said of it.
var refusals = map[reason.Code]string{
	reason.NegoexOnly:     "The browser offered another kind of login, without Kerberos.",
	reason.NotFirst:       "The browser offered another kind of login before Kerberos.",
	reason.TokenTooBig:    "The ticket is too large: its owner is probably a member of very many groups.",
	reason.Malformed:      "What the browser sent is no Kerberos ticket.",
	reason.WrongSPN:       "The ticket is for a name of this server that it has no key for. The administrator adds that name's key to the keytab.",
	reason.KVNO:           "The ticket was made with another version of the server's key. Get a new ticket (lock and unlock the computer, or kinit); if that does not help, the administrator exports the keytab anew.",
	reason.WrongKey:       "The server's key does not open the ticket. The administrator exports the keytab anew.",
	reason.NoKey:          "The server has no key of the ticket's kind of encryption. The administrator adds AES keys to the keytab.",
	reason.Etype:          "The ticket is encrypted in a way that is too weak to be accepted. The administrator sets the server's account to AES.",
	reason.ClockSkew:      "This computer's clock and the server's differ by more than five minutes. Correct whichever is wrong.",
	reason.Expired:        "The ticket has expired. Get a new one: lock and unlock the computer, or kinit.",
	reason.NotYetValid:    "The ticket is not valid yet.",
	reason.Replay:         "The same proof arrived twice. Test again; if it happens again, something between this browser and the server repeats requests.",
	reason.Realm:          "The ticket comes from an organisation (realm) that this server does not trust.",
	reason.Transited:      "The ticket came through other organisations (realms) that nobody checked.",
	reason.ChannelBinding: "The ticket was made for another encrypted connection: a proxy or an inspection of encrypted traffic stands in between.",
	reason.PACSignature:   "What the ticket says about its owner is not signed as it should be.",
	reason.PAC:            "What the ticket says about its owner cannot be read.",
	reason.Authorization:  "The ticket carries a restriction that this server does not know.",
	reason.NotAPerson:     "The ticket is not a person's: it belongs to a machine or a service.",
	reason.NameTaken:      "The ticket is good, but somebody else already uses the name its owner would have here. An administrator has to decide.",
	reason.UserDisabled:   "The ticket is good, but an administrator has closed its owner's account here.",
}

func (s *Setup) refusalText(code reason.Code) string {
	if code == reason.NTLM {
		return "The browser may send a ticket, but had none for this site, and offered NTLM instead: the computer has no ticket, or the domain knows no service HTTP/" +
			browserpolicy.Host(s.Issuer) + "."
	}
	if text, ok := refusals[code]; ok {
		return text
	}
	return "The ticket was not accepted."
}
