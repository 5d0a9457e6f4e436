package tokens

import "testing"

func TestPreferredUsernameTemplate(t *testing.T) {
	for _, c := range []struct{ template, name, want string }{
		{"", "alice", "alice"},
		{"", "alice@OTHER.ORG", "alice@OTHER.ORG"},
		{"{name}@{realm}", "alice", "alice@EXAMPLE.COM"},
		{"{name}@{realm}", "alice@OTHER.ORG", "alice@OTHER.ORG"},
		{`{domain}\{name}`, "alice", `EXAMPLE\alice`},
		{`{domain}\{name}`, "alice@EXAMPLE.ORG", "alice@EXAMPLE.ORG"}, // not EXAMPLE\alice
		{"{name}@corp.example.com", "alice", "alice@corp.example.com"},
		{"{name}@corp.example.com", "alice@OTHER.ORG", "alice@OTHER.ORG"},
		{"{name}@{realm}", "a@b@OTHER.ORG", "a@b@OTHER.ORG"},
		{`{domain}\{name}`, "partner:alice", "partner:alice"}, // never the company's alice
		{"{name}@{realm}", "partner:alice@EXAMPLE.COM", "partner:alice@EXAMPLE.COM"},
	} {
		if got := preferredUsername(c.template, c.name, "EXAMPLE.COM"); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.template, c.name, got, c.want)
		}
	}
}
