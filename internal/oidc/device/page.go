package device

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/authn"
	"idp/internal/oidc/clients"
	"idp/internal/policy"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/visitor"
	"idp/internal/web"
)

// At /device a person types the code that their device shows, or comes by a link
// with it, sees who asks for what, and answers (RFC 8628 §3.3). The link saves the
// typing and nothing else: it fills in the field, which is sent by the person. Nothing
// is allowed by opening it, and nobody looks its code up, or another site could lead
// people through wrong codes until none of theirs is looked at. The page shows the
// code to be compared (§3.3.1) and warns of codes that somebody else sent (§5.4).

// ServePage answers GET /device: with a code the question, or what was answered
// to it, without one the field to type it into.
func (p *Endpoints) ServePage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	typed := q.Get("user_code")
	c, err := p.Sessions.Visitor(r)
	if err != nil {
		return err
	}
	if c == nil || q.Has("other") {
		return p.logInForDevice(w, r, readUserCode(typed), q.Has("other"))
	}
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	if typed != "" && !p.sentHere(r, b, c) {
		return p.renderCodeField(w, r, b, c, typed, errByLink)
	}
	d, err := p.device(r, c, typed)
	if err != nil {
		return p.renderCodeField(w, r, b, c, typed, err)
	}
	switch {
	case d.row.Answer != "":
		return p.Pages.Render(w, r, http.StatusOK, "devicedone", web.DeviceDonePage{
			Site: clients.SiteOf(d.client, ""), User: c.User.Name, Allowed: d.row.Answer == store.DeviceAllowed,
			Offline: clients.HasScope(d.row.Scope, protocol.ScopeOfflineAccess),
		})
	case !clients.MayLogIn(d.client, c.User):
		return p.denyDevice(w, r, c, d)
	case !p.enough(r, c, d):
		return p.stepUpForDevice(w, r, b, c, d)
	}
	return p.askDevice(w, r, b, c, d)
}

// enough reports whether the session has shown what the rules demand for the relying
// party: what it gives the device is told as shown by it.
func (p *Endpoints) enough(r *http.Request, c *session.Current, d *asking) bool {
	return p.Policy.Enough(c.Session, c.User, d.client.ClientID, visitor.At(r, ""))
}

// stepUpForDevice sends whoever has shown too little on to show more, and back here.
func (p *Endpoints) stepUpForDevice(w http.ResponseWriter, r *http.Request, b *session.Browser, c *session.Current, d *asking) error {
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	at := visitor.At(r, "")
	step, err := p.Policy.BeginStepUp(r.Context(), store.LoginRequest{BrowserHash: b.Hash, ReturnTo: devicePath(d.row.UserCode),
		ACR: p.Policy.Required(c.User, d.client.ClientID, "", at)}, at)
	return visitor.SendOn(w, r, step, err)
}

// sentHere reports whether the code was sent by a page of ours: by the form of this
// browser and session, or, in browsers that say so, straight from a login here.
func (p *Endpoints) sentHere(r *http.Request, b *session.Browser, c *session.Current) bool {
	return r.Header.Get("Sec-Fetch-Site") == "same-origin" || p.Sessions.CheckFormToken(b, typedPurpose(c), r.URL.Query().Get("form_token"))
}

// typedPurpose is what the token of the form with the code is good for.
func typedPurpose(c *session.Current) string {
	return "device code\x00" + c.Session.ID + "\x00" + c.User.ID
}

// ServeAnswer answers POST /device: allow or deny. Sent twice it counts once.
func (p *Endpoints) ServeAnswer(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	typed := r.PostForm.Get("user_code")
	c, err := p.Sessions.Visitor(r)
	if err != nil {
		return err
	}
	if c == nil {
		return web.Redirect(w, r, http.StatusSeeOther, devicePath(readUserCode(typed)))
	}
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	d, err := p.device(r, c, typed)
	if err != nil {
		return p.renderCodeField(w, r, b, c, typed, err)
	}
	if !p.Sessions.CheckFormToken(b, d.purpose(c), r.PostForm.Get("form_token")) {
		return web.FormExpired()
	}
	answer := r.PostForm.Get("answer")
	if answer != "allow" && answer != "deny" {
		return web.BadForm(errors.New("answer: neither allow nor deny"))
	}
	if !clients.MayLogIn(d.client, c.User) {
		return p.denyDevice(w, r, c, d)
	}
	if !p.enough(r, c, d) { // the rules have changed meanwhile
		return web.Redirect(w, r, http.StatusSeeOther, devicePath(d.row.UserCode))
	}
	if err := p.answerDevice(r, c, d, answer == "allow"); err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, pathDevice+"?"+url.Values{
		"user_code": {showUserCode(d.row.UserCode)}, "form_token": {p.Sessions.FormToken(b, typedPurpose(c))}}.Encode())
}

func (p *Endpoints) askDevice(w http.ResponseWriter, r *http.Request, b *session.Browser, c *session.Current, d *asking) error {
	ctx, asked := r.Context(), time.UnixMilli(d.row.CreatedAt)
	address, near := from(d.row, web.InfoFrom(ctx))
	return p.Pages.Render(w, r, http.StatusOK, "deviceask", web.DeviceAskPage{
		FormToken: p.Sessions.FormToken(b, d.purpose(c)), Code: showUserCode(d.row.UserCode), Site: clients.SiteOf(d.client, ""),
		About: p.Clients.About(ctx, d.client.ClientID, ""), User: c.User.Name, OtherURL: otherDevicePath(d.row.UserCode),
		Shares: p.Clients.Shares(ctx, d.client.ClientID, c.User, d.consent(c), ""),
		Asked:  asked, Ago: ago(p.Now().Sub(asked)), Address: address, Near: near,
	})
}

