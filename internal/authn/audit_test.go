package authn

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/kerberos"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// refusals are the reasons of the failed logins in the audit log, the first one first.
func refusals(t *testing.T, st *store.Store) (reasons []string) {
	t.Helper()
	entries, err := st.Entries(t.Context(), store.Filter{Event: audit.LoginFailed})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(entries) {
		reasons = append(reasons, e.Reason)
	}
	return reasons
}

func wantRefusals(t *testing.T, st *store.Store, what string, want ...reason.Code) {
	t.Helper()
	got := refusals(t, st)
	if !slices.EqualFunc(got, want, func(s string, c reason.Code) bool { return s == string(c) }) {
		t.Errorf("%s: the audit log has %v, want %v", what, got, want)
	}
}

// Who has locked a name can go on being refused for ever.
func TestHoleLockedNameFillsTheAuditLog(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		a, clock := limited(t, st, &kdc{answer: only("right")}, Limits{PerAddressInside: 5})
		want := []reason.Code{reason.BadPassword, reason.BadPassword, reason.BadPassword, reason.TooManyGuesses, reason.TooManyGuesses}
		for _, from := range []policy.From{at("10.1.2.3"), knownTo("10.1.2.3", "kdc:EXAMPLE.TEST:alice")} {
			for i := range 8 {
				for range 2 {
					_, _ = a.password2(t, "alice", secret.String(fmt.Sprint("wrong", i)), from)
				}
			}
			wantRefusals(t, st, "16 guesses", want...)
		}
		clock.pass(originWindow)
		_, _ = a.password2(t, "alice", "wrong7", at("10.1.2.3"))
		wantRefusals(t, st, "ten minutes later", append(want, reason.TooManyGuesses)...)
	})
}

// password2 is Password without the wait behind a failure.
func (a *Authn) password2(t *testing.T, name string, password secret.String, from policy.From) (*Result, error) {
	t.Helper()
	res, err := a.password(t.Context(), name, password, from)
	if err != nil {
		err = a.fail(t.Context(), from, printable(name), typed(err))
	}
	return res, err
}

// One check of a password that many bring at once is one failed login.
func TestHoleManyAtOnceFillTheAuditLog(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	all := make(chan struct{})
	a, _ := limited(t, st, &kdc{answer: func(n kerberos.Name, p secret.String) (*kerberos.Login, error) {
		<-all
		return only("right")(n, p)
	}}, DefaultLimits())
	const many = 20
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() { _, _ = a.password2(t, "alice", "wrong", here) })
	}
	for waiting := 0; waiting < many; time.Sleep(time.Millisecond) {
		a.running.mu.Lock()
		for _, f := range a.running.byKey {
			waiting = f.wanted
		}
		a.running.mu.Unlock()
	}
	close(all)
	wg.Wait()
	wantRefusals(t, st, "20 at once", reason.BadPassword)
}

// What is wrong with an account may be mended, so its password is asked about again: as
// often as anybody likes.
func TestHoleAccountThatIsRefusedFillsTheAuditLog(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		why := reason.Disabled
		a, _ := limited(t, st, &kdc{answer: func(kerberos.Name, secret.String) (*kerberos.Login, error) { return nil, reason.Refuse(why, "") }}, DefaultLimits())
		for _, why = range []reason.Code{reason.Disabled, reason.Locked} {
			for range 3 {
				if _, err := a.password2(t, "alice", "whatever", here); reasonOf(err) != why {
					t.Fatal(err)
				}
			}
		}
		wantRefusals(t, st, "six guesses", reason.Disabled, reason.Locked)
	})
}

// What nobody looks at is nobody's failed login, whatever name is typed with it.
func TestHoleNoCredentialUnderANameFillsTheAuditLog(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	a, _ := limited(t, st, &kdc{answer: only("right"), expired: "old"}, DefaultLimits())
	for _, password := range []secret.String{"", "\xff", secret.String(make([]byte, 2000))} {
		if _, err := a.Password(t.Context(), "alice", password, here); reasonOf(err) != reason.MalformedInput {
			t.Errorf("%q: %v", password.Reveal(), err)
		}
	}
	_, err := a.ChangePassword(t.Context(), "alice", "old", "old", here)
	if reasonOf(err) != reason.PasswordRefused {
		t.Error(err)
	}
	_ = a.Refuse(t.Context(), here, "alice", reason.PasswordsDiffer, "")
	wantRefusals(t, st, "nothing to look at")
}

// A passkey or a login elsewhere that is nobody's can be brought by anybody, without end.
func TestHoleRefusalsOfNobodyFillTheAuditLog(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		clock := &clock{now: time.Now()}
		a := newAuthn(t, st, nil)
		a.Now = clock.Now
		for _, address := range []string{"203.0.113.7", "203.0.113.8"} {
			for range 3 {
				_, _ = a.Passkey(t.Context(), at(address), func(context.Context) (*store.User, string, error) {
					return nil, "", reason.Refuse(reason.BadPasskey, "")
				})
				_ = a.UpstreamRefused(t.Context(), "partner", "", reason.Refuse(reason.UpstreamRefused, ""), at(address))
			}
		}
		want := []reason.Code{reason.BadPasskey, reason.UpstreamRefused, reason.BadPasskey, reason.UpstreamRefused}
		wantRefusals(t, st, "three of each from two addresses", want...)
		for _, address := range []string{"2001:db8:1:1::7", "2001:db8:1:ffff::7"} { // a /48 is one customer's
			_ = a.UpstreamRefused(t.Context(), "partner", "", reason.Refuse(reason.UpstreamRefused, ""), at(address))
		}
		want = append(want, reason.UpstreamRefused)
		wantRefusals(t, st, "two networks of one customer", want...)
		_ = a.UpstreamRefused(t.Context(), "partner", "jane", reason.Refuse(reason.UpstreamNotAllowed, ""), at("203.0.113.7"))
		_ = a.UpstreamRefused(t.Context(), "partner", "jane", reason.Refuse(reason.UpstreamNotAllowed, ""), at("203.0.113.7"))
		wantRefusals(t, st, "somebody who is known there", append(want, reason.UpstreamNotAllowed, reason.UpstreamNotAllowed)...)
	})
}

// Whose passwords are tried by their names of Windows, the audit log says.
func TestHoleNamesOfWindowsLeaveNoTrace(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	a, _ := limited(t, st, &kdc{answer: only("right")}, DefaultLimits())
	for name, want := range map[string]string{`EXAMPLE\alice`: `EXAMPLE\alice`, `EXAMPLE\alice\x`: "", `\alice`: "", `EXAMPLE\`: "", "alice": "alice", "p:w d": ""} {
		if printable(name) != want {
			t.Errorf("%q is written down as %q, want %q", name, printable(name), want)
		}
	}
	_, _ = a.password2(t, `EXAMPLE\alice`, "wrong", here)
	entries, err := st.Entries(t.Context(), store.Filter{Event: audit.LoginFailed})
	if err != nil || len(entries) != 1 || entries[0].Name != `EXAMPLE\alice` {
		t.Errorf("%+v, %v", entries, err)
	}
}
