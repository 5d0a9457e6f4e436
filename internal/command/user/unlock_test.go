package user

import (
	"context"
	"strings"
	"testing"
	"time"

	"idp/internal/command/commandtest"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

func TestUserIsUnlockedUnderAllNames(t *testing.T) {
	p := commandtest.New(t, "")
	p.Write("pw", "correct horse\n")
	p.MustRun("", "user", "add", "bob", "--password-file", p.Dir+"/pw")
	guess := func(name, asked string, n int) {
		t.Helper()
		st := storetest.Open(t, store.Config{URL: "sqlite:" + p.Dir + "/idp.db"})
		for i := range n {
			taken, err := st.TakeGuess(context.Background(), name, asked, []byte{byte(i)}, 3, time.Minute, st.Now())
			if err != nil || taken.State != store.GuessTaken {
				t.Fatal(taken, err)
			}
			if err := st.FailGuess(context.Background(), taken.Token, "BAD_PASSWORD", false, st.Now()+time.Hour.Milliseconds()); err != nil {
				t.Fatal(err)
			}
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	guess("local:bob", "local:bob", 2)
	if out := p.MustRun("", "user", "show", "bob"); !strings.Contains(out, `"wrong_passwords": 2`) || strings.Contains(out, "locked_until") {
		t.Errorf("after two: %s", out)
	}
	p.MustRun("", "user", "unlock", "bob")
	if out := p.MustRun("", "user", "show", "bob"); strings.Contains(out, "wrong_passwords") {
		t.Errorf("unlocked: %s", out)
	}
	guess("local:bob", "nobody:BOB", 3)
	guess("local:eve", "nobody:eve", 3)
	if out := p.MustRun("", "user", "show", "bob"); !strings.Contains(out, `"locked_until": "20`) {
		t.Errorf("after three, in another spelling: %s", out)
	}
	if out := p.MustRun("", "user", "unlock", "bob"); !strings.Contains(out, "bob can log in again") {
		t.Error(out)
	}
	if _, errs, err := p.Run("", "user", "unlock", "bob"); err == nil || !strings.Contains(errs, "no wrong passwords of bob") {
		t.Errorf("twice: %v %s", err, errs)
	}
	p.MustRun("", "user", "unlock", "EVE") // who has no user yet
	st := storetest.Open(t, store.Config{URL: "sqlite:" + p.Dir + "/idp.db"})
	entries, err := st.Entries(t.Context(), store.Filter{Event: "user_unlocked"})
	if err != nil || len(entries) != 3 || !strings.HasPrefix(entries[0].Actor, "cli:") {
		t.Errorf("audit: %v %v", entries, err)
	}
}
