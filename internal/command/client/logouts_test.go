package client

import (
	"strings"
	"testing"
)

// How a relying party is told can be said on the command line, too.
func TestLogoutURIsByCommand(t *testing.T) {
	p := newPlace(t, "")
	p.MustRun("", "client", "add", "app", "--redirect-uri", "https://app.example/cb", "--backchannel-logout-uri", "http://10.1.2.3/back?x=1",
		"--backchannel-logout-session-required", "--frontchannel-logout-uri", "https://app.example/front", "--frontchannel-logout-session-required")
	shown := p.MustRun("", "client", "show", "app")
	for _, want := range []string{`"backchannel_logout_uri": "http://10.1.2.3/back?x=1"`, `"backchannel_logout_session_required": true`,
		`"frontchannel_logout_uri": "https://app.example/front"`, `"frontchannel_logout_session_required": true`} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %s in\n%s", want, shown)
		}
	}
	if _, errs, err := p.Run("", "client", "add", "b", "--redirect-uri", "https://b.example/cb", "--frontchannel-logout-uri", "https://c.example/"); err == nil || !strings.Contains(errs, "frontchannel_logout_uri") {
		t.Errorf("a frame of somebody else's: %v %s", err, errs)
	}
	p.MustRun("", "client", "add", "plain", "--redirect-uri", "https://plain.example/cb")
	if _, errs, err := p.Run("", "client", "logouts", "plain"); err == nil || !strings.Contains(errs, "no backchannel_logout_uri") {
		t.Errorf("plain: %v %s", err, errs)
	}
}
