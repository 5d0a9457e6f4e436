package account

import (
	"context"
	"net/http"

	"idp/internal/web"
)

// cards are what the security page shows, in this order. Each is a function in the
// file of what it tells of; no title: it has nothing to tell this visitor.
func (a *Account) cards() []func(context.Context, *visit) (web.AccountCard, error) {
	return []func(context.Context, *visit) (web.AccountCard, error){
		a.passwordCard,
	}
}

// ServeSecurity answers GET /account/security.
func (a *Account) ServeSecurity(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return err
	}
	page := &web.SecurityPage{AccountFrame: frame(v, "/account/security")}
	for _, card := range a.cards() {
		c, err := card(r.Context(), v)
		if err != nil {
			return err
		}
		if c.Title != "" {
			page.Cards = append(page.Cards, c)
		}
	}
	return a.Pages.Render(w, r, http.StatusOK, "security", page)
}

// passwordCard tells whose the password is: ours, or the company's.
func (a *Account) passwordCard(_ context.Context, v *visit) (web.AccountCard, error) {
	c := web.AccountCard{Title: "Password"}
	switch {
	case v.User.PasswordHash != "":
		c.State = "You have a password here"
	case v.Session.Principal != "":
		c.State, c.Text = "Your company keeps it", "It is the one that you log in to your computer with, and is changed there."
	default:
		c.State = "You have none here"
	}
	return c, nil
}
