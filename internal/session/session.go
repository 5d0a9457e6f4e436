// Package session is the single sign-on session and the two cookies of a browser.
//
// A session is a row in the database; the browser holds 256 random bits and the
// row their SHA-256, so that a stolen database opens no session and any node can
// answer. The row's id is the public `sid`: it stays when the same user logs in
// again, while the cookie's secret is made anew at every login, so that a secret
// planted before a login is worth nothing after it (session fixation). Another
// user logging in ends the session of the first.
//
// The second cookie names the browser, logged in or not: login requests belong
// to it (package login), and it carries the two things a browser wants
// remembered without a login: "I signed out" and "no company ticket here"; and
// which session was its last, so that its sign-out is known when that is over.
//
// Over https both are __Host- cookies: Secure, no Domain, Path=/ (RFC 6265bis
// §4.1.3.2). Plain http is for localhost only and has neither.
package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/user"
	"idp/internal/useragent"
	"idp/internal/web"
)

// ErrNone means that the request carries no live session.
var ErrNone = errors.New("no live session")

// ErrCookie means that a cookie of ours arrived in a form we never sent, such as
// twice: somebody else's doing, a sibling site's perhaps. It comes inside a
// *web.Error, ready to be returned.
var ErrCookie = errors.New("malformed cookie")

// touchEvery is how far SeenAt may lag behind: one write a minute and session; more
// where it may not be unused for long.
const touchEvery = time.Minute

// Config is everything New needs.
type Config struct {
	Store    *store.Store
	Ring     *secret.Ring
	Issuer   *url.URL
	Idle     time.Duration // a session unused for so long ends; default 8 h
	Absolute time.Duration // and every session after this; default 12 h
	Rules    Rules         // of some: other limits

	// Directory asks whether a user is still enabled, and how they are known now;
	// vouches: it knows them. user.ErrDisabled: they are not, and what they had has
	// ended. Nil: there is no directory.
	Directory func(context.Context, *store.User) (now *store.User, vouches bool, err error)

	Now func() time.Time
}

// Sessions reads, starts and ends sessions. Safe for concurrent use.
type Sessions struct {
	Config
	browsers *browsers
	secure   bool
	name     string
	formKeys [][]byte
	touches  touches
}

