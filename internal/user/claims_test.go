package user

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/store"
)

func TestClaimsAreReadAndChecked(t *testing.T) {
	got, err := ParseClaims([]string{"given_name=Åsa", "birthdate=0000-12-24", "zoneinfo=America/Argentina/Buenos_Aires", "locale=en-US",
		"website=https://example.com/?a=b", "phone_number=+47 123", "phone_number_verified=true", "address.country=NO", "address.formatted=a\nb"})
	want := store.UserClaims{GivenName: "Åsa", Birthdate: "0000-12-24", Zoneinfo: "America/Argentina/Buenos_Aires", Locale: "en-US",
		Website: "https://example.com/?a=b", PhoneNumber: "+47 123", PhoneNumberVerified: true, Address: store.Address{Country: "NO", Formatted: "a\nb"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	for _, bad := range []string{"given_name", "sub=x", "address.planet=Mars", "birthdate=24.12.1999", "birthdate=1999-13-01", "zoneinfo=Mars Base", "locale=e",
		"website=javascript:alert(1)", "picture=/a.png", "profile=https://", "given_name=a\nb", "nickname=\xff", "gender=" + strings.Repeat("x", maxClaim+1)} {
		if _, err := ParseClaims([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
