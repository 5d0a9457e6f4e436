package command

import (
	"strings"
	"time"
	"unicode"

	"idp/internal/store"
)

// Plain is a text that a directory or somebody else chose, without what a
// terminal would obey.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// Moment is a time as tables show it, in UTC.
func Moment(at store.Millis) string { return time.UnixMilli(at).UTC().Format("2006-01-02 15:04:05Z") }
