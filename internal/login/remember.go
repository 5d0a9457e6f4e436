package login

import (
	"net/http"
	"slices"

	"idp/internal/policy"
	"idp/internal/web"
)

// fieldRemember is the field of the forms by which somebody wants this device
// remembered.
const fieldRemember = "remember"

// offerToRemember offers it where a rule lets somebody have it from there; whose device
// is remembered finds the choice made.
func (l *Login) offerToRemember(r *http.Request, p *web.LoginPage) error {
	if p.Remember = l.Sessions.MayRemember(r, nil); !p.Remember {
		return nil
	}
	c, err := l.current(r)
	p.Remembered = err == nil && c != nil && c.Session.Remembered
	return err
}

// mayRemember reports whether a second factor can be shown with the wish: not for a
// ticket, which says nothing of whose device this is, nor in addition to a session, whose
// limits stay.
func (l *Login) mayRemember(r *http.Request, s *second) bool {
	return s.first.Continues == "" && !slices.Contains(s.first.AMR, policy.AMRTicket) && l.Sessions.MayRemember(r, s.first.User)
}
