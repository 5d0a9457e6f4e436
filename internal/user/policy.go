package user

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/user/common"
)

// PasswordConfig is the section passwords of the configuration file.
type PasswordConfig struct {
	MinLength     int    `yaml:"min_length"`     // characters; 0: DefaultLength
	BlocklistFile string `yaml:"blocklist_file"` // passwords that nobody may choose, one a line
}

// Lengths of new passwords, in characters. NIST SP 800-63B-4 §3.1.1.2: at least 15
// where a password is all that is asked for, 8 where a second factor always is, and 64
// must be allowed.
const (
	DefaultLength = 15
	LeastLength   = 8
	mostMinimum   = 64
)

const maxBlocklist = 16 << 20 // bytes of the administrator's file

// CheckLength reports what is wrong with min_length.
func (c PasswordConfig) CheckLength() error {
	if c.MinLength != 0 && (c.MinLength < LeastLength || c.MinLength > mostMinimum) {
		return fmt.Errorf("is not between %d and %d characters", LeastLength, mostMinimum)
	}
	return nil
}

// Policy says which new passwords are accepted: long enough, and none that attackers
// try first. There are no rules on which characters it must have, and it does not
// expire (§3.1.1.2). Passwords that are in use are left alone. Safe for concurrent use.
type Policy struct {
	least   int
	blocked map[string]bool // the administrator's, folded
	words   []string        // that everybody here would think of, folded
}

// NewPolicy reads the administrator's list. words are what everybody here would think
// of: the company's name, the host of the issuer.
func NewPolicy(c PasswordConfig, words ...string) (*Policy, error) {
	if err := c.CheckLength(); err != nil {
		return nil, fmt.Errorf("passwords.min_length %w", err)
	}
	p := &Policy{least: c.MinLength, blocked: map[string]bool{}, words: derived(words...)}
	if p.least == 0 {
		p.least = DefaultLength
	}
	if c.BlocklistFile == "" {
		return p, nil
	}
	if err := p.read(c.BlocklistFile); err != nil {
		return nil, fmt.Errorf("passwords.blocklist_file: %w", err)
	}
	return p, nil
}

func (p *Policy) read(path string) error {
	f, err := os.Open(path) //nolint:gosec // the admin names the file
	if err != nil {
		return err
	}
	defer f.Close()
	for lines := bufio.NewScanner(io.LimitReader(f, maxBlocklist)); ; {
		if !lines.Scan() {
			return lines.Err()
		}
		if word := fold(lines.Text()); word != "" {
			p.blocked[word] = true
		}
	}
}

// MinLength is how many characters a new password has at least.
func (p *Policy) MinLength() int { return p.least }

// PasswordError says why a new password was not accepted, to the person who chose it.
type PasswordError struct {
	Reason     reason.Code
	Text, Hint string
}

func (e *PasswordError) Error() string { return e.Text + " " + e.Hint }

// Explain is what the person is told for a reason; nil: it is none of a new password.
func (p *Policy) Explain(code reason.Code) *PasswordError {
	const words = "Several words that do not belong together make a good one."
	switch code {
	case reason.PasswordTooShort:
		return &PasswordError{code, fmt.Sprintf("A password needs at least %d characters here.", p.least), words}
	case reason.PasswordTooLong:
		return &PasswordError{code, fmt.Sprintf("The new password is longer than %d bytes.", MaxPassword), "Choose a shorter one."}
	case reason.PasswordInvalid:
		return &PasswordError{code, "The new password has a character that cannot be typed everywhere.", "Leave out line breaks and control characters."}
	case reason.PasswordCommon:
		return &PasswordError{code, "Others try this password first: it is a common one, a simple pattern, or made of your name or the company's.", "Choose another one. " + words}
	case reason.PasswordsDiffer:
		return &PasswordError{code, "You typed the new password in two different ways.", "Type it again."}
	case reason.PasswordRefused:
		return &PasswordError{code, "The new password is the one that you have.", "Choose another one."}
	}
	return nil
}

// Check decides about a new password of a user. The error is a *PasswordError.
func (p *Policy) Check(u *store.User, password secret.String) error {
	text := Normal(password)
	code := reason.Code("")
	switch {
	case len(text) > MaxPassword || len(password) > MaxPassword:
		code = reason.PasswordTooLong
	case !utf8.ValidString(password.Reveal()) || strings.ContainsFunc(text, unicode.IsControl):
		code = reason.PasswordInvalid
	case utf8.RuneCountInString(text) < p.least: // each code point is one character
		code = reason.PasswordTooShort
	case p.expected(u, text):
		code = reason.PasswordCommon
	default:
		return nil
	}
	return p.Explain(code)
}

// expected compares the entire password, never words in it (§3.1.1.2), with what is
// commonly used, expected or compromised, and with what people make of that: a
// repetition, something simple in front or behind.
func (p *Policy) expected(u *store.User, text string) bool {
	word := fold(text)
	if p.blocked[word] || common.Has(word) || surprises(word) < p.least/2 {
		return true
	}
	core := strings.TrimFunc(word, notLetter)
	if surprises(strings.Replace(word, core, "", 1)) > 5 {
		return false
	}
	core = unit(core)
	return p.blocked[core] || common.Has(core) || consistsOf(core, append(derived(u.Name, u.FullName, u.Email), p.words...))
}

// fold makes one of what people take for the same.
func fold(text string) string { return strings.TrimSpace(strings.ToLower(norm.NFKC.String(text))) }

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

// derived are texts folded, and the words in them: alice@example.com is alice, example,
// com and itself. Words of fewer than three letters are left out.
func derived(texts ...string) (words []string) {
	for _, text := range texts {
		text = fold(text)
		for _, w := range append(strings.FieldsFunc(text, func(r rune) bool { return notLetter(r) && !unicode.IsDigit(r) }), text) {
			if utf8.RuneCountInString(w) > 2 {
				words = append(words, w)
			}
		}
	}
	return words
}

// consistsOf reports whether a text is these words and next to nothing between them.
func consistsOf(text string, words []string) bool {
	rest := text
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // the address before what is in it
	for _, w := range words {
		rest = strings.ReplaceAll(rest, w, "")
	}
	return rest != text && surprises(rest) < 4
}

// unit is what a text is a repetition of, or the text.
func unit(text string) string {
	for n := 1; n <= len(text)/2; n++ {
		if len(text)%n == 0 && strings.Repeat(text[:n], len(text)/n) == text {
			return text[:n]
		}
	}
	return text
}

// rows are what fingers run along, beside the alphabet and the digits.
var rows = []string{"qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn", "1234567890", "qazwsxedcrfvtgbyhnujmikolp", "1q2w3e4r5t6y7u8i9o0p"}

// surprises counts the characters of a text that do not follow from the one before, as
// in aaa, abc, 321 or qwe do, nor from a beginning that is only repeated.
func surprises(text string) (n int) {
	var before rune
	for _, r := range unit(text) {
		if !follows(before, r) {
			n++
		}
		before = r
	}
	return n
}

func follows(a, b rune) bool {
	if b-a >= -1 && b-a <= 1 {
		return true
	}
	there, back := string([]rune{a, b}), string([]rune{b, a})
	for _, row := range rows {
		if strings.Contains(row, there) || strings.Contains(row, back) {
			return true
		}
	}
	return false
}
