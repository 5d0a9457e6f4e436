package kerberos

import (
	"errors"
	"unicode"
	"unicode/utf8"
)

// Bounds of names. AD's longest is 256 characters, a realm 255.
const (
	maxName       = 512 // bytes of a realm or a component
	maxComponents = 8
)

var errName = errors.New("a name is empty, too long, not UTF-8 or holds control characters")

// checkName refuses a realm or component that could not be stored or shown as
// it is: empty, too long, not UTF-8, or with control characters (NUL included).
func checkName(s string) error {
	if s == "" || len(s) > maxName || !utf8.ValidString(s) {
		return errName
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return errName
		}
	}
	return nil
}
