package web

import (
	"encoding/base64"
	"strings"
	"testing"

	"idp/internal/secret"
)

// FuzzBasicCredential: what a browser writes is read, RFC 7617 §2, and nothing is
// made up.
func FuzzBasicCredential(f *testing.F) {
	f.Add("YWxpY2U6c2VjcmV0", "alice", "secret")
	f.Add("OjpiOg==", "", ":b:")
	f.Add("YWxpY2U=", "j\u00f6rg", "pa\u00df w\u00f6rt")
	f.Fuzz(func(t *testing.T, value, name, password string) {
		if got, pw, ok := BasicCredential(value); ok && (strings.Contains(got, ":") || len(got)+len(pw.Reveal()) >= len(value)) {
			t.Errorf("%q became %q and %d bytes", value, got, len(pw.Reveal()))
		}
		if strings.Contains(name, ":") {
			return // no name of Basic has one
		}
		written := base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
		if got, pw, ok := BasicCredential(written); !ok || got != name || pw != secret.String(password) {
			t.Errorf("written %q, read %q (%v)", name, got, ok)
		}
	})
}

// A hole of the library's handler of the Authorization header; those of what it
// carries are tested in package kerberos.
func TestHolePanicsForAnyoneBasicWithoutColon(t *testing.T) {
	for _, raw := range []string{"", "alice", "\x00", "\xff\xff"} {
		if name, _, ok := BasicCredential(base64.StdEncoding.EncodeToString([]byte(raw))); ok {
			t.Errorf("%q became %q", raw, name)
		}
	}
	for _, value := range []string{"YWxpY2U6cGFzcw", "!!!!", "YTpi YTpi"} { // not base64
		if name, _, ok := BasicCredential(value); ok {
			t.Errorf("%q became %q", value, name)
		}
	}
}
