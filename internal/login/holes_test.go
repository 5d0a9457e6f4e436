package login

import (
	"encoding/base64"
	"testing"
)

// Holes of the library's handler of this header, one test each; those of what it
// carries are tested in package kerberos.

func TestHoleNegotiateInLowerCase(t *testing.T) {
	for _, h := range []string{"Negotiate YII=", "negotiate YII=", "NEGOTIATE YII=", "nEGOTIATE   YII= "} {
		if scheme, value, ok := authorization([]string{h}); !ok || scheme != "negotiate" || value != "YII=" {
			t.Errorf("%q: %q, %q, %v", h, scheme, value, ok)
		}
	}
}

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
