package factor

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238's default, and the only one that all apps know; as an HMAC it is sound
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"idp/internal/secret"
)

// What apps take for granted (RFC 6238 §5.2 and §4); some ignore what the URI says.
const (
	digits   = 6
	modulo   = 1_000_000 // 10 to the digits
	period   = 30        // seconds
	skew     = 1         // steps that a clock may differ, either way (RFC 6238 §5.2)
	farSkew  = 20        // steps, within which the log is told that a clock is wrong
	seedSize = 20        // bytes: RFC 4226 §4 R6 recommends 160 bits
)

// step is the count of periods since 1970 (RFC 6238 §4.2).
func step(now time.Time) int64 { return now.Unix() / period }

// codeAt is the code of a step: RFC 4226 §5.3 over RFC 6238 §4.2.
func codeAt(seed []byte, step int64) string {
	h := hmac.New(sha1.New, seed)
	_ = binary.Write(h, binary.BigEndian, step) // a hash takes everything
	sum := h.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", digits, number%modulo)
}

// stepOf finds the step that a code is of, the latest within some steps of now. It
// takes as long for a right code as for a wrong one.
func stepOf(seed []byte, typed string, now time.Time, within int64) (found int64, ok bool) {
	for at := step(now) - within; at <= step(now)+within; at++ {
		if secret.Equal([]byte(codeAt(seed, at)), []byte(typed)) {
			found, ok = at, true
		}
	}
	return found, ok
}

// readCode is a code as people type it, "123 456"; empty when it cannot be one.
func readCode(typed secret.String) string {
	code := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00a0' || r == '\t' {
			return -1
		}
		return r
	}, typed.Reveal())
	if len(code) != digits || strings.Trim(code, "0123456789") != "" {
		return ""
	}
	return code
}

// base32Key is how secrets are written for people and apps (RFC 4648 §6, unpadded).
var base32Key = base32.StdEncoding.WithPadding(base32.NoPadding)

// Offer is a secret that is being set up.
type Offer struct {
	seed    []byte
	issuer  string
	account string
}

// Offer makes the secret for a page: the same for the same about, which is unique to
// the page and to the state that its user's account is in.
func (f *Factors) Offer(issuer, account string, about ...string) Offer {
	return Offer{seed: secret.MAC([][]byte{f.offers}, []byte(strings.Join(about, separator)))[0][:seedSize], issuer: issuer, account: account}
}

// Key is the secret for whoever has to type it: groups of four letters and digits.
func (o Offer) Key() string { return grouped(base32Key.EncodeToString(o.seed), " ") }

// URI is what the QR code says: the Key URI Format of Google Authenticator, which all
// apps read.
func (o Offer) URI() string {
	label := url.PathEscape(strings.ReplaceAll(o.issuer, ":", " ")) + ":" + url.PathEscape(o.account)
	// Spaces as %20: some apps show the + of a query as it stands.
	query := strings.ReplaceAll(url.Values{"issuer": {strings.ReplaceAll(o.issuer, ":", " ")}}.Encode(), "+", "%20")
	return "otpauth://totp/" + label + "?secret=" + base32Key.EncodeToString(o.seed) + "&" + query +
		"&algorithm=SHA1&digits=" + strconv.Itoa(digits) + "&period=" + strconv.Itoa(period)
}

// grouped puts a separator between groups of four.
func grouped(s, between string) string {
	var groups []string
	for ; len(s) > 4; s = s[4:] {
		groups = append(groups, s[:4])
	}
	return strings.Join(append(groups, s), between)
}
