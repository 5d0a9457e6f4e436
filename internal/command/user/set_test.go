package user

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/command/commandtest"
)

func TestUserIsShownAndChanged(t *testing.T) {
	p := commandtest.New(t, "")
	p.Write("pw", "correct horse\n")
	for want, flag := range map[string]string{"did you mean given_name": "given_nam=Bob", "true or false": "phone_number_verified=yes", "has members": "address=x", "birthdate: want": "birthdate=1.1.2000", "--email says it": "email=x@y"} {
		if _, errs, err := p.Run("", "user", "add", "bob", "--password-file", p.Dir+"/pw", "--claim", flag); err == nil || !strings.Contains(errs, want) {
			t.Errorf("%s: %v %s, want %s", flag, err, errs, want)
		}
	}
	p.MustRun("", "user", "add", "bob", "--password-file", p.Dir+"/pw", "--email", "bob@example.com", "--group", "staff", "--claim", "gender=m", "--claim", "nickname=Bobby")
	show := func() map[string]any {
		t.Helper()
		out := p.MustRun("", "user", "show", "bob")
		got := map[string]any{}
		if err := json.Unmarshal([]byte(out), &got); err != nil || strings.Contains(out, "argon2") {
			t.Fatalf("%v %s", err, out)
		}
		delete(got, "sub")
		return got
	}
	want := map[string]any{"name": "bob", "email": "bob@example.com", "email_verified": false, "groups": []any{"staff"}, "password": true, "admin": false, "disabled": false,
		"claims": map[string]any{"gender": "m", "nickname": "Bobby"}}
	if d := cmp.Diff(want, show()); d != "" {
		t.Error(d)
	}
	out := p.MustRun("", "user", "set", "bob", "--name", "Bob B", "--group", "a", "--group", "b", "--claim", "gender=", "--claim", "address.country=NO")
	if want := "bob is changed; sessions stay\ngroups before: staff\ngroups now: a, b\n"; out != want {
		t.Errorf("%s, want %s", out, want)
	}
	if out := p.MustRun("", "user", "set", "bob", "--name", "Bob B", "--group", "a", "--group", "b"); strings.Contains(out, "groups") {
		t.Errorf("the same groups: %s", out)
	}
	want["full_name"], want["groups"], want["claims"] = "Bob B", []any{"a", "b"}, map[string]any{"nickname": "Bobby", "address": map[string]any{"country": "NO"}}
	if d := cmp.Diff(want, show()); d != "" {
		t.Error(d)
	}
	if out := p.MustRun("", "user", "set", "bob", "--group", "", "--email", ""); !strings.HasSuffix(out, "\ngroups before: a, b\ngroups now: none\n") {
		t.Errorf("no groups: %s", out)
	}
	delete(want, "email")
	want["groups"] = []any{}
	if d := cmp.Diff(want, show()); d != "" {
		t.Error(d)
	}
	for want, args := range map[string][]string{
		"nothing to change": {"set", "bob"}, "no user": {"set", "eve", "--name", "x"}, "no user ": {"show", "eve"},
		"not a mail address": {"set", "bob", "--email", "x"}, "locale: want": {"set", "bob", "--claim", "locale=e"},
	} {
		if _, errs, err := p.Run("", append([]string{"user"}, args...)...); err == nil || !strings.Contains(errs, want) {
			t.Errorf("user %v: %v %s, want %q", args, err, errs, want)
		}
	}
}
