//go:build interop

package interop_test

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

const spn = "HTTP/idp.localhost"

// roll gives the service a new key in the KDC and keeps the old ones there.
func roll(t *testing.T, r *krbtest.Realm) {
	t.Helper()
	must(t, r.Kadmin("change_password -randkey -keepold "+spn+"\n"))
}

// A new key in the KDC and in the keytab, while people log in: tickets of the
// old version go on working, those of the new one work once the file is read,
// within five seconds, and not one login fails.
func TestKeyRollOver(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(r)})
	old, err := r.Ticket("alice", krbtest.AlicePassword, spn)
	must(t, err)
	keytabs := len(s.Log.Lines("keytab read"))

	var logins atomic.Int64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			token, err := old.Token()
			if err != nil {
				t.Errorf("token: %v", err)
				return
			}
			if p := s.Program(t).Once("GET", "/login/negotiate", nil, map[string][]string{"Authorization": {negotiate(token)}}); p.StatusCode != 303 {
				t.Errorf("login %d of the loop: %d, %s", logins.Load(), p.StatusCode, lastReason(s))
				return
			}
			logins.Add(1)
		}
	}()
	roll(t, r)
	must(t, r.ExportKeytab(r.Keytab, "HTTP/idp.localhost", "HTTP/localhost"))
	written := time.Now()
	await(t, "the new keytab is read", patience, func() bool { return len(s.Log.Lines("keytab read")) > keytabs })
	t.Logf("read after %s", time.Since(written).Round(time.Millisecond))
	fresh, err := r.Ticket("alice", krbtest.AlicePassword, spn)
	must(t, err)
	if old.Ticket.EncPart.KVNO == fresh.Ticket.EncPart.KVNO {
		t.Fatalf("both tickets have key version %d", fresh.Ticket.EncPart.KVNO)
	}
	if who := byTicket(t, s, fresh); who.Name != "alice" {
		t.Errorf("ticket of the new version: %+v", who)
	}
	seen := logins.Load()
	await(t, "logins go on after the change", patience, func() bool { return logins.Load() > seen+5 })
	close(stop)
	<-ended
	if who := byTicket(t, s, old); who.Name != "alice" {
		t.Errorf("ticket of the old version: %+v", who)
	}
	t.Logf("%d logins", logins.Load())
}

// The KDC has a new key and the keytab has not: the reason says which version is
// wanted.
func TestKeytabWithoutTheNewVersion(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(r)})
	roll(t, r)
	fresh, err := r.Ticket("alice", krbtest.AlicePassword, spn)
	must(t, err)
	refused(t, s, idptest.Negotiate(t, fresh), "KVNO_MISMATCH")
	if line := lastReason(s); !strings.Contains(line, "have kvno 1, want 2") {
		t.Errorf("the log line does not say which version there is and which was wanted: %s", line)
	}
}

// A keytab that only has the new version refuses the tickets people still have,
// by the same reason.
func TestKeytabWithoutTheOldVersion(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	old, err := r.Ticket("alice", krbtest.AlicePassword, spn)
	must(t, err)
	must(t, r.Kadmin("change_password -randkey "+spn+"\n"), os.Remove(r.Keytab), r.ExportKeytab(r.Keytab, spn))
	s := idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(r)})
	refused(t, s, idptest.Negotiate(t, old), "KVNO_MISMATCH")
}

// await waits until a condition holds. It must whenever it is asked for later than
// within; how long an answer takes does not count.
func await(t testing.TB, what string, within time.Duration, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		late := time.Now().After(end)
		if holds() {
			return
		}
		if late {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
