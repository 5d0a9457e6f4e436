package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Parse(pageHTML))

// site is the web site itself: every page but /signed-out is for people who
// are logged in, and whoever is not is sent to the provider.
type site struct {
	name     string
	secure   bool // reached by https
	rp       *relyingParty
	sessions *memory[*identity]
	attempts *memory[attempt]
}

func newSite(name string, address *url.URL, rp *relyingParty) http.Handler {
	s := &site{
		name: name, secure: address.Scheme == "https", rp: rp,
		sessions: newMemory[*identity](8*time.Hour, 100_000),
		attempts: newMemory[attempt](10*time.Minute, 10_000),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.serveHome)
	mux.HandleFunc("GET /whoami", s.serveWhoAmI)
	mux.HandleFunc("GET /login", s.serveLogin)
	mux.HandleFunc("GET /callback", s.serveCallback)
	mux.HandleFunc("POST /sign-out", s.serveSignOut)
	mux.HandleFunc("GET /signed-out", s.serveSignedOut)
	// A form on a page of another site must not sign people out.
	return s.headers(http.NewCrossOriginProtection().Handler(mux))
}

// headers: no page is kept by caches, framed, or runs a script.
func (s *site) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

func (s *site) serveHome(w http.ResponseWriter, r *http.Request) {
	who := s.current(r)
	if who == nil {
		s.serveLogin(w, r)
		return
	}
	s.render(w, http.StatusOK, view{Who: who})
}

// serveWhoAmI is for programs: 401 instead of a redirect, JSON instead of a page.
func (s *site) serveWhoAmI(w http.ResponseWriter, r *http.Request) {
	who := s.current(r)
	w.Header().Set("Content-Type", "application/json")
	if who == nil {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":"nobody is logged in"}` + "\n"))
		return
	}
	if err := json.NewEncoder(w).Encode(who); err != nil {
		slog.Warn("writing an answer", "err", err)
	}
}

// serveLogin sends the browser to the provider.
func (s *site) serveLogin(w http.ResponseWriter, r *http.Request) {
	a, address := s.rp.begin()
	s.setCookie(w, "login", s.attempts.add(a))
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// serveCallback is where the provider sends it back.
func (s *site) serveCallback(w http.ResponseWriter, r *http.Request) {
	a, ok := s.attempts.take(s.cookie(r, "login"))
	s.setCookie(w, "login", "")
	if !ok {
		s.render(w, http.StatusBadRequest, view{Notice: "This login has expired, or it was begun in another window."})
		return
	}
	who, err := s.rp.finish(r.Context(), a, r.URL.Query())
	if err != nil {
		s.refuse(w, err)
		return
	}
	who.Site = s.name
	s.sessions.take(s.cookie(r, "session")) // whoever was logged in before
	s.setCookie(w, "session", s.sessions.add(who))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// refuse tells the person little and the log everything.
func (s *site) refuse(w http.ResponseWriter, err error) {
	slog.Warn("login failed", "site", s.name, "err", err)
	var refused *refusal
	if errors.As(err, &refused) && refused.Code == "access_denied" {
		s.render(w, http.StatusForbidden, view{Notice: "You may not use " + s.name + " with this account."})
		return
	}
	s.render(w, http.StatusBadGateway, view{Notice: "You could not be logged in."})
}

// serveSignOut ends the session here, then at the provider.
func (s *site) serveSignOut(w http.ResponseWriter, r *http.Request) {
	who, ok := s.sessions.take(s.cookie(r, "session"))
	s.setCookie(w, "session", "")
	if !ok {
		http.Redirect(w, r, "/signed-out", http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, s.rp.signOut(who), http.StatusSeeOther)
}

func (s *site) serveSignedOut(w http.ResponseWriter, _ *http.Request) {
	s.render(w, http.StatusOK, view{Notice: "You are signed out."})
}

// current is who is logged in here; nil when nobody is.
func (s *site) current(r *http.Request) *identity {
	who, _ := s.sessions.get(s.cookie(r, "session"))
	return who
}

// cookieName has the prefix that makes browsers refuse a cookie which another
// host of the same domain has set (RFC 6265bis §4.1.3.2); it needs https.
func (s *site) cookieName(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

func (s *site) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie that lives as long as the browser runs; an empty value
// removes it. SameSite=Lax lets it come along when the provider redirects back.
func (s *site) setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{ //nolint:gosec // not Secure only on http://localhost
		Name: s.cookieName(name), Value: value,
		Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// view is what the one page shows: either a person or a notice.
type view struct {
	Site   string
	Notice string
	Who    *identity
}

// Claims are the ID token's, indented for reading.
func (v view) Claims() (string, error) { return indent(v.Who.IDToken) }

// UserInfo is what the userinfo endpoint said, indented for reading.
func (v view) UserInfo() (string, error) { return indent(v.Who.UserInfo) }

func indent(raw json.RawMessage) (string, error) {
	b, err := json.MarshalIndent(raw, "", "  ")
	return string(b), err
}

func (s *site) render(w http.ResponseWriter, status int, v view) {
	v.Site = s.name
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := page.Execute(w, v); err != nil {
		slog.Warn("writing a page", "err", err)
	}
}
