package clients

import (
	"encoding/json"
	"strings"
	"testing"

	"idp/internal/store"
)

// Keys that are left out are said, for a registration with one good key passes Check.
func TestKeysThatAreLeftOutAreSaid(t *testing.T) {
	const good = `{"kty":"EC","crv":"P-256","kid":"a","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`
	for keys, want := range map[string]string{
		`{"keys":[` + good + `]}`:                                      "",
		`{"keys":[` + good + `,{"kty":"EC","crv":"P-521","kid":"b"}]}`: "jwks: shop has keys that are left out: key 2: ",
		`{"keys":[]}`: "", // which Check refuses
		"":            "",
	} {
		got := ""
		for _, err := range Warnings(&store.Client{ClientID: "shop", JWKS: json.RawMessage(keys)}) {
			got += err.Error()
		}
		if !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", keys, got, want)
		}
	}
}
