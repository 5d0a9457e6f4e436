package kerberos

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"idp/internal/kerberos/krbtest"
	"idp/internal/reason"
	"idp/internal/secret"
)

// reasonOf is the reason of a refusal; a test fails on any other error.
func reasonOf(t testing.TB, err error) reason.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	var refused *reason.Error
	if !errors.As(err, &refused) {
		t.Fatalf("not a refusal: %v", err)
	}
	return refused.Reason
}

func TestCheckPassword(t *testing.T) {
	long := string(make([]byte, 10_000))
	r := krbtest.Start(t, krbtest.Options{Users: map[string]string{
		"alice": "alice-password", "jörg": "paß wört", "nopreauth": "np", "locked": "l", "disabled": "d",
		"expired": "e", "oldpassword": "o", "sha2": "s",
	}})
	must(t, r.Kadmin(`modprinc -requires_preauth nopreauth
modprinc -requires_preauth HTTP/idp.localhost
addpol -maxfailure 2 lockout
modprinc -policy lockout locked
modprinc -allow_tix disabled
modprinc -expire "2020-01-01" expired
modprinc -pwexpire "2020-01-01" oldpassword
cpw -e aes256-cts-hmac-sha384-192:normal -pw s sha2
`))
	a := newAcceptor(t, r, nil)
	realm := r.Name
	for _, c := range []struct {
		name     Name
		password secret.String
		want     reason.Code
	}{
		{Name{Name: "alice", Realm: realm}, "alice-password", ""},
		{Name{Name: "alice", Realm: realm}, "Alice-password", reason.BadPassword},
		{Name{Name: "alice", Realm: realm}, "", reason.BadPassword},
		{Name{Name: "alice", Realm: realm}, secret.String(long), reason.BadPassword},
		{Name{Name: "alice", Realm: realm}, "\xff\xfe", reason.BadPassword},
		{Name{Name: "alice", Realm: realm}, "alice-password\x00", reason.BadPassword},
		{Name{Name: "jörg", Realm: realm}, "paß wört", ""},
		{Name{Name: "sha2", Realm: realm}, "s", ""},
		{Name{Name: "nopreauth", Realm: realm}, "np", ""},
		{Name{Name: "nopreauth", Realm: realm}, "wrong", reason.BadPassword},
		{Name{Name: "nobody", Realm: realm}, "x", reason.ClientUnknown},
		{Name{Name: "ALICE", Realm: realm}, "alice-password", ""},
		{Name{Name: "ALICE", Realm: realm}, "wrong", reason.BadPassword},
		{Name{Name: "nobody@example.test", Realm: realm, Enterprise: true}, "x", reason.ClientUnknown},
		{Name{Name: "alice/admin", Realm: realm}, "x", reason.NotAPerson},
		{Name{Name: "alice@EXAMPLE.TEST", Realm: realm}, "x", reason.NotAPerson},
		{Name{Name: "", Realm: realm}, "x", reason.NotAPerson},
		{Name{Name: "a\x00lice", Realm: realm}, "x", reason.NotAPerson},
		{Name{Name: "a\xfflice", Realm: realm}, "x", reason.NotAPerson},
		{Name{Name: long, Realm: realm}, "x", reason.NotAPerson},
		{Name{Name: "alice", Realm: "OTHER.TEST"}, "alice-password", reason.Realm},
		{Name{Name: "alice", Realm: ""}, "alice-password", reason.Realm},
		{Name{Name: "locked", Realm: realm}, "x", reason.BadPassword},
		{Name{Name: "locked", Realm: realm}, "y", reason.BadPassword},
		{Name{Name: "locked", Realm: realm}, "l", reason.Locked},
		{Name{Name: "disabled", Realm: realm}, "d", reason.Disabled},
		{Name{Name: "expired", Realm: realm}, "e", reason.AccountExpired},
		{Name{Name: "oldpassword", Realm: realm}, "o", reason.PasswordExpired},
		{Name{Name: "oldpassword", Realm: realm}, "wrong", reason.BadPassword},
	} {
		login, err := a.CheckPassword(t.Context(), c.name, c.password)
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%.30q: %q, want %q (%v)", c.name.Name, got, c.want, err)
			continue
		}
		if err == nil && (login.Principal.Components[0] != canonical(c.name) || login.AuthTime.IsZero() || login.Mechanism != MechanismPassword) {
			t.Errorf("%s: login = %+v", c.name.Name, login)
		}
	}
}

// canonical is the name that the KDC knows somebody by.
func canonical(n Name) string {
	name, _, _ := strings.Cut(n.Name, "@")
	return strings.ToLower(name)
}

// A realm whose names differ by case has an ALICE of its own.
func TestNamesOfAnExactRealmAreNotFolded(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, func(o *Options) { o.Realms[0].Case = caseExact })
	if _, err := a.CheckPassword(t.Context(), Name{Name: "ALICE", Realm: r.Name}, krbtest.AlicePassword); reasonOf(t, err) != reason.ClientUnknown {
		t.Errorf("%v", err)
	}
}

// TestChangePassword sets new passwords at MIT's kadmind, by its policy.
func TestChangePassword(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{Users: map[string]string{"alice": "old-password", "expired": "old-password"}})
	must(t, r.Kadmin(`addpol -minlength 8 -history 2 strict
modprinc -policy strict alice
modprinc +needchange expired
`))
	r.StartKpasswd(t)
	a := newAcceptor(t, r, nil)
	for _, c := range []struct {
		name      string
		old, next secret.String
		want      reason.Code
		says      string
	}{
		{"alice", "wrong", "new-password", reason.BadPassword, ""},
		{"alice", "old-password", "short", reason.PasswordRefused, "too short"},
		{"alice", "old-password", "old-password", reason.PasswordRefused, ""},
		{"alice", "old-password", "", reason.PasswordRefused, ""},
		{"alice", "old-password", "päßwörd für alice", "", ""},
		{"alice", "old-password", "another-password", reason.BadPassword, ""},
		{"expired", "old-password", "new-password", "", ""},
		{"nobody", "old-password", "new-password", reason.ClientUnknown, ""},
	} {
		err := a.ChangePassword(t.Context(), Name{Name: c.name, Realm: r.Name}, c.old, c.next)
		if reasonOf(t, err) != c.want || !strings.Contains(strings.ToLower(fmt.Sprint(err)), strings.ToLower(c.says)) {
			t.Errorf("%s, %q → %q: %v, want %q %q", c.name, c.old, c.next, err, c.want, c.says)
		}
	}
	for name, password := range map[string]secret.String{"alice": "päßwörd für alice", "expired": "new-password"} {
		if _, err := a.CheckPassword(t.Context(), Name{Name: name, Realm: r.Name}, password); err != nil {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
