package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"idp/internal/mail/mailtest"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

func TestInvitationsAndResets(t *testing.T) {
	p := newPlace(t, "kerberos: {realms: [{name: EXAMPLE.COM}]}\n")
	out := p.mustRun("", "user", "invite", "bob", "--email", "bob@example.com", "--group", "partners")
	if !strings.Contains(out, "\n"+p.url+"/invitation?token=") || !strings.Contains(p.mustRun("", "user", "list"), "nothing") {
		t.Errorf("%s", out)
	}
	if again := p.mustRun("", "user", "invite", "bob"); again == out || !strings.Contains(again, "/invitation?token=") {
		t.Errorf("%s", again)
	}
	p.mustRun("a good password\n", "user", "add", "carol", "--password-file", "-")
	if out := p.mustRun("", "user", "reset", "carol"); !strings.Contains(out, "/invitation?token=") {
		t.Errorf("%s", out)
	}
	p.mustRun("", "user", "link", "dave", "--realm", "EXAMPLE.COM", "--principal", "dave", "--create")
	p.mustRun("", "user", "disable", "carol")
	for want, args := range map[string][]string{
		"has a password already": {"invite", "carol"}, "is disabled": {"reset", "carol"}, "no user": {"reset", "nobody"}, "the password is the KDC's": {"reset", "dave"},
		"idp user set changes": {"invite", "bob", "--email", "x@example.com"}, "not a mail address": {"invite", "eve", "--email", "eve"}, "not allowed": {"invite", "e/ve"}, "there is a user": {"invite", "Bob"},
	} {
		if _, errs, err := p.run("", append([]string{"user"}, args...)...); err == nil || !strings.Contains(errs, want) {
			t.Errorf("%v: %v %s", args, err, errs)
		}
	}
	if _, errs, err := p.run("", "user", "invite", "dave"); err == nil || !strings.Contains(errs, "the password is the KDC's") {
		t.Errorf("a password beside Kerberos: %v %s", err, errs)
	}
}

func TestLinksAreMailedAndMailIsTried(t *testing.T) {
	smtp := mailtest.Start(t)
	p := newPlace(t, smtp.YAML())
	if out := p.mustRun("", "mail", "test", "root@example.com"); !strings.Contains(out, "has taken a mail") || smtp.Await(1)[0].To[0] != "root@example.com" {
		t.Errorf("%s", out)
	}
	if _, errs, err := p.run("", "mail", "test", "refused@example.com"); err == nil || !strings.Contains(errs, "no such user") {
		t.Errorf("%v %s", err, errs)
	}
	out := p.mustRun("", "user", "invite", "bob", "--email", "bob@example.com")
	if strings.Contains(out, "token=") || !strings.Contains(out, "mailed to bob@example.com") {
		t.Errorf("%s", out)
	}
	if out := p.mustRun("", "user", "invite", "carol"); !strings.Contains(out, "token=") {
		t.Errorf("nobody to mail it to: %s", out)
	}
	if out := p.mustRun("", "user", "invite", "dave", "--email", "dave@example.com", "--print"); !strings.Contains(out, "token=") {
		t.Errorf("--print: %s", out)
	}
	p.serve()
	if m := smtp.Await(2)[1]; m.To[0] != "bob@example.com" || !strings.Contains(m.Text, p.url+"/invitation?token=") {
		t.Errorf("%+v", m)
	}
	none := newPlace(t, "")
	if _, errs, err := none.run("", "mail", "test", "a@example.com"); err == nil || !strings.Contains(errs, "no section smtp") {
		t.Errorf("%v %s", err, errs)
	}
}

