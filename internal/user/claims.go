package user

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"idp/internal/store"
)

const maxClaim = 1024 // bytes of one claim

var (
	// birthdate: YYYY-MM-DD, the year alone, or 0000 for a year that is not told.
	birthdate = regexp.MustCompile(`^\d{4}(-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))?$`)
	zoneinfo  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)
	locale    = regexp.MustCompile(`^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$`)
)

// CheckClaims returns everything that is wrong with a person's standard claims,
// named as in OIDC Core §5.1, which says what each must look like.
func CheckClaims(c store.UserClaims) error {
	var problems []error
	check := func(name, value, want string, ok func(string) bool) {
		if value != "" && (!plainText(value) || !ok(value)) {
			problems = append(problems, fmt.Errorf("%s: want %s", name, want))
		}
	}
	for name, value := range map[string]string{
		"given_name": c.GivenName, "family_name": c.FamilyName, "middle_name": c.MiddleName, "nickname": c.Nickname, "gender": c.Gender,
		"phone_number": c.PhoneNumber, "address.locality": c.Address.Locality, "address.region": c.Address.Region,
		"address.postal_code": c.Address.PostalCode, "address.country": c.Address.Country,
	} {
		check(name, value, "one line of text", oneLine)
	}
	for name, value := range map[string]string{"address.formatted": c.Address.Formatted, "address.street_address": c.Address.StreetAddress} {
		check(name, value, fmt.Sprintf("text of at most %d bytes", maxClaim), func(string) bool { return true })
	}
	for name, value := range map[string]string{"profile": c.Profile, "picture": c.Picture, "website": c.Website} {
		check(name, value, "an absolute http or https URL", webAddress)
	}
	check("birthdate", c.Birthdate, "YYYY-MM-DD, YYYY or 0000-MM-DD", birthdate.MatchString)
	check("zoneinfo", c.Zoneinfo, "a time zone like Europe/Paris", zoneinfo.MatchString)
	check("locale", c.Locale, "a language like en-US", locale.MatchString)
	return errors.Join(problems...)
}

func plainText(s string) bool {
	return len(s) <= maxClaim && utf8.ValidString(s) && !strings.Contains(s, "\x00")
}

func oneLine(s string) bool { return !strings.ContainsFunc(s, unicode.IsControl) }

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}
