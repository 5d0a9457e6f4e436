package main

import (
	"strings"
	"testing"
)

// idp check says what is wrong with an upstream, and where.
func TestCheckSaysWhatIsWrongWithAnUpstream(t *testing.T) {
	p := newPlace(t, `upstreams:
  - {id: partner, issuer: https://login.partner.example, client_id: idp, client_secret_file: missing.secret}
  - {id: Other, issuer: http://login.other.example, client_id: idp, client_key_file: key.pem}
  - id: third
    issuer: https://login.third.example
    client_id: idp
    token_endpoint_auth_method: none
    acr: {gold: highest}
    crate: invited
`)
	p.Write("key.pem", "no key\n")
	_, stderr, err := p.Run("", "check")
	if err == nil {
		t.Fatal("no problem found")
	}
	for _, want := range []string{
		"idp.yaml:4: upstreams[0].client_secret_file: open ", "idp.yaml:5: upstreams[1].id: ", "idp.yaml:5: upstreams[1].issuer: http is for",
		"idp.yaml:5: upstreams[1].client_key_file: no PEM", `idp.yaml:10: upstreams[2].acr: "gold": "highest" is no level`, "idp.yaml:11: upstreams[2].crate: unknown key (did you mean create?)",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
}
