package forwardauth

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"idp/internal/audit"
	"idp/internal/authn"
	"idp/internal/forwardauth/sites"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/user"
	"idp/internal/visitor"
	"idp/internal/web"
)

// credential is what a request shows that we can check: a ticket or, where the site
// takes them, a password. scheme is empty where there is none: another scheme is none of
// ours, and the site's cookie may still do. Not ok: it is too long, or there twice.
func (q *question) credential(r *http.Request) (scheme, value string, ok bool) {
	scheme, value, ok = web.Authorization(r.Header)
	if scheme != web.SchemeNegotiate && (scheme != web.SchemeBasic || !q.site.TakesPasswords()) {
		scheme = ""
	}
	return scheme, value, ok
}

// credential answers for what a program shows of itself (RFC 4559, RFC 7617). It is a
// login of this request alone: there is no session, and no second factor can be shown.
func (f *ForwardAuth) credential(w http.ResponseWriter, r *http.Request, q *question, gates []sites.Gate, scheme, value string) (*identity, error) {
	info := web.InfoFrom(r.Context())
	var res *authn.Result
	var err error
	key, kept := "", false // a password that was looked at within the last minute is no login of its own
	switch scheme {
	case web.SchemeNegotiate:
		info.Method = authn.MethodTicket
		res, err = f.ticket(w, r, q, value)
	case web.SchemeBasic:
		info.Method = authn.MethodBasic
		res, key, kept, err = f.password(r, q, value)
	default:
		return nil, refusal{reason.SiteCredential, web.HeaderTooLong}
	}
	if err == nil {
		err = f.stillThere(r, res)
	}
	if err == nil {
		err = f.enough(r, q, gates, res)
	}
	switch {
	case kept: // its login is in the audit log
	case reason.Of(err) == reason.FactorNeeded:
		err = f.notFoundOutInSilence(r, q, res, key, err)
	case err == nil:
		err = f.audited(r, q, res, info.Method)
	}
	if err != nil {
		return nil, f.refused(r, err)
	}
	if key != "" && !kept {
		f.passwords.put(key, *res, f.Now().Add(passwordKept))
	}
	info.LoggedIn = !kept
	return &identity{user: res.User, amr: res.AMR, acr: policy.ACROf(res.AMR), authTime: res.AuthTime.UnixMilli()}, nil
}

// refused puts the reason of a credential into the log line. Trouble of ours is passed on.
func (f *ForwardAuth) refused(r *http.Request, err error) error {
	var why *reason.Error
	if !errors.As(err, &why) {
		return err
	}
	info := web.InfoFrom(r.Context())
	info.Reason, info.Detail, info.User = string(why.Reason), why.Explain(), why.Name
	switch why.Reason {
	case reason.FactorNeeded:
		return refusal{reason.SiteFactor, why.Explain()}
	case reason.Unreachable, reason.KDCError, reason.Busy: // says nothing of the credential
		return refusal{reason.SiteUnavailable, why.Explain()}
	}
	return refusal{reason.SiteCredential, why.Explain()}
}

// ticket checks a ticket; it is good for one request, and its replay for none.
func (f *ForwardAuth) ticket(w http.ResponseWriter, r *http.Request, q *question, value string) (*authn.Result, error) {
	if from := q.from(r); !f.Policy.OffersTicket(from) { // as at the login
		return nil, refusal{reason.SiteCredential, f.Policy.WhyNoTicket(from)}
	}
	token, ok := web.NegotiateToken(value)
	if !ok {
		return nil, reason.Refuse(reason.Malformed, "the token is not base64")
	}
	res, err := f.Authn.Ticket(r.Context(), token, f.caller(r, q))
	if err != nil {
		return nil, err
	}
	web.SendNegotiate(w, res.Reply) // mutual authentication: RFC 4559 §5
	return res, nil
}

