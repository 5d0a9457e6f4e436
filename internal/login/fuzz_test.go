package login

import (
	"encoding/base64"
	"strings"
	"testing"

	"idp/internal/secret"
)

// FuzzAuthorization is the header of anybody: the scheme in any case, and no more
// than came.
func FuzzAuthorization(f *testing.F) {
	for _, h := range []string{"Negotiate YII=", "negotiate", "BASIC  YTpi ", "Bearer x", "", " ", "Basic\tx"} {
		f.Add(h, "")
	}
	f.Add("Basic YTpi", "Negotiate YII=")
	f.Fuzz(func(t *testing.T, one, two string) {
		scheme, value, ok := authorization([]string{one})
		if ok != (len(one) <= maxAuthorization) || strings.Contains(scheme, " ") || len(value) > len(one) || value != strings.TrimSpace(value) {
			t.Errorf("%q: %q, %q, %v", one, scheme, value, ok)
		}
		if s, v, _ := authorization([]string{swapCase(one)}); s != scheme || len(v) != len(value) {
			t.Errorf("%q in another case: %q, want %q", one, s, scheme)
		}
		if _, _, ok := authorization([]string{one, two}); ok {
			t.Error("two headers are one too many")
		}
	})
}

// swapCase turns the letters of ASCII, the only ones of a scheme's name.
func swapCase(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c|0x20 && c|0x20 <= 'z' {
			b[i] = c ^ 0x20
		}
	}
	return string(b)
}

// FuzzBasicCredential: what a browser writes is read, RFC 7617 §2, and nothing is
// made up.
func FuzzBasicCredential(f *testing.F) {
	f.Add("YWxpY2U6c2VjcmV0", "alice", "secret")
	f.Add("OjpiOg==", "", ":b:")
	f.Add("YWxpY2U=", "j\u00f6rg", "pa\u00df w\u00f6rt")
	f.Fuzz(func(t *testing.T, value, name, password string) {
		if got, pw, ok := basicCredential(value); ok && (strings.Contains(got, ":") || len(got)+len(pw.Reveal()) >= len(value)) {
			t.Errorf("%q became %q and %d bytes", value, got, len(pw.Reveal()))
		}
		if strings.Contains(name, ":") {
			return // no name of Basic has one
		}
		written := base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
		if got, pw, ok := basicCredential(written); !ok || got != name || pw != secret.String(password) {
			t.Errorf("written %q, read %q (%v)", name, got, ok)
		}
	})
}
