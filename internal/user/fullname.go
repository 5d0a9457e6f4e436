package user

import (
	"errors"
	"unicode"
	"unicode/utf8"
)

// maxFullName is the longest name that somebody may give themselves, in characters.
const maxFullName = 100

// CheckFullName says what is wrong with a name that somebody gives themselves, as the
// end of a sentence about it. Sites show it as it is.
func CheckFullName(name string) error {
	letters := 0
	for _, r := range name {
		if !unicode.IsGraphic(r) || r == utf8.RuneError || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
			return errors.New("holds characters that cannot be seen")
		}
		if unicode.IsLetter(r) {
			letters++
		}
	}
	switch {
	case letters == 0:
		return errors.New("has no letter")
	case utf8.RuneCountInString(name) > maxFullName:
		return errors.New("is longer than 100 characters")
	}
	return nil
}
