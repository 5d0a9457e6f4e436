package device

import (
	"strings"
	"testing"
)

func TestUserCodesAreReadAsPeopleTypeThem(t *testing.T) {
	for typed, want := range map[string]string{
		"WDJB-MJHT": "WDJBMJHT", " wdjb mjht ": "WDJBMJHT", "w-d-j-b\u2014m\u00a0j h t": "WDJBMJHT",
		"": "", "WDJB-MJH": "", "WDJB-MJHTX": "", "WDJB-MJHA": "", "WDJB-MJH1": "", "WDJB_MJHT": "", "ẞDJB-MJHT": "", "//evil.ex": "",
		"WDJBMJH\u017f": "", strings.Repeat(" ", 60) + "WDJBMJHT": "",
	} {
		if got := readUserCode(typed); got != want {
			t.Errorf("%q is read as %q, want %q", typed, got, want)
		}
	}
	seen := map[rune]int{}
	for range 2000 {
		code := newUserCode()
		if readUserCode(showUserCode(code)) != code {
			t.Fatalf("%q", code)
		}
		for _, r := range code {
			seen[r]++
		}
	}
	if len(seen) != len(userCodeLetters) {
		t.Errorf("%d letters in use", len(seen))
	}
}

func FuzzUserCode(f *testing.F) {
	for _, seed := range []string{"WDJB-MJHT", "wdjb mjht", "", "WDJB\u2014MJHT", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code := readUserCode(typed)
		if code == "" {
			return
		}
		if len(code) != userCodeLen || strings.Trim(code, userCodeLetters) != "" || readUserCode(showUserCode(code)) != code || readUserCode(strings.ToLower(code)) != code {
			t.Errorf("%q is read as %q", typed, code)
		}
	})
}
