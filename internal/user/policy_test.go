package user

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
)

var alice = &store.User{Name: "alice", FullName: "Alice Pleasance Liddell", Email: "a.liddell@wonderland.example"}

func policy(t *testing.T, c PasswordConfig) *Policy {
	t.Helper()
	p, err := NewPolicy(c, "Looking Glass Ltd", "sso.lookingglass.example")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func reasonOf(t *testing.T, err error) reason.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	var refused *PasswordError
	if !errors.As(err, &refused) || refused.Text == "" || refused.Hint == "" {
		t.Fatalf("%T %v", err, err)
	}
	return refused.Reason
}

func TestNewPasswords(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("Through The Tulgey Wood\r\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := policy(t, PasswordConfig{BlocklistFile: list})
	for password, want := range map[string]reason.Code{
		"correct horse battery staple": "",
		"correct horse 42":             "",
		"7c4t9vq1xk8w2zr":              "",
		"fünfzehn Zeich€":              "",
		"password is a bad password":   "", // words in it do not count (§3.1.1.2)
		"alice went down a hole":       "",
		"日本語のパスワードは長いです十五":             "",
		strings.Repeat("é x", 256):     reason.PasswordCommon, // 1,024 bytes, of one thing
		"fourteen chars":               reason.PasswordTooShort,
		strings.Repeat("e\u0301", 14):  reason.PasswordTooShort, // 14 in the normal form
		"":                             reason.PasswordTooShort,
		strings.Repeat("longer ", 150): reason.PasswordTooLong,
		"a line\nand another one":      reason.PasswordInvalid,
		"not \xff UTF-8, not at all":   reason.PasswordInvalid,
		"aaaaaaaaaaaaaaaa":             reason.PasswordCommon,
		"123456789012345":              reason.PasswordCommon,
		"abcdefghijklmnop":             reason.PasswordCommon,
		"qwertyuiopasdfgh":             reason.PasswordCommon,
		"1q2w3e4r5t6y7u8i9o":           reason.PasswordCommon,
		"abcabcabcabcabcabc":           reason.PasswordCommon,
		"PasswordPassword":             reason.PasswordCommon,
		"password1234567":              reason.PasswordCommon,
		"iloveyou!!!!2024":             reason.PasswordCommon,
		"polniypizdec0211":             reason.PasswordCommon, // in the list
		"Through the tulgey wood":      reason.PasswordCommon,
		"a.liddell@wonderland.example": reason.PasswordCommon,
		"AlicePleasanceLiddell1":       reason.PasswordCommon,
		"alicealicealice":              reason.PasswordCommon,
		"Looking Glass Ltd 2026":       reason.PasswordCommon,
		"sso.lookingglass.example!":    reason.PasswordCommon,
		"ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ":             reason.PasswordCommon, // full width
	} {
		if got := reasonOf(t, p.Check(alice, secret.String(password))); got != want {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
}

// With a second factor eight characters are enough (§3.1.1.2), and those before count.
func TestTheLeastLengthIsConfigured(t *testing.T) {
	p := policy(t, PasswordConfig{MinLength: 8})
	for password, want := range map[string]reason.Code{
		"kF8#qwer": "", "Tr0ub4dor&3": "", "korrekt9": "", "kF8#qwe": reason.PasswordTooShort, "password": reason.PasswordCommon,
		"dragon12": reason.PasswordCommon, "alice123": reason.PasswordCommon, "87654321": reason.PasswordCommon,
	} {
		if got := reasonOf(t, p.Check(alice, secret.String(password))); got != want {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
	for _, c := range []PasswordConfig{{MinLength: 7}, {MinLength: 65}, {MinLength: -1}, {BlocklistFile: "none"}} {
		if _, err := NewPolicy(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
