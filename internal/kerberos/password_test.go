package kerberos

import (
	"errors"
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
		{Name{"alice", realm}, "alice-password", ""},
		{Name{"alice", realm}, "Alice-password", reason.BadPassword},
		{Name{"alice", realm}, "", reason.BadPassword},
		{Name{"alice", realm}, secret.String(long), reason.BadPassword},
		{Name{"alice", realm}, "\xff\xfe", reason.BadPassword},
		{Name{"alice", realm}, "alice-password\x00", reason.BadPassword},
		{Name{"jörg", realm}, "paß wört", ""},
		{Name{"sha2", realm}, "s", ""},
		{Name{"nopreauth", realm}, "np", ""},
		{Name{"nopreauth", realm}, "wrong", reason.BadPassword},
		{Name{"nobody", realm}, "x", reason.ClientUnknown},
		{Name{"Alice", realm}, "alice-password", reason.ClientUnknown},
		{Name{"alice/admin", realm}, "x", reason.NotAPerson},
		{Name{"alice@EXAMPLE.TEST", realm}, "x", reason.NotAPerson},
		{Name{"", realm}, "x", reason.NotAPerson},
		{Name{"a\x00lice", realm}, "x", reason.NotAPerson},
		{Name{"a\xfflice", realm}, "x", reason.NotAPerson},
		{Name{long, realm}, "x", reason.NotAPerson},
		{Name{"alice", "OTHER.TEST"}, "alice-password", reason.Realm},
		{Name{"alice", ""}, "alice-password", reason.Realm},
		{Name{"locked", realm}, "x", reason.BadPassword},
		{Name{"locked", realm}, "y", reason.BadPassword},
		{Name{"locked", realm}, "l", reason.Locked},
		{Name{"disabled", realm}, "d", reason.Disabled},
		{Name{"expired", realm}, "e", reason.AccountExpired},
		{Name{"oldpassword", realm}, "o", reason.PasswordExpired},
	} {
		login, err := a.CheckPassword(t.Context(), c.name, c.password)
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%.30q: %q, want %q (%v)", c.name.Name, got, c.want, err)
			continue
		}
		if err == nil && (login.Principal.Components[0] != c.name.Name || login.AuthTime.IsZero() || login.Mechanism != MechanismPassword) {
			t.Errorf("%s: login = %+v", c.name.Name, login)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
