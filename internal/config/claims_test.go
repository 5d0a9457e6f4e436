package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/store"
)

func TestClaimsOfACommandAreRead(t *testing.T) {
	got := store.UserClaims{}
	err := SetClaims(&got, []string{"given_name=Åsa", "website=https://example.com/?a=b", "phone_number_verified=true", "address.country=NO", "address.formatted=a\nb"}, false)
	want := store.UserClaims{GivenName: "Åsa", Website: "https://example.com/?a=b", PhoneNumberVerified: true, Address: store.Address{Country: "NO", Formatted: "a\nb"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	for pairs, want := range map[string]string{
		"given_name":                      "want name=value",
		"nickname=\xff":                   "want name=value",
		"given_nam=Bob":                   "given_nam: unknown claim (did you mean given_name?)",
		"email=bob@example.com":           "email: unknown claim (--email says it)",
		"emial=bob@example.com":           "emial: unknown claim (--email says it)",
		"sub=x":                           "sub: unknown claim (idp makes it)",
		"phone_number_verified=yes":       "phone_number_verified: wants true or false",
		"phone_number_verified=":          "phone_number_verified: is empty; leave it out",
		"address=Paris":                   "address: has members: address.country=FR",
		"address.planet=Mars":             "address.planet: unknown claim (known here: country,",
		"address.=x":                      "address.: unknown claim",
		"given_name.x=Bob":                "given_name.x: given_name has no members",
		"gender=":                         "gender: is empty; leave it out",
		"gender=m gender=f":               "gender: is there twice",
		"address.country=NO loclae=en-US": "loclae: unknown claim (did you mean locale?)",
		"gender= birthdat=1":              "gender: is empty; leave it out\nbirthdat: unknown claim",
	} {
		if err := SetClaims(&store.UserClaims{}, strings.Split(pairs, " "), false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", pairs, err, want)
		}
	}
}

func TestAClaimIsTakenAwayByAnEmptyValue(t *testing.T) {
	c := store.UserClaims{GivenName: "Bob", Gender: "m", PhoneNumberVerified: true, Address: store.Address{Country: "NO", Locality: "Oslo"}}
	err := SetClaims(&c, []string{"gender=", "phone_number_verified=", "address.locality=", "locale=nb"}, true)
	want := store.UserClaims{GivenName: "Bob", Locale: "nb", Address: store.Address{Country: "NO"}}
	if d := cmp.Diff(want, c); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
}

// A misspelt key is one problem, and not also what is missing for it.
func TestAMisspeltKeyIsOneProblem(t *testing.T) {
	for text, want := range map[string]string{
		"users: [{name: bob, passwordfile: x}]":                                 "idp.yaml:1: users[0].passwordfile: unknown key (did you mean password_file?)",
		"users: [{name: bob, password: x}]":                                     "idp.yaml:1: users[0].password: unknown key (secrets are not in this file: password_file names the one that holds it)",
		"clients: [{client_id: a, scope: [openid, email], redirect_uris: [x]}]": "idp.yaml:1: clients[0].scope: wants a text (one text, with spaces: openid profile email)",
		"clients: [{client_id: a, client_secret: x}]":                           "idp.yaml:1: clients[0].client_secret: unknown key (secrets are not in this file: client_secret_file names the one that holds it)",
		"clients: [{client_id: a, jwks: key.pem}]":                              "idp.yaml:1: clients[0].jwks: is not JSON (paste the JSON itself, {keys: […]}; jwks_file names a file)",
	} {
		_, problems := load(t, text)
		if got := problems.Error(); !strings.HasSuffix(got, want) || strings.Count(got, "\n") != 0 {
			t.Errorf("%s\n%s\nwant %s", text, got, want)
		}
	}
	_, problems := load(t, "clients: [{client_id: a, token_endpoint_auth_methd: none}, {client_id: b, redirect_uri: https://b.example/}, {client_id: c, foo: 1}]")
	more := Problems{
		{Key: "clients[0].client_secret_file", Text: "missing; a secret"}, {Key: "clients[0].redirect_uris", Text: `"x": no`},
		{Key: "clients[1].redirect_uris", Text: "whatever"}, {Key: "clients[2].client_secret_file", Text: "missing"}, {Key: "clients[0].trusted_assertions[0].subject", Text: "missing"},
	}
	var got []string
	for _, p := range problems.With(more) {
		got = append(got, p.Key)
	}
	want := []string{"clients[0].redirect_uris", "clients[2].client_secret_file", "clients[0].trusted_assertions[0].subject",
		"clients[0].token_endpoint_auth_methd", "clients[1].redirect_uri", "clients[2].foo"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
