//go:build interop

package interop_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// MIT's SPNEGO with NTLM before Kerberos, as Windows has NEGOEX before it: three
// legs, after which each side has proved the list of mechanisms to the other.
func TestKerberosAsTheSecondChoice(t *testing.T) {
	ntlm := filepath.Join(t.TempDir(), "ntlm")
	must(t, os.WriteFile(ntlm, []byte("EXAMPLE:alice:not-her-password\n"), 0o600))
	t.Setenv("NTLM_USER_FILE", ntlm)
	var got struct {
		Answers []struct {
			Status   int
			Location string
			Offers   []string
			Page     bool
		}
		Verified bool
	}
	python(t, "gss_second_choice.py", ticket(t), &got, set.Issuer, "idp.localhost")
	if len(got.Answers) != 4 {
		t.Fatalf("%+v, want the redirect and three legs", got)
	}
	for i, a := range got.Answers[1:3] {
		if a.Status != 401 || !slices.Equal(a.Offers, []string{"Negotiate"}) || !a.Page {
			t.Errorf("leg %d: %+v, want a token, no new challenge, and the page for whoever cannot go on", i+1, a)
		}
	}
	last := got.Answers[3]
	if last.Status != 303 || !strings.Contains(last.Location, "/authorize/resume") || !got.Verified {
		t.Errorf("%+v, want a login by a server that proved itself", got)
	}
}
