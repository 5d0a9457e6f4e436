package main

import (
	"strings"
	"testing"
)

// A command that is not there must fail, and say what is.
func TestUnknownCommandsFail(t *testing.T) {
	p := newPlace(t, "")
	for args, want := range map[string]string{
		"user frobnicate":   `idp user has no command "frobnicate"; there are add, admin, disable, enable, import, invite, link, list, passwd, reset, reset-factor, sessions, set, show, unlink, unlock`,
		"key x":             `idp key has no command "x"; there are list, rotate`,
		"client x":          "there are add, list, logouts, remove, secret, set, show",
		"keytab x":          "there are plan",
		"frobnicate":        `idp has no command "frobnicate"; there are browser-policy, check, client`,
		"help nosuch":       `idp has no command "nosuch"`,
		"help user nosuch":  `idp user has no command "nosuch"`,
		"help serve nosuch": `idp serve has no command "nosuch"`,
		"backup":            "idp backup is not there yet",
		"help backup":       "idp backup is not there yet",
		"serve nosuch":      "nosuch",
	} {
		out, errs, err := p.Run("", strings.Fields(args)...)
		if err == nil || out != "" || !strings.Contains(errs, want) {
			t.Errorf("idp %s: %v\n%s%s", args, err, out, errs)
		}
	}
	for args, want := range map[string]string{"": "Available Commands", "user": "Take a Kerberos account away", "help user": "Take a Kerberos account away", "help": "Available Commands", "help user link": "--principal", "user link --help": "--principal"} {
		if out := p.MustRun("", strings.Fields(args)...); !strings.Contains(out, want) {
			t.Errorf("idp %s:\n%s", args, out)
		}
	}
	if flag, command := p.MustRun("", "--version"), p.MustRun("", "version"); flag != command {
		t.Errorf("--version says %q, version %q", flag, command)
	}
}
