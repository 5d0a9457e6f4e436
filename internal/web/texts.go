package web

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Texts are the company's own words. They are plain text: what looks like HTML is
// shown as it is written. Empty: ours, or none.
type Texts struct {
	LoginTitle string // in place of "Log in"
	LoginIntro string // below it
	Footer     string // at the foot of every page
	Support    string // beside the reference of an error: whom to read it to
}

// check says which text is too long for its place, or no line of text.
func (t Texts) check() error {
	for _, text := range []struct {
		name, value string
		most        int // characters
	}{
		{"login_title", t.LoginTitle, 60}, {"login_intro", t.LoginIntro, 300}, {"footer", t.Footer, 120}, {"support", t.Support, 200},
	} {
		switch {
		case utf8.RuneCountInString(text.value) > text.most:
			return fmt.Errorf("brand.texts.%s: has %d characters, and room for %d", text.name, utf8.RuneCountInString(text.value), text.most)
		case !utf8.ValidString(text.value) || strings.IndexFunc(text.value, unprintable) >= 0:
			return fmt.Errorf("brand.texts.%s: want one line of plain text", text.name)
		case strings.ContainsAny(text.value, "<>"):
			return fmt.Errorf("brand.texts.%s: want plain text, without < and >: HTML would be shown as it is written", text.name)
		}
	}
	return nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