func TestImport(t *testing.T) {
	p := newPlace(t, "")
	bcrypt := "$2y$04$OrmzRRyA8OV/BY94rDw1fO6eJytKZysm.YjqsFGicfn14YypqXks6" // of internal/user/testdata
	bad := fmt.Sprintf(`{"name": "bob", "email": "bob@example.com", "groups": ["partners"], "hash": %q}
{"name": "eve", "hash": "{MD5}x"}

{"name": "BOB"}
{"name": "carol", "mail": "carol@example.com"}
{"name": "da ve", "email": "dave"}
{"name": "frank", "hash": "$2b$15$OrmzRRyA8OV/BY94rDw1fO6eJytKZysm.YjqsFGicfn14YypqXks6"}
{"name": "george"} {}
`, bcrypt)
	_, errs, err := p.run(bad, "user", "import", "-")
	for _, want := range []string{"line 2: hash: unreadable", "line 4: \"BOB\" is in line 1, too", "line 5: not a user", "mail", "line 6: email", "not allowed in it", "line 7: hash: ", "invite this user", "line 8: more than one", "6 line(s) cannot be imported; nobody was made"} {
		if err == nil || !strings.Contains(errs, want) {
			t.Errorf("%q is not in %v\n%s", want, err, errs)
		}
	}
	if list := p.mustRun("", "user", "list"); strings.Contains(list, "bob") {
		t.Errorf("%s", list)
	}
	good := fmt.Sprintf(`{"name": "bob", "email": "bob@example.com", "email_verified": true, "full_name": "Bob", "groups": ["partners"], "claims": {"nickname": "B"}, "hash": %q}`+"\n"+`{"name": "carol"}`, bcrypt)
	if out := p.mustRun(good, "user", "import", "--dry-run", "-"); !strings.Contains(out, "2 users can be imported") || strings.Contains(p.mustRun("", "user", "list"), "bob") {
		t.Errorf("%s", out)
	}
	p.write("people", good)
	if out := p.mustRun("", "user", "import", p.dir+"/people"); !strings.Contains(out, "2 users made, 1 of them with a password") || strings.Contains(out, "1.5 s") {
		t.Errorf("%s", out)
	}
	if out := p.mustRun("", "user", "show", "bob"); !strings.Contains(out, `"email_verified": true`) || !strings.Contains(out, `"nickname": "B"`) || strings.Contains(out, "2y") {
		t.Errorf("%s", out)
	}
	if _, errs, err := p.run(good, "user", "import", "-"); err == nil || !strings.Contains(errs, `line 1: name: "bob" is taken`) {
		t.Errorf("%v %s", err, errs)
	}
}

// A short password is taken of an administrator unless the configuration says how long
// it must be; a common one never is.
func TestPasswordsThatAnAdministratorSets(t *testing.T) {
	p := newPlace(t, "")
	if _, errs, err := p.run("kx4!Pq9z\n", "user", "add", "bob", "--password-file", "-"); err != nil || !strings.Contains(errs, "warning: ") {
		t.Errorf("%v %s", err, errs)
	}
	if _, errs, err := p.run("password12345678\n", "user", "add", "carol", "--password-file", "-"); err == nil || !strings.Contains(errs, "a common one") {
		t.Errorf("%v %s", err, errs)
	}
	strict := newPlace(t, "passwords: {min_length: 12}\n")
	if _, errs, err := strict.run("kx4!Pq9z\n", "user", "add", "bob", "--password-file", "-"); err == nil || !strings.Contains(errs, "at least 12 characters") {
		t.Errorf("%v %s", err, errs)
	}
	wrong := newPlace(t, "passwords: {min_length: 6, blocklist_file: none}\nsmtp: {host: mail.example.com, tls: none, from: sso}\nusers: [{name: dora, password_file: dora.txt}]\n")
	wrong.write("dora.txt", "doradora\n")
	_, errs, err := wrong.run("", "check")
	for _, want := range []string{"passwords.min_length", "passwords.blocklist_file", "smtp.tls", "smtp.from"} {
		if err == nil || !strings.Contains(errs, want) {
			t.Errorf("%q is not in %v\n%s", want, err, errs)
		}
	}
	old := newPlace(t, "users: [{name: dora, password_file: dora.txt}]\n")
	old.write("dora.txt", "doradora\n")
	if out := old.mustRun("", "check"); !strings.Contains(out, "warning: ") || !strings.Contains(out, "users[0].password_file") {
		t.Errorf("%s", out)
	}
	old.serve()
}

func TestUserListShowsInvitations(t *testing.T) {
	p := newPlace(t, "kerberos: {realms: [{name: EXAMPLE.COM}]}\n")
	for _, name := range []string{"waiting", "over", "linked", "used"} {
		p.mustRun("", "user", "invite", name)
	}
	st := storetest.Open(t, store.Config{URL: "sqlite:" + p.dir + "/idp.db"})
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
	p.mustRun("", "user", "link", "linked", "--realm", "EXAMPLE.COM", "--principal", "linked")
	list := p.mustRun("", "user", "list")
	for _, want := range []string{
		`(?m)^waiting .* nothing +invited until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ$`, `(?m)^over .* nothing +invitation expired$`,
		`(?m)^linked .* kerberos +$`, `(?m)^used .* password +invitation used 20\d\d-`,
	} {
		if !regexp.MustCompile(want).MatchString(list) {
			t.Errorf("not there: %s in\n%s", want, list)
		}
	}
	p.mustRun("", "user", "disable", "waiting") // which ends the link
	if list := p.mustRun("", "user", "list"); !regexp.MustCompile(`(?m)^waiting .* nothing +disabled$`).MatchString(list) {
		t.Errorf("disabled:\n%s", list)
	}
}
