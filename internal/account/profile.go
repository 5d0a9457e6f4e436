package account

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"idp/internal/store"
	"idp/internal/user"
	"idp/internal/web"
)

// namePurpose is what the token of the form of /account/name is good for.
const namePurpose = "full name"

// Where the profile of somebody is kept.
const (
	fromCompany  = "your company"
	fromUpstream = "the organisation that you log in at"
	fromAdmin    = "an administrator here"
)

// ServeProfile answers GET /account/profile: what sites may be told, and who keeps it.
func (a *Account) ServeProfile(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return err
	}
	from, err := a.keeps(r.Context(), v.User)
	if err != nil {
		return err
	}
	page := &web.ProfilePage{AccountFrame: frame(v, "/account/profile"), From: from, Facts: facts(v.User, from)}
	if a.done(r, v) == "name" {
		page.Notice = &web.Notice{Kind: "info", Title: "Your name is changed", Text: "Sites are told the next time that they ask, mostly when you log in there."}
	}
	return a.Pages.Render(w, r, http.StatusOK, "profile", page)
}

// keeps says who keeps the profile of a user: whoever they log in at, and for local
// users the administrators here.
func (a *Account) keeps(ctx context.Context, u *store.User) (string, error) {
	ids, err := a.Store.IdentitiesOf(ctx, u.ID)
	if err != nil {
		return "", err
	}
	from := fromAdmin
	for _, id := range ids {
		if strings.HasPrefix(id.Source, "kerberos:") {
			return fromCompany, nil
		}
		from = fromUpstream
	}
	return from, nil
}

// mayRename: only who is kept here changes their own name; what a company or a partner
// says would be set again at the next login. Nobody changes their own name of login,
// mail address or groups, for these are what sites know people by.
func mayRename(u *store.User, from string) bool { return from == fromAdmin && u.PasswordHash != "" }

// facts are what there is to be told.
func facts(u *store.User, from string) []web.ProfileFact {
	const none = "none is known here"
	own := mayRename(u, from)
	from = "From " + from
	name := web.ProfileFact{Name: "Name", Value: cmp.Or(u.FullName, none), From: from}
	if own {
		name.URL, name.Link, name.From = "/account/name", "Change your name", from+", or from yourself"
	}
	mail := web.ProfileFact{Name: "Mail address", Value: cmp.Or(u.Email, none), From: from}
	if u.Email != "" && !u.EmailVerified {
		mail.Value += " (not checked)"
	}
	all := []web.ProfileFact{
		{Name: "User name", Value: u.Name, From: "It never changes"},
		name, mail,
		{Name: "Groups", Value: cmp.Or(strings.Join(u.Groups, ", "), "none"), From: from},
	}
	for _, c := range []struct{ name, value string }{
		{"First name", u.Claims.GivenName}, {"Middle name", u.Claims.MiddleName}, {"Family name", u.Claims.FamilyName}, {"Nickname", u.Claims.Nickname},
		{"Telephone", u.Claims.PhoneNumber}, {"Address", address(u.Claims.Address)}, {"Birthday", u.Claims.Birthdate}, {"Gender", u.Claims.Gender},
		{"Language", u.Claims.Locale}, {"Time zone", u.Claims.Zoneinfo}, {"Profile page", u.Claims.Profile}, {"Web page", u.Claims.Website}, {"Picture", u.Claims.Picture},
	} {
		if c.value != "" {
			all = append(all, web.ProfileFact{Name: c.name, Value: c.value, From: from})
		}
	}
	return all
}

// address is a postal address on one line.
func address(ad store.Address) string {
	if ad.Formatted != "" {
		return strings.Join(strings.Fields(ad.Formatted), " ")
	}
	var parts []string
	for _, p := range []string{ad.StreetAddress, ad.PostalCode, ad.Locality, ad.Region, ad.Country} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

// ServeName answers GET /account/name.
func (a *Account) ServeName(w http.ResponseWriter, r *http.Request) error {
	v, err := a.confirmedByAll(w, r)
	if err != nil || v == nil {
		return err
	}
	if err := a.renames(r, v); err != nil {
		return err
	}
	return a.namePage(w, r, v, http.StatusOK, v.User.FullName, nil)
}

// renames refuses whoever's name is kept elsewhere.
func (a *Account) renames(r *http.Request, v *visit) error {
	from, err := a.keeps(r.Context(), v.User)
	if err != nil || mayRename(v.User, from) {
		return err
	}
	return &web.Error{Status: http.StatusForbidden, Code: "NAME_KEPT_ELSEWHERE", Title: "Your name is kept elsewhere",
		Message: "It comes from " + from + ", and would be set again from there.", Hint: "Have it changed there.",
		Links: []web.Link{{Text: "Your profile", URL: "/account/profile"}}}
}

func (a *Account) namePage(w http.ResponseWriter, r *http.Request, v *visit, status int, name string, n *web.Notice) error {
	page := &web.NamePage{AccountFrame: frame(v, "/account/name"), FormToken: a.Sessions.FormToken(v.browser, namePurpose), FullName: name, Version: v.User.UpdatedAt}
	page.Notice = n
	return a.Pages.Render(w, r, status, "name", page)
}

// ServeRename answers POST /account/name.
func (a *Account) ServeRename(w http.ResponseWriter, r *http.Request) error {
	v, err := a.sent(w, r, "/account/name", namePurpose)
	if err != nil || v == nil {
		return err
	}
	if !a.confirms(v.Session) { // the page asks for the login
		return web.Redirect(w, r, http.StatusSeeOther, "/account/name")
	}
	if err := a.renames(r, v); err != nil {
		return err
	}
	name := strings.TrimSpace(r.PostForm.Get("full_name"))
	if err := user.CheckFullName(name); err != nil {
		return a.namePage(w, r, v, http.StatusBadRequest, name, &web.Notice{Kind: "error", Title: "This name cannot be taken", Text: "It " + err.Error() + "."})
	}
	changed := *v.User
	changed.FullName = name
	if changed.UpdatedAt, err = strconv.ParseInt(r.PostForm.Get("version"), 10, 64); err != nil {
		return web.BadForm(err)
	}
	if changed.FullName == v.User.FullName {
		return web.Redirect(w, r, http.StatusSeeOther, "/account/profile")
	}
	err = a.Store.UpdateUser(r.Context(), changed, v.entry())
	if errors.Is(err, store.ErrConflict) {
		return a.namePage(w, r, v, http.StatusConflict, name, &web.Notice{Kind: "error", Title: "Somebody else has just changed your profile",
			Text: "Nothing of yours was saved.", Hint: "Look at it again, and send your name once more."})
	}
	if err != nil {
		return err
	}
	return a.sendBack(w, r, v, "/account/profile", "name")
}
