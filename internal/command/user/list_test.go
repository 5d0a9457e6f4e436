package user

import (
	"errors"
	"regexp"
	"testing"

	"idp/internal/command/commandtest"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

func TestUserListShowsInvitations(t *testing.T) {
	p := commandtest.New(t, "kerberos: {realms: [{name: EXAMPLE.COM}]}\n")
	for _, name := range []string{"waiting", "over", "linked", "used"} {
		p.MustRun("", "user", "invite", name)
	}
	st := storetest.Open(t, store.Config{URL: "sqlite:" + p.Dir + "/idp.db"})
	now, browser, e := st.Now(), []byte("browser"), store.Entry{Actor: "test"}
	for name, until := range map[string]store.Millis{"over": now - 1, "linked": now - 1, "used": now + 1e6} {
		u, err := st.UserByName(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.CreateLink(t.Context(), store.Link{Hash: []byte(name), UserID: u.ID, Purpose: store.LinkInvitation, CreatedAt: now, ExpiresAt: until}, nil, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(st.OpenLink(t.Context(), []byte("used"), browser, e), st.UseLink(t.Context(), []byte("used"), browser, "$x", e), st.Close()); err != nil {
		t.Fatal(err)
	}
	p.MustRun("", "user", "link", "linked", "--realm", "EXAMPLE.COM", "--principal", "linked")
	list := p.MustRun("", "user", "list")
	for _, want := range []string{
		`(?m)^waiting .* nothing +invited until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ$`, `(?m)^over .* nothing +invitation expired$`,
		`(?m)^linked .* kerberos +$`, `(?m)^used .* password +invitation used 20\d\d-`,
	} {
		if !regexp.MustCompile(want).MatchString(list) {
			t.Errorf("not there: %s in\n%s", want, list)
		}
	}
	p.MustRun("", "user", "disable", "waiting") // which ends the link
	if list := p.MustRun("", "user", "list"); !regexp.MustCompile(`(?m)^waiting .* nothing +disabled$`).MatchString(list) {
		t.Errorf("disabled:\n%s", list)
	}
}
