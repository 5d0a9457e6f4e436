package user

import (
	"fmt"
	"strings"
	"testing"

	"idp/internal/command/commandtest"
)

func TestImport(t *testing.T) {
	p := commandtest.New(t, "")
	bcrypt := "$2y$04$OrmzRRyA8OV/BY94rDw1fO6eJytKZysm.YjqsFGicfn14YypqXks6" // of internal/user/testdata
	bad := fmt.Sprintf(`{"name": "bob", "email": "bob@example.com", "groups": ["partners"], "hash": %q}
{"name": "eve", "hash": "{MD5}x"}

{"name": "BOB"}
{"name": "carol", "mail": "carol@example.com"}
{"name": "da ve", "email": "dave"}
{"name": "frank", "hash": "$2b$15$OrmzRRyA8OV/BY94rDw1fO6eJytKZysm.YjqsFGicfn14YypqXks6"}
{"name": "george"} {}
`, bcrypt)
	_, errs, err := p.Run(bad, "user", "import", "-")
	for _, want := range []string{"line 2: hash: unreadable", "line 4: \"BOB\" is in line 1, too", "line 5: not a user", "mail", "line 6: email", "not allowed in it", "line 7: hash: ", "invite this user", "line 8: more than one", "6 line(s) cannot be imported; nobody was made"} {
		if err == nil || !strings.Contains(errs, want) {
			t.Errorf("%q is not in %v\n%s", want, err, errs)
		}
	}
	if list := p.MustRun("", "user", "list"); strings.Contains(list, "bob") {
		t.Errorf("%s", list)
	}
	good := fmt.Sprintf(`{"name": "bob", "email": "bob@example.com", "email_verified": true, "full_name": "Bob", "groups": ["partners"], "claims": {"nickname": "B"}, "hash": %q}`+"\n"+`{"name": "carol"}`, bcrypt)
	if out := p.MustRun(good, "user", "import", "--dry-run", "-"); !strings.Contains(out, "2 users can be imported") || strings.Contains(p.MustRun("", "user", "list"), "bob") {
		t.Errorf("%s", out)
	}
	p.Write("people", good)
	if out := p.MustRun("", "user", "import", p.Dir+"/people"); !strings.Contains(out, "2 users made, 1 of them with a password") || strings.Contains(out, "1.5 s") {
		t.Errorf("%s", out)
	}
	if out := p.MustRun("", "user", "show", "bob"); !strings.Contains(out, `"email_verified": true`) || !strings.Contains(out, `"nickname": "B"`) || strings.Contains(out, "2y") {
		t.Errorf("%s", out)
	}
	if _, errs, err := p.Run(good, "user", "import", "-"); err == nil || !strings.Contains(errs, `line 1: name: "bob" is taken`) {
		t.Errorf("%v %s", err, errs)
	}
}
