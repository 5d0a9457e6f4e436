package user

import (
	"strings"
	"testing"

	"idp/internal/command/commandtest"
	"idp/internal/mail/mailtest"
)

func TestInvitationsAndResets(t *testing.T) {
	p := commandtest.New(t, "kerberos: {realms: [{name: EXAMPLE.COM}]}\n")
	out := p.MustRun("", "user", "invite", "bob", "--email", "bob@example.com", "--group", "partners")
	if !strings.Contains(out, "\n"+p.URL+"/invitation?token=") || !strings.Contains(p.MustRun("", "user", "list"), "nothing") {
		t.Errorf("%s", out)
	}
	if again := p.MustRun("", "user", "invite", "bob"); again == out || !strings.Contains(again, "/invitation?token=") {
		t.Errorf("%s", again)
	}
	p.MustRun("a good password\n", "user", "add", "carol", "--password-file", "-")
	if out := p.MustRun("", "user", "reset", "carol"); !strings.Contains(out, "/invitation?token=") {
		t.Errorf("%s", out)
	}
	p.MustRun("", "user", "link", "dave", "--realm", "EXAMPLE.COM", "--principal", "dave", "--create")
	p.MustRun("", "user", "disable", "carol")
	for want, args := range map[string][]string{
		"has a password already": {"invite", "carol"}, "is disabled": {"reset", "carol"}, "has no password yet; idp user invite": {"reset", "bob"}, "no user": {"reset", "nobody"}, `no user "BOB"; there is "bob"`: {"disable", "BOB"}, "the password is the KDC's": {"reset", "dave"},
		"idp user set changes": {"invite", "bob", "--email", "x@example.com"}, "not a mail address": {"invite", "eve", "--email", "eve"}, "not allowed": {"invite", "e/ve"}, "there is a user": {"invite", "Bob"},
	} {
		if _, errs, err := p.Run("", append([]string{"user"}, args...)...); err == nil || !strings.Contains(errs, want) {
			t.Errorf("%v: %v %s", args, err, errs)
		}
	}
	if _, errs, err := p.Run("", "user", "invite", "dave"); err == nil || !strings.Contains(errs, "the password is the KDC's") {
		t.Errorf("a password beside Kerberos: %v %s", err, errs)
	}
}

func TestLinksAreMailedAndMailIsTried(t *testing.T) {
	smtp := mailtest.Start(t)
	p := commandtest.New(t, smtp.YAML())
	if out := p.MustRun("", "mail", "test", "root@example.com"); !strings.Contains(out, "has taken a mail") || smtp.Await(1)[0].To[0] != "root@example.com" {
		t.Errorf("%s", out)
	}
	if _, errs, err := p.Run("", "mail", "test", "refused@example.com"); err == nil || !strings.Contains(errs, "no such user") {
		t.Errorf("%v %s", err, errs)
	}
	out := p.MustRun("", "user", "invite", "bob", "--email", "bob@example.com")
	if strings.Contains(out, "token=") || !strings.Contains(out, "mailed to bob@example.com") {
		t.Errorf("%s", out)
	}
	if out := p.MustRun("", "user", "invite", "carol"); !strings.Contains(out, "token=") {
		t.Errorf("nobody to mail it to: %s", out)
	}
	if out := p.MustRun("", "user", "invite", "dave", "--email", "dave@example.com", "--print"); !strings.Contains(out, "token=") {
		t.Errorf("--print: %s", out)
	}
	p.Serve()
	if m := smtp.Await(2)[1]; m.To[0] != "bob@example.com" || !strings.Contains(m.Text, p.URL+"/invitation?token=") {
		t.Errorf("%+v", m)
	}
	none := commandtest.New(t, "")
	if _, errs, err := none.Run("", "mail", "test", "a@example.com"); err == nil || !strings.Contains(errs, "no section smtp") {
		t.Errorf("%v %s", err, errs)
	}
}