// from is what a visitor is told of where a device asked from, and whether that is the
// network they are in. Behind a proxy that nobody configured the whole world has its
// address: then nothing is said, of either.
func from(row *store.DeviceCode, visitor *web.Info) (address string, near bool) {
	if row.Outside {
		return "", false
	}
	return row.Address, !visitor.Outside && row.Network == policy.Network(visitor.Client)
}

// ago says in words how long ago something was.
func ago(d time.Duration) string {
	switch minutes := int(d / time.Minute); minutes {
	case 0:
		return "less than a minute ago"
	case 1:
		return "1 minute ago"
	default:
		return strconv.Itoa(minutes) + " minutes ago"
	}
}

// answerDevice stores the answer. An answer that came before, here or in another
// window, stands: the page that follows tells which.
func (p *Endpoints) answerDevice(r *http.Request, c *session.Current, d *asking, allow bool) error {
	a := store.DeviceAnswer{Hash: d.row.Hash, Allow: allow, Session: *c.Session, Scope: d.scope(c), Entry: personEntry(r, c)}
	if !clients.Trusted(d.client) {
		a.Consent = d.consent(c)
	}
	err := p.Store.AnswerDevice(r.Context(), a)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// personEntry is what the audit log learns of what a person does here.
func personEntry(r *http.Request, c *session.Current) store.Entry {
	info := web.InfoFrom(r.Context())
	return store.Entry{Actor: c.User.Name, Name: c.User.Name, Address: info.Client.String(), RequestID: info.RequestID}
}

// denyDevice answers for a user that the relying party is not for. The device goes
// on waiting: it may be allowed by another account.
func (p *Endpoints) denyDevice(w http.ResponseWriter, r *http.Request, c *session.Current, d *asking) error {
	info := web.InfoFrom(r.Context())
	info.Reason, info.Detail = string(protocol.AccessDenied), "the user may not use this client"
	return p.Pages.Render(w, r, http.StatusForbidden, "denied", web.DeniedPage{
		User: c.User.Name, Site: clients.SiteOf(d.client, ""), OtherURL: otherDevicePath(d.row.UserCode), Reference: web.Reference(info, p.Now()),
	})
}

// renderCodeField answers without a device to ask about: nothing was typed yet, a
// link has filled it in, it is wrong, or too much was wrong. Any other error is
// passed on.
func (p *Endpoints) renderCodeField(w http.ResponseWriter, r *http.Request, b *session.Browser, c *session.Current, typed string, err error) error {
	info := web.InfoFrom(r.Context())
	page := web.DevicePage{FormToken: p.Sessions.FormToken(b, typedPurpose(c)), User: c.User.Name, OtherURL: otherDevicePath(readUserCode(typed)),
		Code: typed, Reference: web.Reference(info, p.Now())}
	status := http.StatusOK
	var many *authn.TooManyCodes
	switch {
	case errors.Is(err, errNothingTyped):
	case errors.Is(err, errByLink):
		page.Code = "" // a link says a code here, and nothing else
		if code := readUserCode(typed); code != "" {
			page.Code, page.ByLink = showUserCode(code), true
		}
	case errors.Is(err, errUserCode):
		status, info.Reason = http.StatusNotFound, "USER_CODE"
		page.Notice = &web.Notice{Kind: "error", Title: "No device waits with this code",
			Text: "Compare it with what your device shows: letters only, no numbers.", Hint: "A code is good for 10 minutes. After that the device shows a new one, or you start again there."}
	case errors.As(err, &many):
		status, info.Reason, info.Detail = http.StatusTooManyRequests, "TOO_MANY_CODES", many.Error()
		page.Locked, page.Until, page.Code = true, many.Until, ""
		page.Notice = &web.Notice{Kind: "error", Title: "Too many codes were wrong", Text: "So that nobody finds a code by trying, none is looked at for a while."}
		w.Header().Set("Retry-After", fmt.Sprint(max(1, int64(many.Until.Sub(p.Now())/time.Second))))
	default:
		return err
	}
	return p.Pages.Render(w, r, status, "device", page)
}

// logInForDevice sends the browser to log in, and back here; other: as somebody
// else, so no silent ticket will do.
func (p *Endpoints) logInForDevice(w http.ResponseWriter, r *http.Request, code string, other bool) error {
	if !web.Navigation(r) {
		return web.NotANavigation()
	}
	b, err := p.Sessions.Browser(w, r)
	if err != nil {
		return err
	}
	step, err := p.Policy.Begin(r.Context(), store.LoginRequest{BrowserHash: b.Hash, ReturnTo: devicePath(code), Fresh: other},
		visitor.At(r, ""), policy.Markers{SignedOut: b.SignedOut, NoTicket: b.NoTicket})
	return visitor.SendOn(w, r, step, err)
}

func devicePath(code string) string {
	if code == "" {
		return pathDevice
	}
	return pathDevice + "?" + url.Values{"user_code": {showUserCode(code)}}.Encode()
}

func otherDevicePath(code string) string {
	q := url.Values{"other": {"1"}}
	if code != "" {
		q.Set("user_code", showUserCode(code))
	}
	return pathDevice + "?" + q.Encode()
}
