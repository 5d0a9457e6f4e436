package account

import (
	"net/http"
	"net/url"

	"idp/internal/web"
)

// frame is what every page of the account begins with; here is its path.
func frame(v *visit, here string) web.AccountFrame {
	return web.AccountFrame{Here: here, User: v.User.Name}
}

// sent reads a form of a page and who sent it. Nil: the session is over, and the
// answer, a redirect to the page, which asks for a login, is written.
func (a *Account) sent(w http.ResponseWriter, r *http.Request, page, purpose string) (*visit, error) {
	if err := web.ParseForm(w, r); err != nil {
		return nil, err
	}
	v, err := a.visit(w, r)
	if err != nil {
		return nil, err
	}
	if v.Current == nil || !a.Policy.Enough(v.Session, v.User, "", v.from) {
		return nil, web.Redirect(w, r, http.StatusSeeOther, page)
	}
	if !a.Sessions.CheckFormToken(v.browser, purpose, r.PostForm.Get("form_token")) {
		return nil, web.FormExpired()
	}
	return v, nil
}

// donePurpose is what the token of sendBack is good for: no link of another site can
// make a page say that something was done.
const donePurpose = "done\x00" // and the word

// sendBack answers a form whose work is done: back to a page of the account, which
// finds word by done and says it in its own words (frame.Notice). A reload of that
// page sends nothing again.
func (a *Account) sendBack(w http.ResponseWriter, r *http.Request, v *visit, page, word string) error {
	q := url.Values{"done": {word}, "token": {a.Sessions.FormToken(v.browser, donePurpose+word)}}
	return web.Redirect(w, r, http.StatusSeeOther, page+"?"+q.Encode())
}

// done is the word that our own redirect brought to the page; empty: none, or
// somebody else's.
func (a *Account) done(r *http.Request, v *visit) string {
	q := r.URL.Query()
	word := q.Get("done")
	if word == "" || !a.Sessions.CheckFormToken(v.browser, donePurpose+word, q.Get("token")) {
		return ""
	}
	return word
}
