package wire

import "testing"

func TestPrincipalStringEscapes(t *testing.T) {
	for want, p := range map[string]Principal{
		"alice@EXAMPLE.TEST":            {Components: []string{"alice"}, Realm: "EXAMPLE.TEST"},
		"HTTP/idp@EXAMPLE.TEST":         {Components: []string{"HTTP", "idp"}, Realm: "EXAMPLE.TEST"},
		`alice\@EVIL.TEST@EXAMPLE.TEST`: {Components: []string{"alice@EVIL.TEST"}, Realm: "EXAMPLE.TEST"},
		`alice\/admin\\@EXAMPLE\@X`:     {Components: []string{`alice/admin\`}, Realm: "EXAMPLE@X"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
