package session

import (
	"net/http"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
)

// A one-time link belongs to the first browser that goes on from it. Not the browser
// cookie shows that, for it may be as old as whoever planted it, but one of its own.

const linkCookie = "idp_link"

// BindLink makes a cookie for the browser, and lets bind write its hash into the link;
// the browser gets it when that went well. It is good as long as the link.
func (s *Sessions) BindLink(w http.ResponseWriter, until time.Time, bind func(hash []byte) error) error {
	value := secret.Token()
	if err := bind(secret.Hash(value)); err != nil {
		return err
	}
	c := s.ownCookie(linkCookie, value) //nolint:gosec // Secure unless the issuer is http on this very machine
	c.MaxAge = max(1, int(until.Sub(s.Now()).Seconds()))
	http.SetCookie(w, c)
	return nil
}

// LinkHash is what the link of this browser holds; nil: it has opened none. ErrCookie
// when the cookie comes twice.
func (s *Sessions) LinkHash(r *http.Request) ([]byte, error) {
	value, err := Single(r, s.cookieName(linkCookie))
	if err != nil || value == "" {
		return nil, err
	}
	return secret.Hash(secret.String(value)), nil
}

// DropLink deletes the cookie: the link is used.
func (s *Sessions) DropLink(w http.ResponseWriter) { http.SetCookie(w, s.ownCookie(linkCookie, "")) }

// Renew gives a session another secret, which change writes into its
// row; the browser gets it when that went well.
func (s *Sessions) Renew(w http.ResponseWriter, row *store.Session, change func(hash []byte) error) error {
	value := secret.Token()
	if err := change(secret.Hash(value)); err != nil {
		return err
	}
	s.setCookie(w, value, s.cookieAge(row))
	return nil
}
