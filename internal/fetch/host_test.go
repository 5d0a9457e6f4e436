package fetch

import (
	"net/url"
	"testing"
)

func TestPlainHost(t *testing.T) {
	for text, want := range map[string]bool{
		"https://example.com/": true, "https://EXAMPLE.com:8443": true, "https://xn--e1awd7f.com": true, "https://a_b.internal": true, "https://a-.b": true,
		"https://example.com.": true, "https://localhost": true, "https://192.0.2.1:1": true, "https://[2001:db8::1]:1/": true, "https://1.example": true, "https://x1": true,
		"https://[::ffff:192.0.2.1]": true,
		"https://":                   false, "https://:443": false, "https://example.com:": false, "https://example.com:99999": false, "https://a..b": false, "https://.": false, "https://.a": false,
		"https://ex%D0%B0mple.com": false, "https://ex\u0430mple.com": false, "https://a%E2%81%84b.example": false, "https://%E2%80%AEmoc.elpmaxe": false,
		"https://bank.example%E2%80%8B": false, "https://bank.example%C2%A0.evil.example": false, "https://a%2Fb.example": false, "https://a%20b": false,
		"https://a!b": false, "https://a;b": false, "https://a'b": false, "https://a*b": false, "https://a,b": false, "https://a~b": false, "https://a%7Fb": false,
		"https://[fe80::1%25eth0]": false, "https://127.1": false, "https://2130706433": false, "https://0x7f.1": false, "https://a.0x7F": false, "https://010.0.0.1": false,
		"https://192.0.2.256": false, "https://1.2.3.4.5": false, "https://a.1": false, "https://192.0.2.1.": false,
	} {
		u, err := url.Parse(text)
		if got := err == nil && PlainHost(u); got != want {
			t.Errorf("%s (%v, %v): %v", text, u, err, got)
		}
	}
}
