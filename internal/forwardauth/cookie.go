package forwardauth

import (
	"encoding/base64"
	"net/http"
	"strings"

	"idp/internal/secret"
	"idp/internal/session"
)

// The cookies of a protected site, with the prefix __Host- where it is https: no other
// host, no path and no plain connection can set one of those (RFC 6265bis §4.1.3.2).
const (
	cookieStart = "idp_start" // the verifier of logins that have begun
	cookieSite  = "idp_site"  // whoever is logged in
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
// and for no other host.
func (f *ForwardAuth) seal(s *Site, grantID string) secret.String {
	sum := secret.MAC(f.cookieKeys[:1], sealed(s, grantID))[0]
	return secret.String(grantID + "." + base64.RawURLEncoding.EncodeToString(sum))
}

// open returns the number of the grant that a cookie holds; not ok: it is none of ours.
func (f *ForwardAuth) open(s *Site, value string) (grantID string, ok bool) {
	grantID, text, found := strings.Cut(value, ".")
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return grantID, found && err == nil && secret.Verify(f.cookieKeys, sealed(s, grantID), sum)
}

func sealed(s *Site, grantID string) []byte { return []byte(s.Host + "\x00" + grantID) }

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

// ours reports whether a pair is a cookie of ours or, where two header lines were joined
// by a comma on the way, holds one.
func ours(pair string) bool {
	for _, name := range []string{cookieStart + "=", cookieSite + "="} {
		for at := strings.Index(pair, name); at >= 0; {
			before := strings.TrimSuffix(pair[:at], "__Host-")
			if before == "" || strings.ContainsRune(", ;\t", rune(before[len(before)-1])) {
				return true
			}
			next := strings.Index(pair[at+1:], name)
			if next < 0 {
				break
			}
			at += 1 + next
		}
	}
	return false
}
