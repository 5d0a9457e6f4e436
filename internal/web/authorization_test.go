package web

import (
	"net/http"
	"strings"
	"testing"
)

func TestHoleNegotiateInLowerCase(t *testing.T) {
	for _, h := range []string{"Negotiate YII=", "negotiate YII=", "NEGOTIATE YII=", "nEGOTIATE   YII= "} {
		if scheme, value, ok := Authorization(http.Header{"Authorization": {h}}); !ok || scheme != "negotiate" || value != "YII=" {
			t.Errorf("%q: %q, %q, %v", h, scheme, value, ok)
		}
	}
}

// FuzzAuthorization is the header of anybody: the scheme in any case, and no more
// than came.
func FuzzAuthorization(f *testing.F) {
	for _, h := range []string{"Negotiate YII=", "negotiate", "BASIC  YTpi ", "Bearer x", "", " ", "Basic\tx"} {
		f.Add(h, "")
	}
	f.Add("Basic YTpi", "Negotiate YII=")
	f.Fuzz(func(t *testing.T, one, two string) {
		scheme, value, ok := Authorization(http.Header{"Authorization": {one}})
		if ok != (len(one) <= maxAuthorization) || strings.Contains(scheme, " ") || len(value) > len(one) || value != strings.TrimSpace(value) {
			t.Errorf("%q: %q, %q, %v", one, scheme, value, ok)
		}
		if s, v, _ := Authorization(http.Header{"Authorization": {swapCase(one)}}); s != scheme || len(v) != len(value) {
			t.Errorf("%q in another case: %q, want %q", one, s, scheme)
		}
		if _, _, ok := Authorization(http.Header{"Authorization": {one, two}}); ok {
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
