package session

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"idp/internal/secret"
)

// browserDays is how long a browser is remembered.
const browserDays = 400

// Browser is what the browser cookie holds. Hash is what rows keep of it.
type Browser struct {
	ID        secret.String
	Hash      []byte
	SignedOut bool   // no silent login until the next login by hand
	NoTicket  bool   // "Do not use my company ticket on this device"
	Method    string // by which the last login here was made, as package login calls it; empty: unknown
	last      string // of the sid of the last session, as lastOf writes it; empty: none
	// accounts are those whose password was right here, the last one first, as the
	// browser's id and the name hash to: whoever reads the cookie learns no name.
	accounts []string
}

// maxAccounts is how many accounts a browser remembers that it logged in to.
const maxAccounts = 4

// Knows reports whether somebody has logged in to an account with this browser.
func (b *Browser) Knows(account string) bool { return slices.Contains(b.accounts, b.mark(account)) }

func (b *Browser) remember(account string) {
	if account == "" {
		return
	}
	mark := b.mark(account)
	others := slices.DeleteFunc(b.accounts, func(m string) bool { return m == mark })
	b.accounts = append([]string{mark}, others[:min(len(others), maxAccounts-1)]...)
}

func (b *Browser) mark(account string) string {
	return hex.EncodeToString(secret.Hash(b.ID + "|" + secret.String(account))[:12])
}

// Had reports whether a sid is that of the last session of this browser.
func (b *Browser) Had(sid string) bool { return b.last != "" && b.last == lastOf(sid) }

// lastOf shortens a sid to hexadecimal: the previous release, which may be asked by
// the same browser, takes every s and n behind the id for a marker.
func lastOf(sid string) string { return hex.EncodeToString(secret.Hash(secret.String(sid))[:16]) }

// browsers reads and writes the browser cookie: gorilla/sessions signs it
// (HMAC-SHA-256), the attributes are ours, for its defaults are a 30 days'
// cookie that scripts may read.
type browsers struct {
	store *sessions.CookieStore
	name  string
}

func newBrowsers(keys [][]byte, name string, secure bool) *browsers {
	var pairs [][]byte
	for _, k := range keys {
		pairs = append(pairs, k, nil) // signed, not encrypted: nothing in it is secret from its owner
	}
	cs := sessions.NewCookieStore(pairs...)
	cs.Options = &sessions.Options{Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}
	cs.MaxAge(browserDays * 24 * 3600)
	for _, c := range cs.Codecs {
		if sc, ok := c.(*securecookie.SecureCookie); ok {
			sc.SetSerializer(browserText{})
		}
	}
	return &browsers{cs, name}
}

// Browser returns the browser of the request and, where it is new or its cookie
// does not verify, makes one and sets its cookie. ErrCookie when it comes twice.
// A POST sets none: one from another site comes without the cookie that the
// browser has, and would replace it.
func (s *Sessions) Browser(w http.ResponseWriter, r *http.Request) (*Browser, error) {
	b, err := s.browsers.read(r)
	if err != nil || b != nil {
		return b, err
	}
	b = newBrowser(secret.Token())
	if r.Method == http.MethodPost {
		return b, nil
	}
	return b, s.browsers.save(w, r, b)
}

// SetMarkers changes what the browser wants remembered without a login.
func (s *Sessions) SetMarkers(w http.ResponseWriter, r *http.Request, signedOut, noTicket bool) error {
	b, err := s.Browser(w, r)
	if err != nil {
		return err
	}
	b.SignedOut, b.NoTicket = signedOut, noTicket
	return s.browsers.save(w, r, b)
}

// read returns nil when the request has no valid browser cookie. A browser made
// earlier in the same request is found in gorilla's request registry.
func (b *browsers) read(r *http.Request) (*Browser, error) {
	if _, err := Single(r, b.name); err != nil {
		return nil, err
	}
	sess, err := b.store.Get(r, b.name)
	var bad securecookie.Error
	if err != nil && !errors.As(err, &bad) {
		return nil, err
	}
	found, _ := sess.Values[browserKey].(*Browser)
	return found, nil
}

