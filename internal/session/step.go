package session

import (
	"net/http"

	"idp/internal/secret"
)

// Between the first factor of a login and the second the browser holds a cookie of
// this step. The browser cookie would not do: it is 400 days old, and whoever planted
// it would be half logged in as whoever typed a password there.

// SetStep gives the browser the cookie of a step, in place of that of another; the
// login request keeps its hash.
func (s *Sessions) SetStep(w http.ResponseWriter) (hash []byte) {
	value := secret.Token()
	http.SetCookie(w, s.stepCookie(value))
	return secret.Hash(value)
}

// HasStep reports whether the request comes from the browser that got the cookie
// whose hash is given. ErrCookie when it comes twice.
func (s *Sessions) HasStep(r *http.Request, hash []byte) (bool, error) {
	value, err := Single(r, s.cookieName("idp_step"))
	if err != nil || value == "" || len(hash) == 0 {
		return false, err
	}
	return secret.Equal(secret.Hash(secret.String(value)), hash), nil
}

// dropStep deletes the cookie, where there is one.
func (s *Sessions) dropStep(w http.ResponseWriter, r *http.Request) {
	if len(r.CookiesNamed(s.cookieName("idp_step"))) > 0 {
		http.SetCookie(w, s.stepCookie(""))
	}
}

func (s *Sessions) stepCookie(value secret.String) *http.Cookie {
	return s.ownCookie("idp_step", value)
}

// ownCookie lives as long as the browser is open; an empty value deletes it.
func (s *Sessions) ownCookie(name string, value secret.String) *http.Cookie {
	c := &http.Cookie{Name: s.cookieName(name), Value: value.Reveal(), Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode} //nolint:gosec // Secure unless the issuer is http on this very machine
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
