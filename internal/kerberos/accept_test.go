package kerberos

import (
	"context"
	"sync"
	"testing"
	"time"

	"idp/internal/kerberos/krbtest"
)

// replays is a Seen for tests.
type replays struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

func (m *replays) Seen(_ context.Context, hash []byte, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[string]time.Time{}
	}
	if _, ok := m.seen[string(hash)]; ok {
		return false, nil
	}
	m.seen[string(hash)] = until
	return true, nil
}

// newAcceptor makes an acceptor for a realm; change may adjust its options.
func newAcceptor(t testing.TB, r *krbtest.Realm, change func(*Options)) *Acceptor {
	t.Helper()
	c := DefaultConfig()
	c.Keytabs, c.Krb5Conf, c.Realms = []string{r.Keytab}, r.Krb5Conf, []Realm{{Name: r.Name}}
	o := Options{Config: c, Seen: (&replays{}).Seen, Log: quiet()}
	if change != nil {
		change(&o)
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestRealTicketIsAcceptedWithAPRep(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, nil)
	if err := a.Ready(); err != nil {
		t.Fatal(err)
	}
	tkt, err := r.Ticket("alice", krbtest.AlicePassword, "HTTP/idp.localhost")
	if err != nil {
		t.Fatal(err)
	}
	token, err := tkt.Token()
	if err != nil {
		t.Fatal(err)
	}
	login, err := a.Accept(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if got := login.Principal.String(); got != "alice@EXAMPLE.TEST" {
		t.Errorf("principal = %s", got)
	}
}

func failingSeen(err error) func(context.Context, []byte, time.Time) (bool, error) {
	return func(context.Context, []byte, time.Time) (bool, error) { return false, err }
}
