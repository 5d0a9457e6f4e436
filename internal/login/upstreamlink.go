package login

import (
	"errors"
	"net/http"
	"net/url"

	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/upstream"
	"idp/internal/user"
	"idp/internal/visitor"
	"idp/internal/web"
)

// linkUpstream ends what the account page began: the login at the upstream becomes one of the
// user's. Both are proven: the user by the session that asked, which had to be a fresh
// one, and the other by a login there since. Mail addresses prove nothing and are not
// compared.
func (l *Login) linkUpstream(w http.ResponseWriter, r *http.Request, left *store.UpstreamLogin, answer url.Values) error {
	c, err := l.Sessions.Visitor(r)
	if err != nil {
		return err
	}
	if c == nil || c.Session.ID != left.LoginID || c.User.ID != left.LinkUserID {
		return web.LoginExpired(errors.New("the session is not the one that asked for the link"))
	}
	web.InfoFrom(r.Context()).Method = "" // nobody logs in
	from := visitor.At(r, "")
	u := l.Upstreams.ByID(left.Upstream)
	if u == nil {
		return l.notLinked(r, left.Upstream, "", upstream.Unknown(left.Upstream), from)
	}
	there, subject, err := u.Finish(r.Context(), left, answer)
	if err != nil {
		return l.notLinked(r, u.ID, subject, err, from)
	}
	err = l.writeLink(r, c, of(u, there).Person, from)
	if err != nil {
		return l.notLinked(r, u.ID, subject, err, from)
	}
	b, err := l.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther,
		"/account/logins?"+url.Values{"linked": {u.ID}, "token": {l.Sessions.FormToken(b, upstream.Linked(u.ID))}}.Encode())
}

// writeLink writes the link; it is none of somebody else's, and once is enough.
func (l *Login) writeLink(r *http.Request, c *session.Current, p user.UpstreamPerson, from policy.From) error {
	id := p.Identity()
	id.UserID = c.User.ID
	entry := store.Entry{Actor: c.User.Name, UserID: c.User.ID, Name: c.User.Name, SessionID: c.Session.ID,
		Address: from.Address.String(), RequestID: from.RequestID, Detail: id.Source + " " + id.Key}
	err := l.Store.LinkIdentity(r.Context(), id, entry)
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	holder, err := l.Store.UserByIdentity(r.Context(), id.Source, id.Key)
	if err != nil {
		return err
	}
	if holder.ID == c.User.ID {
		return nil
	}
	return reason.Refuse(reason.NameTaken, "the login belongs to "+holder.Name)
}

// notLinked is the page for a link that did not come about. Who holds a login already is
// for the log.
func (l *Login) notLinked(r *http.Request, id, subject string, err error, from policy.From) error {
	err = l.Authn.UpstreamRefused(r.Context(), id, subject, err, from)
	var refused *reason.Error
	if !errors.As(err, &refused) {
		return err
	}
	info := web.InfoFrom(r.Context())
	who := info.User
	logRefusal(info, refused)
	info.User = who
	n := notice(refused.Reason, false)
	if refused.Reason == reason.NameTaken {
		n = &web.Notice{Text: "Somebody else here logs in by it already.", Hint: "If that is you, log in by it, or tell your support, with the reference below."}
	}
	return &web.Error{Status: http.StatusForbidden, Code: string(refused.Reason), Title: "The login was not linked", Message: n.Text, Hint: n.Hint,
		Links: []web.Link{{Text: "Back to your logins", URL: "/account/logins"}}, Err: err}
}
