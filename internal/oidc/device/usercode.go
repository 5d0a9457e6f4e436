package device

import (
	"strings"
	"unicode"

	"idp/internal/secret"
)

// userCodeLetters are consonants, in which nobody sees words, without those that
// are taken for one another (RFC 8628 §6.1): 20 to the 8th is some 34 bits.
const (
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLen     = 8
)

// newUserCode makes a code. A random byte counts only below the last multiple of
// 20, so that every letter is as likely as any other.
func newUserCode() string {
	const fair = 256 - 256%len(userCodeLetters)
	var code []byte
	for len(code) < userCodeLen {
		for _, b := range secret.Bytes(userCodeLen - len(code)) {
			if int(b) < fair {
				code = append(code, userCodeLetters[int(b)%len(userCodeLetters)])
			}
		}
	}
	return string(code)
}

// readUserCode reads what people type: in either case, with spaces and dashes
// wherever they like (RFC 8628 §6.1). Empty: this is nobody's code.
func readUserCode(text string) string {
	if len(text) > 64 {
		return ""
	}
	code := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Pd, r):
			return -1
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, text)
	if len(code) != userCodeLen || strings.Trim(code, userCodeLetters) != "" {
		return ""
	}
	return code
}

// showUserCode is a code as people see it, in two halves: WDJB-MJHT.
func showUserCode(code string) string {
	if code == "" {
		return ""
	}
	return code[:userCodeLen/2] + "-" + code[userCodeLen/2:]
}
