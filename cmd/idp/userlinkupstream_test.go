package main

import (
	"strings"
	"testing"
)

// An administrator invites people who log in at another provider.
func TestUserLinkInvitesAnUpstreamsPerson(t *testing.T) {
	p := newPlace(t, "upstreams:\n  - {id: partner, issuer: https://login.partner.example, client_id: idp, client_secret_file: partner.secret}\n")
	p.write("partner.secret", "a secret of the partner's\n")
	if _, stderr, err := p.run("a long password\n", "user", "add", "bob", "--password-file", "-"); err != nil {
		t.Fatal(err, stderr)
	}
	for _, c := range []struct {
		args   string
		stdout string
		stderr string // empty: it succeeds
	}{
		{"user link bob --upstream partner --subject 24400320", "the login 24400320 at https://login.partner.example now logs in as bob\n", ""},
		{"user link carol --upstream partner --subject 24400320 --create", "", "logs in as somebody already"},
		{"user link carol --upstream partner --subject 99 --create", "now logs in as carol\n", ""},
		{"user list", "password, upstream", ""},
		{"user link bob --upstream partner", "", "must all be set; missing [subject]"},
		{"user link bob --upstream other --subject 1", "", `no upstream has the id "other"`},
		{"user link bob --upstream partner --subject 1 --sid S-1-5-21-1-2-3-1104", "", "[sid upstream]"},
		{"user link bob --upstream partner --subject ü", "", "--subject: want the sub"},
		{"user link partner:x --upstream partner --subject 7 --create", "", "':' is not allowed in it"},
		{"user unlink bob --upstream partner --subject 7", "", "but by the login 24400320 at https://login.partner.example"},
		{"user unlink bob --upstream partner --subject 24400320", "no longer logs in as bob", ""},
	} {
		stdout, stderr, err := p.run("", strings.Fields(c.args)...)
		if (err == nil) != (c.stderr == "") || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: %v\n%s%s", c.args, err, stdout, stderr)
		}
	}
}

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
	p.write("key.pem", "no key\n")
	_, stderr, err := p.run("", "check")
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
