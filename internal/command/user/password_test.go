package user

import (
	"strings"
	"testing"

	"idp/internal/command/commandtest"
)

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
