package forwardauth

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"

	"idp/internal/forwardauth/sites"
	"idp/internal/secret"
	"idp/internal/session"
)

// The cookies of a protected site, with the prefix __Host- where it is https: no other
// host, no path and no plain connection can set one of those (RFC 6265bis §4.1.3.2).
const (
	cookieStart = "idp_start" // the verifier of logins that have begun
	cookieSite  = "idp_site"  // whoever is logged in
	cookieSent  = "idp_sent"  // how often they were sent back, being logged in already
)

// startAge is how long a login may take, in seconds: as long as its request lives.
const startAge = 30 * 60

func (q *question) cookieName(name string) string {
	if q.origin.Scheme == "https" {
		return "__Host-" + name
	}
	return name
}

func (q *question) setCookie(w http.ResponseWriter, name string, value secret.String, age int) {
	http.SetCookie(w, &http.Cookie{Name: q.cookieName(name), Value: value.Reveal(), Path: "/", HttpOnly: true, Secure: q.origin.Scheme == "https", SameSite: http.SameSiteLaxMode, MaxAge: age}) //nolint:gosec // Secure unless the site is http on this very machine
}

// cookie is one that came once; empty: it did not come.
func (q *question) cookie(r *http.Request, name string) (string, error) {
	return session.Single(r, q.cookieName(name))
}

// seal makes of the number of a grant what the site's cookie holds: nobody but we can,
// and for no other host. It is good while the secret of the session is the same, as
// which every login and every step-up makes a new one: a cookie that was stolen before
// does not rise with its owner.
func (f *ForwardAuth) seal(s *sites.Site, grantID string, session []byte) secret.String {
	sum := secret.MAC(f.cookieKeys[:1], sealed(s, grantID, session))[0]
	return secret.String(grantID + "." + base64.RawURLEncoding.EncodeToString(sum))
}

func sealed(s *sites.Site, grantID string, session []byte) []byte {
	return append([]byte(s.Host+"\x00"+grantID+"\x00"), session...)
}

// CookiesTwice is a Cookie header that no browser sends: it has each of ours twice, which is
// refused wherever it arrives. Whoever is let on with it sees a proxy that drops cookies.
func CookiesTwice() string {
	var pairs []string
	for _, name := range []string{cookieStart, cookieSite} {
		for _, prefix := range []string{"", "__Host-"} {
			pairs = append(pairs, prefix+name+"=1", prefix+name+"=2")
		}
	}
	return strings.Join(pairs, "; ")
}

// cutCookie takes a cookie apart; not ok: it has not the form of ours.
func cutCookie(value string) (grantID string, sum []byte, ok bool) {
	grantID, text, found := strings.Cut(value, ".")
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return grantID, sum, found && err == nil && len(grantID) == grantLength && len(sum) == sha256.Size
}

// grantLength is that of secret.ID.
const grantLength = 22

// othersCookies is a Cookie header without ours, which the site has no business with.
func othersCookies(h http.Header) string {
	var kept []string
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.TrimSpace(pair)
			if pair != "" && !ours(pair) {
				kept = append(kept, pair)
			}
		}
	}
	return strings.Join(kept, "; ")
}

func ours(pair string) bool {
	return strings.Contains(pair, commonToOurs) && ourCookie.MatchString(pair)
}

// commonToOurs is in the names of all cookies of ours: most others need no closer look.
const commonToOurs = "idp_s"

// ourCookie finds a cookie of ours in a pair of the Cookie header, as net/http reads it
// (spaces before the = are none) and also where two header lines were joined by a comma
// on the way.
var ourCookie = regexp.MustCompile(`(?:^|[,;\s])(?:__Host-)?(?:` + cookieStart + `|` + cookieSite + `|` + cookieSent + `)\s*=`)
