package login

import (
	"encoding/base64"
	"testing"
)

// A hole of the library's handler of the Authorization header; those of what it
// carries are tested in package kerberos.
func TestHolePanicsForAnyoneBasicWithoutColon(t *testing.T) {
	for _, raw := range []string{"", "alice", "\x00", "\xff\xff"} {
		if name, _, ok := basicCredential(base64.StdEncoding.EncodeToString([]byte(raw))); ok {
			t.Errorf("%q became %q", raw, name)
		}
	}
	for _, value := range []string{"YWxpY2U6cGFzcw", "!!!!", "YTpi YTpi"} { // not base64
		if name, _, ok := basicCredential(value); ok {
			t.Errorf("%q became %q", value, name)
		}
	}
}