func (b *browsers) save(w http.ResponseWriter, r *http.Request, v *Browser) error {
	sess, err := b.store.Get(r, b.name)
	var bad securecookie.Error
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	sess.Values = map[any]any{browserKey: v}
	// A login sets the cookie twice in one answer; only the last one counts.
	dropSetCookie(w.Header(), b.name)
	return b.store.Save(r, w, sess)
}

func dropSetCookie(h http.Header, name string) {
	var kept []string
	for _, c := range h["Set-Cookie"] {
		if !strings.HasPrefix(c, name+"=") {
			kept = append(kept, c)
		}
	}
	h["Set-Cookie"] = kept
}

const browserKey = "browser"

// browserText is the cookie's text, in place of gob: the id, a letter for each
// marker that is set and, behind a dot, the last method, what is kept of the last sid,
// and of the accounts. The method is in hexadecimal among the markers: the previous
// release looks there for s and n, and compares all that follows them with a sid.
type browserText struct{}

// Serialize implements securecookie.Serializer.
func (browserText) Serialize(src any) ([]byte, error) {
	values, _ := src.(map[any]any)
	b, ok := values[browserKey].(*Browser)
	if !ok {
		return nil, fmt.Errorf("session: no browser in %T", src)
	}
	text := b.ID.Reveal() + "|"
	if b.SignedOut {
		text += "s"
	}
	if b.NoTicket {
		text += "n"
	}
	if b.Method != "" {
		text += "." + hex.EncodeToString([]byte(b.Method))
	}
	if b.last != "" || len(b.accounts) > 0 {
		text += "|" + b.last
	}
	if len(b.accounts) > 0 {
		text += "|" + strings.Join(b.accounts, ".")
	}
	return []byte(text), nil
}

// Deserialize implements securecookie.Serializer.
func (browserText) Deserialize(src []byte, dst any) error {
	values, ok := dst.(*map[any]any)
	id, rest, found := strings.Cut(string(src), "|")
	marks, rest, _ := strings.Cut(rest, "|")
	last, accounts, _ := strings.Cut(rest, "|")
	if !ok || !found || len(id) != 43 {
		return ErrCookie
	}
	b := newBrowser(secret.String(id))
	b.SignedOut = strings.Contains(marks, "s")
	b.NoTicket = strings.Contains(marks, "n")
	b.Method = methodOf(marks)
	b.last = last
	if accounts != "" {
		b.accounts = strings.Split(accounts, ".")
	}
	*values = map[any]any{browserKey: b}
	return nil
}

// methodOf reads the last method; one that cannot be read is none.
func methodOf(marks string) string {
	_, text, _ := strings.Cut(marks, ".")
	method, err := hex.DecodeString(text)
	if err != nil {
		return ""
	}
	return string(method)
}

func newBrowser(id secret.String) *Browser { return &Browser{ID: id, Hash: secret.Hash(id)} }

// FormToken is what a form of ours carries to show that this browser was given
// it, for this purpose (OWASP: HMAC-based token pattern). It lives as long as
// the browser cookie.
func (s *Sessions) FormToken(b *Browser, purpose string) string {
	return base64.RawURLEncoding.EncodeToString(secret.MAC(s.formKeys[:1], formMessage(b, purpose))[0])
}

// CheckFormToken reports whether token is one that FormToken gave.
func (s *Sessions) CheckFormToken(b *Browser, purpose, token string) bool {
	sum, err := base64.RawURLEncoding.DecodeString(token)
	return err == nil && len(sum) == sha256.Size && secret.Verify(s.formKeys, formMessage(b, purpose), sum)
}

func formMessage(b *Browser, purpose string) []byte {
	return append([]byte(purpose+"\x00"), b.Hash...)
}
