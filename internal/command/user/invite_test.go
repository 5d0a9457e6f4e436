package user

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"idp/internal/command/commandtest"
	"idp/internal/mail/mailtest"
	"idp/internal/store"
	"idp/internal/store/storetest"
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
		"has a password already": {"invite", "carol"}, "is disabled": {"reset", "carol"}, "no user": {"reset", "nobody"}, "the password is the KDC's": {"reset", "dave"},
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

// A short password is taken of an administrator unless the configuration says how long
// it must be; a common one never is.
func TestPasswordsThatAnAdministratorSets(t *testing.T) {
	p := commandtest.New(t, "")
	if _, errs, err := p.Run("kx4!Pq9z\n", "user", "add", "bob", "--password-file", "-"); err != nil || !strings.Contains(errs, "warning: ") {
		t.Errorf("%v %s", err, errs)
	}
	if _, errs, err := p.Run("password12345678\n", "user", "add", "carol", "--password-file", "-"); err == nil || !strings.Contains(errs, "a common one") {
		t.Errorf("%v %s", err, errs)
	}
	strict := commandtest.New(t, "passwords: {min_length: 12}\n")
	if _, errs, err := strict.Run("kx4!Pq9z\n", "user", "add", "bob", "--password-file", "-"); err == nil || !strings.Contains(errs, "at least 12 characters") {
		t.Errorf("%v %s", err, errs)
	}
	wrong := commandtest.New(t, "passwords: {min_length: 6, blocklist_file: none}\nsmtp: {host: mail.example.com, tls: none, from: sso}\nusers: [{name: dora, password_file: dora.txt}]\n")
	wrong.Write("dora.txt", "doradora\n")
	_, errs, err := wrong.Run("", "check")
	for _, want := range []string{"passwords.min_length", "passwords.blocklist_file", "smtp.tls", "smtp.from"} {
		if err == nil || !strings.Contains(errs, want) {
			t.Errorf("%q is not in %v\n%s", want, err, errs)
		}
	}
	old := commandtest.New(t, "users: [{name: dora, password_file: dora.txt}]\n")
	old.Write("dora.txt", "doradora\n")
	if out := old.MustRun("", "check"); !strings.Contains(out, "warning: ") || !strings.Contains(out, "users[0].password_file") {
		t.Errorf("%s", out)
	}
	old.Serve()
}

func TestUserListShowsInvitations(t *testing.T) {
	p := commandtest.New(t, "kerberos: {realms: [{name: EXAMPLE.COM}]}\n")
	for _, name := range []string{"waiting", "over", "linked", "used"} {
		p.MustRun("", "user", "invite", name)
	}
	st := storetest.Open(t, store.Config{URL: "sqlite:" + p.Dir + "/idp.db"})
	now, browser, e := st.Now(), []byte("browser"), store.Entry{Actor: "test"}
	for name, until := range map[string]store.Millis{"over": now - 1, "linked": now - 1, "used": now + 1e6} {
		u, err := st.UserByName(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.CreateLink(t.Context(), store.Link{Hash: []byte(name), UserID: u.ID, Purpose: store.LinkInvitation, CreatedAt: now, ExpiresAt: until}, nil, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(st.OpenLink(t.Context(), []byte("used"), browser, e), st.UseLink(t.Context(), []byte("used"), browser, "$x", e), st.Close()); err != nil {
		t.Fatal(err)
	}
	p.MustRun("", "user", "link", "linked", "--realm", "EXAMPLE.COM", "--principal", "linked")
	list := p.MustRun("", "user", "list")
	for _, want := range []string{
		`(?m)^waiting .* nothing +invited until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ$`, `(?m)^over .* nothing +invitation expired$`,
		`(?m)^linked .* kerberos +$`, `(?m)^used .* password +invitation used 20\d\d-`,
	} {
		if !regexp.MustCompile(want).MatchString(list) {
			t.Errorf("not there: %s in\n%s", want, list)
		}
	}
	p.MustRun("", "user", "disable", "waiting") // which ends the link
	if list := p.MustRun("", "user", "list"); !regexp.MustCompile(`(?m)^waiting .* nothing +disabled$`).MatchString(list) {
		t.Errorf("disabled:\n%s", list)
	}
}
