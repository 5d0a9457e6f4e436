package authn

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// folded is a name as guesses are counted by, whoever would take which spelling for
// whose: without case, in one Unicode form (full width, ligatures and composed letters
// are what they look like), without what cannot be seen, and without dots and blanks at
// its end, which Windows drops. Nobody is looked up by it.
func folded(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Cc) {
			return -1
		}
		return r
	}, norm.NFKC.String(name))
	return strings.TrimRight(cases.Fold().String(name), ". \t")
}
