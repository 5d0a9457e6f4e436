package user

import (
	"strings"
	"testing"

	"idp/internal/store"
)

func TestClaimsAreChecked(t *testing.T) {
	good := store.UserClaims{GivenName: "Åsa", Birthdate: "0000-12-24", Zoneinfo: "America/Argentina/Buenos_Aires", Locale: "en-US",
		Website: "https://example.com/?a=b", PhoneNumber: "+47 123", PhoneNumberVerified: true, Address: store.Address{Country: "NO", Formatted: "a\nb"}}
	if err := CheckClaims(good); err != nil {
		t.Error(err)
	}
	for _, bad := range []store.UserClaims{
		{Birthdate: "24.12.1999"}, {Birthdate: "1999-13-01"}, {Zoneinfo: "Mars Base"}, {Locale: "e"}, {Website: "javascript:alert(1)"}, {Picture: "/a.png"},
		{Profile: "https://"}, {GivenName: "a\nb"}, {Nickname: "\xff"}, {Gender: strings.Repeat("x", maxClaim+1)}, {Address: store.Address{Country: "a\nb"}},
	} {
		if err := CheckClaims(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
