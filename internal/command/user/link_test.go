package user

import (
	"strings"
	"testing"

	"idp/internal/command/commandtest"
)

func TestUserLinkDecidesWhoAnAccountIs(t *testing.T) {
	p := commandtest.New(t, "kerberos: {realms: [{name: HERE.TEST}, {name: OTHER.TEST}]}\n")
	const sid = "S-1-5-21-1-2-3-1104"
	if _, stderr, err := p.Run("a long password\n", "user", "add", "alice", "--password-file", "-"); err != nil {
		t.Fatal(err, stderr)
	}
	for _, c := range []struct {
		args   string
		stdout string
		stderr string // empty: it succeeds
	}{
		{"user link alice --sid " + sid, "the account with SID " + sid + " of HERE.TEST now logs in as alice\n", ""},
		{"user link alice --sid " + sid, "logs in as alice", ""},
		{"user list", "password, kerberos", ""},
		{"user link carol --sid " + sid, "", `no user "carol"`},
		{"user link alice2 --create --sid " + sid, "", "logs in as somebody already"},
		{"user link alice2 --create --principal alice --realm OTHER.TEST", "the principal alice@OTHER.TEST now logs in as alice2\n", ""},
		{"user link alice2 --sid " + sid, "", "that account logs in as alice: idp user unlink"},
		{"user link alice --sid 1104", "", "is no SID"},
		{"user link alice --sid S-1-5-21-foo", "", "is no SID"},
		{"user link alice --sid S-1-5-21-1-2-3", "", "is no SID"},
		{"user link alice --sid S-1-5-21-1-2-3-01104", "", "is no SID"},
		{"user link alice --sid " + sid + "x", "", "is no SID"},
		{"user unlink alice --sid S-1-5-21-…", "", "is no SID"},
		{"user link alice --sid " + sid + " --realm EVIL.TEST", "", `"EVIL.TEST" is not in kerberos.realms`},
		{"user link alice --principal alice@HERE.TEST", "", "the realm goes into --realm"},
		{"user link alice", "", "at least one of the flags"},
		{"user unlink alice --sid S-1-5-21-1-2-3-9", "", "does not log in by that account, but by the account with SID " + sid + " of HERE.TEST"},
		{"user unlink alice --sid " + sid, "the account with SID " + sid + " of HERE.TEST no longer logs in as alice, whose sessions have ended\n", ""},
		{"user disable alice2", "alice2 is disabled, and the sessions have ended\n", ""},
		{"user enable alice2", "alice2 can log in again\n", ""},
		{"user admin alice2", "alice2 is an administrator\n", ""},
		{"user admin alice2 --remove", "alice2 is an ordinary user\n", ""},
		{"user unlink alice2 --principal alice --realm OTHER.TEST", "the principal alice@OTHER.TEST no longer logs in as alice2", ""},
		{"user list", "nothing", ""},
		{"user link alice2 --sid " + sid, "logs in as alice2", ""},
	} {
		stdout, stderr, err := p.Run("", strings.Fields(c.args)...)
		if (err == nil) != (c.stderr == "") || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: %v\n%s%s", c.args, err, stdout, stderr)
		}
	}
}
