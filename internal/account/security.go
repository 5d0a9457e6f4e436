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
		a.factorsCard,
		a.loginsCard,
	}
}

// shownCards are those that tell this visitor something.
func (a *Account) shownCards(ctx context.Context, v *visit) (all []web.AccountCard, err error) {
	for _, card := range a.cards() {
		c, err := card(ctx, v)
		if err != nil {
			return nil, err
		}
		if c.Title != "" {
			all = append(all, c)
		}
	}
	return all, nil
}

// ServeSecurity answers GET /account/security.
func (a *Account) ServeSecurity(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return err
	}
	page := &web.SecurityPage{AccountFrame: frame(v, "/account/security")}
	if page.Cards, err = a.shownCards(r.Context(), v); err != nil {
		return err
	}
	return a.Pages.Render(w, r, http.StatusOK, "security", page)
}

// passwordCard tells whose the password is: ours, or the company's.
func (a *Account) passwordCard(_ context.Context, v *visit) (web.AccountCard, error) {
	c := web.AccountCard{Title: "Password"}
	switch {
	case v.User.PasswordHash != "":
		c.State, c.URL, c.Link = "You have a password here", PathPassword, "Change it"
	case v.Session.Principal != "":
		c.State, c.Text = "Your company keeps it", "It is the one that you log in to your computer with, and is changed there."
	default:
		c.State = "You have none here"
	}
	return c, nil
}
