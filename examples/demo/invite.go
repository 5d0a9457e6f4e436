package main

import (
	"fmt"
	"os"

	"idp/examples/demo/stage"
)

// invite says how to look at the demo in a browser.
func invite(s *stage.Stage) {
	fmt.Printf(`
Now look for yourself. It stays up until Ctrl-C.

  Wiki      %s/
  Tickets   %s/
  idp       %s/account
  idp.yaml  %s

  alice     %s    (in the Kerberos realm %s: prompt, form, or ticket)
  user      %s     (the same)
  bob       %s    (a local user of idp: the form, or the prompt)

Any browser on this machine shows the prompt; Cancel shows the login form.
`, s.Wiki, s.Tickets, s.Issuer, s.Path("idp.yaml"),
		stage.AlicePassword, s.Realm.Name, stage.UserPassword, stage.BobPassword)
	if err := prepareProfiles(s); err != nil {
		fmt.Printf("(no browser profile for the ticket: %v)\n", err)
		return
	}
	sandbox := ""
	if os.Geteuid() == 0 {
		sandbox = " --no-sandbox"
	}
	env := fmt.Sprintf("KRB5_CONFIG=%s KRB5CCNAME=%s", s.Realm.Krb5Conf, s.Path("alice.ticket"))
	fmt.Printf(`
With alice's ticket, in a profile of its own (no prompt, no page):

  %[1]s \
    chromium%[5]s --user-data-dir=%[2]s --auth-server-allowlist='*.localhost' %[4]s/

  %[1]s \
    firefox --no-remote --profile %[3]s %[4]s/

A ticket for somebody else:

  %[1]s kinit user
`, env, s.Path("chromium"), s.Path("firefox"), s.Wiki, sandbox)
}

// prepareProfiles makes a Chromium and a Firefox profile that may use tickets.
// Chromium on Linux loads GSS-API only once it has seen a Negotiate challenge,
// and remembers that in Local State; without it, the first login of a new
// profile shows the prompt.
func prepareProfiles(s *stage.Stage) error {
	for _, f := range []struct{ dir, name, text string }{
		{"chromium", "Local State", `{"net":{"received_http_auth_negotiate_headers":true}}`},
		{"firefox", "user.js", `user_pref("network.negotiate-auth.trusted-uris", ".localhost");` + "\n"},
	} {
		if err := os.MkdirAll(s.Path(f.dir), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(s.Path(f.dir+"/"+f.name), []byte(f.text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
