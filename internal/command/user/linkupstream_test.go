package user

import (
	"strings"
	"testing"

	"idp/internal/command/commandtest"
)

// An administrator invites people who log in at another provider.
func TestUserLinkInvitesAnUpstreamsPerson(t *testing.T) {
	p := commandtest.New(t, "upstreams:\n  - {id: partner, issuer: https://login.partner.example, client_id: idp, client_secret_file: partner.secret}\n")
	p.Write("partner.secret", "a secret of the partner's\n")
	if _, stderr, err := p.Run("a long password\n", "user", "add", "bob", "--password-file", "-"); err != nil {
		t.Fatal(err, stderr)
	}
	for _, c := range []struct {
		args   string
		stdout string
		stderr string // empty: it succeeds
	}{
		{"user link bob --upstream partner --subject 24400320", "the login 24400320 at https://login.partner.example now logs in as bob\n", ""},
		{"user link carol --upstream partner --subject 24400320 --create", "", "logs in as somebody already"},
		{"user link carol --upstream partner --subject 99 --create", "now logs in as carol\n", ""},
		{"user list", "password, upstream", ""},
		{"user link bob --upstream partner", "", "must all be set; missing [subject]"},
		{"user link bob --upstream other --subject 1", "", `no upstream has the id "other"`},
		{"user link bob --upstream partner --subject 1 --sid S-1-5-21-1-2-3-1104", "", "[sid upstream]"},
		{"user link bob --upstream partner --subject ü", "", "--subject: want the sub"},
		{"user link partner:x --upstream partner --subject 7 --create", "", "':' is not allowed in it"},
		{"user unlink bob --upstream partner --subject 7", "", "but by the login 24400320 at https://login.partner.example"},
		{"user unlink bob --upstream partner --subject 24400320", "no longer logs in as bob", ""},
	} {
		stdout, stderr, err := p.Run("", strings.Fields(c.args)...)
		if (err == nil) != (c.stderr == "") || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: %v\n%s%s", c.args, err, stdout, stderr)
		}
	}
}