// New checks the configuration and makes Sessions.
func New(c Config) (*Sessions, error) {
	if c.Store == nil || c.Ring == nil || c.Issuer == nil {
		return nil, errors.New("session: Store, Ring and Issuer are required")
	}
	if c.Idle == 0 {
		c.Idle = 8 * time.Hour
	}
	if c.Absolute == 0 {
		c.Absolute = 12 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Sessions{Config: c, secure: c.Issuer.Scheme == "https", formKeys: c.Ring.Derive("form token")}
	s.name = s.cookieName("idp_session")
	s.browsers = newBrowsers(c.Ring.Derive("browser cookie"), s.cookieName("idp_browser"), s.secure)
	return s, nil
}

func (s *Sessions) cookieName(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

// Current is a live session and its user.
type Current struct {
	Session *store.Session
	User    *store.User
}

// Current returns the session the request carries; ErrNone when there is none
// that is alive, ErrCookie when the cookie comes twice.
func (s *Sessions) Current(r *http.Request) (*Current, error) {
	value, err := Single(r, s.name)
	if err != nil {
		return nil, err
	}
	if value == "" {
		return nil, ErrNone
	}
	sess, u, err := s.Store.SessionBySecret(r.Context(), secret.Hash(secret.String(value)), s.Now().UnixMilli())
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	return s.Use(r, sess, u)
}

// Use is what every use of a live session goes through, whatever was shown for it: the
// directory is asked about its user, and the session counts as used now. ErrNone: the
// directory says that it has ended. sess and u are not changed.
func (s *Sessions) Use(r *http.Request, sess *store.Session, u *store.User) (*Current, error) {
	u, err := s.vouched(r, sess, u)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	idle := s.idle(sess)
	if s.touches.due(sess.ID, time.UnixMilli(sess.SeenAt), now, min(touchEvery, idle/4)) {
		if err := s.Store.TouchSession(r.Context(), sess.ID, now.UnixMilli(), now.Add(idle).UnixMilli()); err != nil {
			web.InfoFrom(r.Context()).Err = fmt.Errorf("session not touched: %w", err) // it ends sooner; no reason to turn somebody away
		}
	}
	return &Current{sess, u}, nil
}

// vouched returns the user of a session as the directory knows them; ErrNone when it
// says that they are disabled, or when the session is older than its ticket would
// have let it be and nobody vouches for them.
func (s *Sessions) vouched(r *http.Request, sess *store.Session, u *store.User) (now *store.User, err error) {
	now, vouches := u, false
	if s.Directory != nil {
		now, vouches, err = s.Directory(r.Context(), u)
	}
	switch {
	case errors.Is(err, user.ErrDisabled):
		web.InfoFrom(r.Context()).Detail = err.Error()
		return nil, ErrNone
	case err != nil:
		return nil, err
	case !vouches && sess.TicketEnd != 0 && s.Now().UnixMilli() >= sess.TicketEnd:
		web.InfoFrom(r.Context()).Detail = "the session is older than its ticket, and the directory does not vouch for its user"
		return nil, ErrNone
	}
	return now, nil
}

// Visitor returns the live session of the browser, or nil, and names its user in
// the request's log line.
func (s *Sessions) Visitor(r *http.Request) (*Current, error) {
	c, err := s.Current(r)
	if errors.Is(err, ErrNone) {
		return nil, nil //nolint:nilnil // no session is an answer, not an error
	}
	if err == nil {
		web.InfoFrom(r.Context()).User = c.User.Name
	}
	return c, err
}

// Login is what a finished login hands over.
type Login struct {
	User         *store.User
	AMR          []string
	ACR          string
	PasswordHash string // of the local password that was typed; empty: none was
	Upstream     store.UpstreamSession
	Remember     bool   // this device
	Account      string // what this browser is to remember that it logged in to; empty: nothing
	AuthTime     time.Time
	Until        time.Time // the session ends here at the latest; zero: no such limit
	TicketEnd    time.Time // and here, by a Kerberos login, unless the directory vouches for its user; zero: no such end
	Principal    string
	FactorID     string // the second factor that was shown; empty: none
	Continues    string // the session that it was added to, whose limits stay; empty: a login of its own
	LoginRequest string // id of the login request this login completes; empty: none
	Entry        store.Entry
	Address      string
	Ticket       bool   // by a Kerberos ticket: so tickets are wanted on this device after all
	Method       string // remembered in the browser, for the next login here
}

// Start begins a session for the browser, or renews the one of the same user,
// under a new cookie secret, and completes the login request in the same
// transaction. store.ErrNotFound: the login request is not this browser's, or
// over, or something that was shown counts no more. Only package login calls it, in one place.
func (s *Sessions) Start(w http.ResponseWriter, r *http.Request, l Login) (*store.Session, error) {
	b, err := s.Browser(w, r)
	if err != nil {
		return nil, err
	}
	old, err := s.Current(r)
	if err != nil && !errors.Is(err, ErrNone) {
		return nil, err
	}
	cookie := secret.Token()
	start := store.StartSession{Session: s.row(l, cookie, r), LoginRequestID: l.LoginRequest, BrowserHash: b.Hash, PasswordHash: l.PasswordHash,
		FactorID: l.FactorID, Continues: l.Continues, Entry: l.Entry}
	switch {
	case old != nil && old.User.ID == l.User.ID:
		start.Session.ID = old.Session.ID
		if l.Continues != "" || (l.Ticket && old.Session.Remembered) {
			keepLimits(&start.Session, old.Session)
		}
	case old != nil:
		start.EndOther = old.Session.ID
	}
	start.Entry.SessionID = start.Session.ID
	if err := s.Store.StartSession(r.Context(), start); err != nil {
		return nil, err
	}
	s.setCookie(w, cookie, s.cookieAge(&start.Session))
	s.dropStep(w, r)
	b.SignedOut, b.NoTicket, b.Method, b.last = false, b.NoTicket && !l.Ticket, l.Method, lastOf(start.Session.ID)
	b.remember(l.Account)
	return &start.Session, s.browsers.save(w, r, b)
}

func (s *Sessions) row(l Login, cookie secret.String, r *http.Request) store.Session {
	now := s.Now()
	row := store.Session{
		ID: secret.ID(), SecretHash: secret.Hash(cookie), UserID: l.User.ID, AMR: l.AMR, ACR: l.ACR, Principal: l.Principal,
		AuthTime: l.AuthTime.UnixMilli(), CreatedAt: now.UnixMilli(), SeenAt: now.UnixMilli(),
		Address: l.Address, UserAgent: text(r.UserAgent(), 256), Upstream: l.Upstream,
	}
	if !l.TicketEnd.IsZero() {
		row.TicketEnd = l.TicketEnd.UnixMilli()
	}
	s.limit(&row, l, r)
	return row
}

// End ends the session, forgets its cookie and marks the browser as signed out,
// so that no silent ticket logs the person in again at once.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request, c *Current) error {
	b, err := s.Browser(w, r)
	if err != nil {
		return err
	}
	if c != nil {
		info := web.InfoFrom(r.Context())
		entry := store.Entry{Actor: c.User.Name, UserID: c.User.ID, Name: c.User.Name, SessionID: c.Session.ID,
			Address: info.Client.String(), Agent: useragent.Identify(r.Header).String(), RequestID: info.RequestID}
		if err := s.Store.EndSession(r.Context(), c.Session.ID, entry); err != nil {
			return err
		}
	}
	s.setCookie(w, "", -1)
	s.dropStep(w, r)
	b.SignedOut = true
	return s.browsers.save(w, r, b)
}

// setCookie sets the session cookie, for so many seconds: 0 is until the browser ends,
// and less deletes it.
func (s *Sessions) setCookie(w http.ResponseWriter, value secret.String, age int) {
	http.SetCookie(w, &http.Cookie{Name: s.name, Value: value.Reveal(), Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode, MaxAge: age}) //nolint:gosec // Secure unless the issuer is http on this very machine
}

// Single returns the value of a cookie that may come at most once; empty: it did not.
// Twice is a *web.Error around ErrCookie.
func Single(r *http.Request, name string) (string, error) {
	found := r.CookiesNamed(name)
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0].Value, nil
	default:
		return "", &web.Error{
			Status: http.StatusBadRequest, Code: "COOKIE", Title: "Your browser sent a confusing cookie",
			Message: "A cookie of this site arrived twice, so it cannot be trusted.",
			Hint:    "Delete the cookies of this site and its neighbours, then start again from the site you came from.", Err: ErrCookie,
		}
	}
}

// text is at most n bytes of what a browser sent, as the database takes it.
func text(s string, n int) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s[:min(len(s), n)], "\x00", ""), "")
}
