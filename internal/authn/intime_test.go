package authn

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"idp/internal/kerberos"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// lines is a log whose lines can be waited for.
type lines chan string

func (l lines) Write(line []byte) (int, error) { l <- string(line); return len(line), nil }

// What breaks in a check that nobody waits for any more is in the log, and ends no more
// than that check.
func TestHoleBrokenChecksOfNobodyLeaveNoTrace(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	a := newAuthn(t, st, &kdc{answer: func(kerberos.Name, secret.String) (*kerberos.Login, error) { return nil, errors.New("never asked") }})
	log, release := make(lines, 1), make(chan struct{})
	a.Log = slog.New(slog.NewTextHandler(log, nil))
	slow := policy.From{Address: here.Address, RequestID: "r1", Known: func(string) bool { <-release; panic("broken") }}
	if _, err := a.PasswordInTime(t.Context(), time.Millisecond, "alice", "x", slow); reason.Of(err) != reason.Busy {
		t.Errorf("%v", err)
	}
	close(release)
	select {
	case line := <-log:
		if !strings.Contains(line, "level=ERROR") || !strings.Contains(line, "request_id=r1") || !strings.Contains(line, "panic: broken") {
			t.Error(line)
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("the log says nothing")
	}
	at := policy.From{Address: here.Address, Known: func(string) bool { panic("broken at once") }}
	if _, err := a.PasswordInTime(t.Context(), 5*time.Minute, "alice", "x", at); err == nil || !strings.Contains(err.Error(), "panic: broken at once") {
		t.Errorf("%v", err)
	}
}
