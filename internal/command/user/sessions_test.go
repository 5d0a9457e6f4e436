package user

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"idp/internal/command/commandtest"
	"idp/internal/secret"
	"idp/internal/store"
)

func TestSessionsAreListedAndEnded(t *testing.T) {
	p := commandtest.New(t, "")
	p.Write("pw", "correct horse\n")
	for _, name := range []string{"bob", "carol"} {
		p.MustRun("", "user", "add", name, "--password-file", p.Dir+"/pw")
	}
	if out := p.MustRun("", "user", "sessions", "bob"); out != "bob is not logged in\n" {
		t.Errorf("%q", out)
	}
	bobs, carols := startSessions(t, p, "bob", 3), startSessions(t, p, "carol", 1)
	out := p.MustRun("", "user", "sessions", "bob")
	if strings.Count(out, "\n") != 4 || !strings.Contains(out, bobs[0]) || !strings.Contains(out, "Firefox on Windows  192.0.2.7  pwd+otp") || strings.Contains(out, carols[0]) {
		t.Errorf("\n%s", out)
	}
	for _, args := range [][]string{{"sessions", "bob", "--end", carols[0]}, {"sessions", "bob", "--end", ""}, {"sessions", "eve"}, {"sessions", "bob", "--end", "x", "--end-all"}} {
		if out, _, err := p.Run("", append([]string{"user"}, args...)...); err == nil {
			t.Errorf("user %v: %s", args, out)
		}
	}
	if out := p.MustRun("", "user", "sessions", "bob", "--end", bobs[0]); out != "bob is signed out there\n" {
		t.Errorf("%q", out)
	}
	if out := p.MustRun("", "user", "sessions", "bob", "--end-all"); !strings.HasPrefix(out, "bob is signed out everywhere: sessions 2,") {
		t.Errorf("%q", out)
	}
	if out := p.MustRun("", "user", "sessions", "bob"); out != "bob is not logged in\n" {
		t.Errorf("%q", out)
	}
	if out := p.MustRun("", "user", "sessions", "carol"); !strings.Contains(out, carols[0]) {
		t.Errorf("\n%s", out)
	}
}

// startSessions logs somebody in a few times and returns the ids.
func startSessions(t *testing.T, p *commandtest.Place, name string, n int) (ids []string) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(p.Dir, "idp.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	u, err := st.UserByName(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for range n {
		s := store.Session{ID: secret.ID(), SecretHash: secret.Bytes(32), UserID: u.ID, AMR: []string{"pwd", "otp"}, ACR: "mfa", Address: "192.0.2.7",
			UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0", CreatedAt: now.UnixMilli(), SeenAt: now.UnixMilli(),
			AuthTime: now.UnixMilli(), IdleExpiresAt: now.Add(time.Hour).UnixMilli(), ExpiresAt: now.Add(time.Hour).UnixMilli()}
		if err := st.StartSession(t.Context(), store.StartSession{Session: s, Entry: store.Entry{Actor: name}}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.ID)
	}
	return ids
}
