package kerberos

import (
	"errors"
	"testing"

	"idp/internal/kerberos/krbtest"
	"idp/internal/secret"
)

// reasonOf is the Reason of a refusal; a test fails on any other error.
func reasonOf(t testing.TB, err error) Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var refused *Error
	if !errors.As(err, &refused) || !errors.Is(err, ErrRejected) {
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
		want     Reason
	}{
		{Name{"alice", realm}, "alice-password", ""},
		{Name{"alice", realm}, "Alice-password", ReasonBadPassword},
		{Name{"alice", realm}, "", ReasonBadPassword},
		{Name{"alice", realm}, secret.String(long), ReasonBadPassword},
		{Name{"alice", realm}, "\xff\xfe", ReasonBadPassword},
		{Name{"alice", realm}, "alice-password\x00", ReasonBadPassword},
		{Name{"jörg", realm}, "paß wört", ""},
		{Name{"sha2", realm}, "s", ""},
		{Name{"nopreauth", realm}, "np", ""},
		{Name{"nopreauth", realm}, "wrong", ReasonBadPassword},
		{Name{"nobody", realm}, "x", ReasonClientUnknown},
		{Name{"Alice", realm}, "alice-password", ReasonClientUnknown},
		{Name{"alice/admin", realm}, "x", ReasonNotAPerson},
		{Name{"alice@EXAMPLE.TEST", realm}, "x", ReasonNotAPerson},
		{Name{"", realm}, "x", ReasonNotAPerson},
		{Name{"a\x00lice", realm}, "x", ReasonNotAPerson},
		{Name{"a\xfflice", realm}, "x", ReasonNotAPerson},
		{Name{long, realm}, "x", ReasonNotAPerson},
		{Name{"alice", "OTHER.TEST"}, "alice-password", ReasonRealm},
		{Name{"alice", ""}, "alice-password", ReasonRealm},
		{Name{"locked", realm}, "x", ReasonBadPassword},
		{Name{"locked", realm}, "y", ReasonBadPassword},
		{Name{"locked", realm}, "l", ReasonLocked},
		{Name{"disabled", realm}, "d", ReasonDisabled},
		{Name{"expired", realm}, "e", ReasonAccountExpired},
		{Name{"oldpassword", realm}, "o", ReasonPasswordExpired},
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