// password checks a name and a password. What was right, and a login at this site, is
// kept under key, and not asked about again for a minute: a script sends them with every
// request.
func (f *ForwardAuth) password(r *http.Request, q *question, value string) (res *authn.Result, key string, kept bool, err error) {
	name, password, ok := web.BasicCredential(value)
	if !ok {
		return nil, "", false, reason.Refuse(reason.MalformedInput, "the Basic credential is not base64 of name:password")
	}
	from := f.caller(r, q)
	key = f.passwordKey(from, name, password)
	if was, ok := f.passwords.get(key, f.Now()); ok {
		return &was, key, true, nil // a copy: whoever asked goes on with the user as they are now
	}
	res, err = f.Authn.PasswordInTime(r.Context(), passwordLimit, name, password, from)
	return res, key, false, err
}

// stillThere looks at the user as they are now: disabled since, or with another
// password, they are refused, whatever is kept.
func (f *ForwardAuth) stillThere(r *http.Request, res *authn.Result) error {
	now, err := f.Store.UserByID(r.Context(), res.User.ID)
	if errors.Is(err, store.ErrNotFound) {
		return reason.Refuse(reason.UserDisabled, "the user is gone")
	}
	if err != nil {
		return err
	}
	if now.Disabled || (res.PasswordHash != "" && now.PasswordHash != res.PasswordHash) {
		return reason.Refuse(reason.UserDisabled, "the user was disabled, or has a new password, since the password was checked")
	}
	res.User, _, err = f.Authn.AskDirectory(r.Context(), now)
	if errors.Is(err, user.ErrDisabled) {
		return reason.Refuse(reason.UserDisabled, err.Error())
	}
	return err
}

// enough: what is demanded of a login here, as at the login pages (package login).
func (f *ForwardAuth) enough(r *http.Request, q *question, gates []sites.Gate, res *authn.Result) error {
	has := false
	if slices.Contains(res.AMR, policy.AMRPassword) {
		have, err := f.Factors.Of(r.Context(), res.User.ID)
		if err != nil {
			return err
		}
		has = have.Any()
	}
	for _, g := range gates {
		if !g.Anyone && !policy.Reaches(policy.ACROf(res.AMR), f.Policy.OfLogin(res.User, res.AMR, has, q.site.Host, g.ACR, q.from(r))) {
			return reason.Refuse(reason.FactorNeeded, "a second factor is demanded, and a program cannot show one")
		}
	}
	return nil
}

// notFoundOutInSilence writes down that a first factor was right, and not enough: of a
// password, which a script sends with every request, once a minute.
func (f *ForwardAuth) notFoundOutInSilence(r *http.Request, q *question, res *authn.Result, key string, err error) error {
	if known, _ := f.notEnough.get(key, f.Now()); known {
		return err
	}
	err = f.Authn.NeedsFactor(r.Context(), res.User, f.caller(r, q))
	if key != "" && reason.Of(err) == reason.FactorNeeded {
		f.notEnough.put(key, true, f.Now().Add(passwordKept))
	}
	return err
}

// audited writes down a login that has no session to tell of it.
func (f *ForwardAuth) audited(r *http.Request, q *question, res *authn.Result, how string) error {
	from := f.caller(r, q)
	return f.Store.Audit(r.Context(), store.Entry{Event: audit.Login, Actor: res.User.Name, UserID: res.User.ID, Name: res.User.Name, ClientID: from.ClientID,
		Address: from.Address.String(), Agent: from.Agent, RequestID: from.RequestID, Detail: how + ", a program at a protected site"})
}

func (f *ForwardAuth) caller(r *http.Request, q *question) policy.From {
	from := visitor.From(r, q.site.Host)
	from.Site = sites.Hostname(q.site.Host)
	return from
}

// passwordLimit is how long a password is checked. Proxies wait 5 s for our answer, and
// show one of their own then, which tells nobody why.
const passwordLimit = 3 * time.Second

// passwordKept is how long a password that was right is not asked about again.
const passwordKept = time.Minute

// passwordKey is a keyed hash of a name and a password, of the site that they were sent
// to, and of where they came from: from outside they might not have been accepted.
func (f *ForwardAuth) passwordKey(from policy.From, name string, password secret.String) string {
	where := from.Address.String()
	if from.Outside {
		where = "outside"
	}
	return string(secret.MAC([][]byte{f.passwordMAC}, []byte(from.Site+"\x00"+where+"\x00"+name+"\x00"+password.Reveal()))[0])
}
