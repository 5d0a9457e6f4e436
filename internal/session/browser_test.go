package session

import (
	"strings"
	"testing"

	"idp/internal/secret"
)

const someID = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" // 43 characters, as a token has

func written(t *testing.T, b *Browser) string {
	t.Helper()
	text, err := browserText{}.Serialize(map[any]any{browserKey: b})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func read(t *testing.T, text string) *Browser {
	t.Helper()
	values := map[any]any{}
	if err := (browserText{}).Deserialize([]byte(text), &values); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	b, _ := values[browserKey].(*Browser)
	return b
}

// previous reads the text as the release before the last method was kept: a marker is
// a letter anywhere between the bars.
func previous(text string) (signedOut, noTicket bool, last string) {
	_, rest, _ := strings.Cut(text, "|")
	marks, last, _ := strings.Cut(rest, "|")
	return strings.Contains(marks, "s"), strings.Contains(marks, "n"), last
}

func TestBrowserCookieBetweenReleases(t *testing.T) {
	for _, method := range []string{"", "form", "ticket", "passkey", "upstream:partners-and-nieces", "upstream:ß|.|s"} {
		for _, marks := range []struct{ signedOut, noTicket bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			for _, last := range []string{"", lastOf("sid")} {
				b := newBrowser(secret.String(someID))
				b.SignedOut, b.NoTicket, b.Method, b.last = marks.signedOut, marks.noTicket, method, last
				text := written(t, b)
				if got := read(t, text); got.ID != b.ID || got.SignedOut != b.SignedOut || got.NoTicket != b.NoTicket || got.Method != method || got.last != last {
					t.Errorf("%q is read as %+v, want %+v", text, got, b)
				}
				if s, n, l := previous(text); s != marks.signedOut || n != marks.noTicket || l != last {
					t.Errorf("the previous release reads %q as signed out %v, no ticket %v, last %q", text, s, n, l)
				}
			}
		}
	}
}

func TestBrowserCookieOfOlderReleasesAndOddOnes(t *testing.T) {
	for text, want := range map[string]Browser{
		someID + "|":           {},
		someID + "|sn":         {SignedOut: true, NoTicket: true},
		someID + "|s|abcdef":   {SignedOut: true, last: "abcdef"},
		someID + "|s.":         {SignedOut: true},
		someID + "|.66|abcdef": {Method: "f", last: "abcdef"},
		someID + "|.6":         {},
		someID + "|.zz":        {},
	} {
		if got := read(t, text); got.SignedOut != want.SignedOut || got.NoTicket != want.NoTicket || got.Method != want.Method || got.last != want.last {
			t.Errorf("%q is read as %+v, want %+v", text, *got, want)
		}
	}
}
