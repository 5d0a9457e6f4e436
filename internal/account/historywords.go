package account

import (
	"context"
	"strings"
	"time"

	"idp/internal/audit"
	"idp/internal/authn"
	"idp/internal/store"
	"idp/internal/web"
)

// told is what an event of the audit log means to its person: done by themselves, or by
// somebody else (an administrator, the directory). {site} is the relying party's name.
// Whatever is not here is told in general words: nobody reads names of events.
var told = map[string]struct{ self, others string }{
	audit.UserAdded:         {"Your account was made here", "Your account was made here"},
	audit.UserDisabled:      {"You closed your account", "An administrator closed your account"},
	audit.UserEnabled:       {"Your account was opened again", "An administrator opened your account again"},
	audit.UserAdmin:         {"Your rights as an administrator were changed", "Your rights as an administrator were changed"},
	audit.UserChanged:       {"You changed your profile", "An administrator changed your profile"},
	audit.PasswordChanged:   {"You changed your password", "An administrator set a new password for you"},
	audit.LinkMade:          {"A link by which you choose a password was made", "A link by which you choose a password was made for you"},
	audit.LinkOpened:        {"You opened the link by which you choose a password", "The link by which you choose a password was opened"},
	audit.LinkRefused:       {"A link for a password was opened that was no good any more", "A link for a password was opened that was no good any more, or in another browser"},
	audit.MailGivenUp:       {"A mail to you could not be sent", "A mail to you could not be sent"},
	audit.IdentityLinked:    {"You linked another login to your account", "Another login was linked to your account"},
	audit.IdentityUnlinked:  {"You took a login away from your account", "An administrator took a login away from your account"},
	audit.FactorAdded:       {"You set up a second step", "A second step was set up for you"},
	audit.FactorRemoved:     {"You removed a second step", "An administrator removed a second step of yours"},
	audit.FactorsReset:      {"You removed all your second steps", "An administrator removed all your second steps"},
	audit.RecoveryCodesMade: {"You made new recovery codes", "New recovery codes were made for you"},
	audit.RecoveryCodeUsed:  {"You logged in with a recovery code", "A recovery code of yours was used"},
	audit.ConsentGiven:      {"You allowed {site} to know you", "{site} was allowed to know you"},
	audit.ConsentDenied:     {"You refused {site}", "{site} was refused"},
	audit.ConsentRevoked:    {"You took back what you had allowed {site}", "What you had allowed {site} was taken back"},
	audit.DeviceAllowed:     {"You logged in to {site} on a device", "{site} was logged in on a device"},
	audit.DeviceDenied:      {"You refused {site} on a device", "{site} was refused on a device"},
	audit.GrantRevoked:      {"You signed {site} out", "{site} signed you out there"},
	audit.CodeReused:        {"A login at {site} was used twice, and has been ended", "A login at {site} was used twice, and has been ended"},
	audit.RefreshReused:     {"A login at {site} was used in two places, and has been ended", "A login at {site} was used in two places, and has been ended"},
}

// strange are events that somebody else may have caused.
var strange = map[string]bool{audit.CodeReused: true, audit.RefreshReused: true}

// loginWords are the ways to log in, as the audit log has them: one, or "form, code".
var loginWords = map[string]string{
	authn.MethodTicket:   "with your company ticket",
	authn.MethodForm:     "with your name and password",
	authn.MethodBasic:    "with your name and password",
	authn.MethodUpstream: "at another organisation",
	authn.MethodPasskey:  "with a passkey",
	authn.MethodCode:     "with a one-time code",
	authn.MethodRecovery: "with a recovery code",
	authn.MethodLink:     "by the link with which you chose your password",
}

// loggedIn tells how somebody logged in; of a way that has no words here nothing.
func loggedIn(detail string) string {
	var ways []string
	for way := range strings.SplitSeq(detail, ", ") {
		if words := loginWords[way]; words != "" {
			ways = append(ways, words)
		}
	}
	return strings.TrimSpace("Logged in " + strings.Join(ways, " and "))
}

// entryWords tells one event.
func (a *Account) entryWords(ctx context.Context, v *visit, e *store.Entry) web.HistoryEntry {
	self := e.Actor == v.User.Name
	out := web.HistoryEntry{At: time.UnixMilli(e.At), Text: eventWords(e, self), Strange: strange[e.Event]}
	if self { // where an administrator sits is not theirs to know
		out.Where = where(e.Address, e.Agent)
	}
	if strings.Contains(out.Text, "{site}") {
		out.Text = strings.ReplaceAll(out.Text, "{site}", a.named(ctx, e.ClientID).Name)
	}
	return out
}

func eventWords(e *store.Entry, self bool) string {
	words, known := told[e.Event]
	switch {
	case e.Event == audit.Login:
		return loggedIn(e.Detail)
	case e.Event == audit.SignedOut && self && e.Detail == store.EndedFromElsewhere:
		return "You signed out another browser"
	case e.Event == audit.SignedOut && self:
		return "Signed out"
	case e.Event == audit.SignedOut:
		return "A login of yours was ended, by an administrator, by the organisation that you log in at, or by somebody else who logged in at the same browser"
	case e.Event == audit.SessionsEnded && self:
		return "You signed out everywhere else"
	case e.Event == audit.SessionsEnded:
		return "An administrator ended your logins"
	case e.Event == audit.UserChanged && e.Actor == audit.ActorServer:
		return "Your profile was taken over from your company"
	case known && self:
		return words.self
	case known:
		return words.others
	case self:
		return "You changed something about how you log in"
	}
	return "Something about your account was changed"
}
