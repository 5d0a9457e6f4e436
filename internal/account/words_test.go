package account

import (
	"regexp"
	"strings"
	"testing"

	"idp/internal/audit"
	"idp/internal/store"
)

func TestHowSomebodyLoggedIn(t *testing.T) {
	for want, s := range map[string]store.Session{
		"with your company ticket":                              {AMR: []string{"wia"}, Principal: "alice@EXAMPLE.COM"},
		"with your name and password":                           {AMR: []string{"pwd"}},
		"with your name and password, checked by your company":  {AMR: []string{"pwd"}, Principal: "alice@EXAMPLE.COM"},
		"with your name and password, and with a one-time code": {AMR: []string{"pwd", "otp", "mfa"}},
		"with a passkey":                                        {AMR: []string{"pop", "user", "mfa"}},
		"with your login at partner":                            {AMR: []string{}, Upstream: store.UpstreamSession{ID: "partner"}},
		"in a way that has no name here":                        {},
		"with your company ticket, and with a passkey":          {AMR: []string{"wia", "pop", "mfa"}},
		"with your login at partner, and with a one-time code":  {AMR: []string{"pwd", "otp"}, Upstream: store.UpstreamSession{ID: "partner"}},
	} {
		if got := how(&s); got != want {
			t.Errorf("%v: %q, want %q", s.AMR, got, want)
		}
	}
}

// No event is told by its name, whoever did it; the ones that this release writes have
// words of their own.
func TestEveryEventHasWords(t *testing.T) {
	code := regexp.MustCompile(`[a-z]_[a-z]|cli:|client:`)
	for _, event := range []string{audit.Login, audit.SignedOut, audit.SessionsEnded, audit.UserAdded, audit.UserDisabled, audit.UserEnabled, audit.UserAdmin, audit.UserChanged,
		audit.PasswordChanged, audit.IdentityLinked, audit.IdentityUnlinked, audit.FactorAdded, audit.FactorRemoved, audit.FactorsReset, audit.RecoveryCodesMade, audit.RecoveryCodeUsed,
		audit.ConsentGiven, audit.ConsentDenied, audit.ConsentRevoked, audit.DeviceAllowed, audit.DeviceDenied, audit.GrantRevoked, audit.CodeReused, audit.RefreshReused, "something_new"} {
		for _, actor := range []string{"alice", "cli:root", "client:wiki", audit.ActorServer, "bob"} {
			words := eventWords(&store.Entry{Event: event, Actor: actor, Detail: "form"}, actor == "alice")
			general := strings.HasPrefix(words, "Something about") || strings.HasPrefix(words, "You changed something")
			if words == "" || code.MatchString(words) || general != (event == "something_new") {
				t.Errorf("%s by %s: %q", event, actor, words)
			}
		}
	}
	for detail, want := range map[string]string{"form, code": "Logged in with your name and password and with a one-time code", "some_new": "Logged in", "ticket": "Logged in with your company ticket"} {
		if got := loggedIn(detail); got != want {
			t.Errorf("%s: %q", detail, got)
		}
	}
}
