// Package site asks each protected site as a stranger would, and says what its proxy does
// wrong: whether our paths lead to idp, whether idp is told the truth of who asks for what,
// and whether anybody is let in without a login.
package site

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
	"idp/internal/reason"
)

// Config is what is looked at, and with what.
type Config struct {
	Sites      []Site
	Issuer     string
	Listen     string // host:port
	OnLoopback bool   // only this machine reaches Listen
	Network    look.Network

	Answers func() bool                // idp, at its issuer's address
	Direct  func(context.Context) bool // this machine may reach it there as one of trusted_proxies
}

// Exam is one look at all sites.
type Exam struct{ Config }

// Site is one that is protected by forward auth, as its proxy has to serve it.
type Site struct {
	Origin string // as browsers reach it: https://reports.example.com
	Ask    string // the path at which its proxy asks idp
	Start  string // the path that strangers are sent to, which its proxy routes to idp
	Header string // of every answer of ours that refuses something there
	Twice  string // Cookie with each of ours twice, which is refused where it arrives
	Open   bool   // anyone may open its first page

	proxies []shipped // which it may be, by its answers
}

// Look asks: does each site's proxy route our paths to idp, as a proxy that is trusted, and
// keep strangers out? Whoever asks here is one.
func (e *Exam) Look(ctx context.Context) (lines []report.Line) {
	for _, s := range e.Sites {
		lines = append(lines, e.site(ctx, s)...)
	}
	return append(lines, e.askedByAnybody(ctx)...)
}

func (e *Exam) site(ctx context.Context, s Site) []report.Line {
	s, start, err := e.reach(ctx, s)
	if err != nil {
		return report.Warning(s.whereItIs(), "%s does not answer: %v", s.Origin, err)
	}
	s.proxies = proxyOf(start.Header.Get("Server"))
	if bad := e.judgeStart(s, start); bad != nil {
		if !s.Open { // worse than that nobody can log in
			bad = append(e.letIn(ctx, s), bad...)
		}
		return bad
	}
	leads := "its proxy leads to idp; the first page is open to anyone"
	if !s.Open {
		leads = "its proxy leads to idp, and strangers to the login"
		if bad := e.stranger(ctx, s); bad != nil {
			return bad
		}
	}
	if bad := e.cookies(ctx, s); bad != nil {
		return bad
	}
	return report.OK("%s: %s (not looked at: whether the application can be reached past it)", s.Origin, leads)
}

// reach asks where a login begins. On this machine a site may be https though the issuer
// is not; then that is its origin.
func (e *Exam) reach(ctx context.Context, s Site) (Site, *look.Answer, error) {
	start, err := e.Network.Get(ctx, s.Origin+s.Start)
	if s.scheme() != "http" || err == nil && e.answersUs(s, start) {
		return s, start, err
	}
	secure := s
	secure.Origin = "https://" + s.host()
	if again, err := e.Network.Get(ctx, secure.Origin+s.Start); err == nil && e.answersUs(s, again) {
		return secure, again, nil
	}
	return s, start, err
}

// answersUs reports whether an answer for a site is idp's.
func (e *Exam) answersUs(s Site, got *look.Answer) bool {
	return got.Header.Get(s.Header) != "" || strings.HasPrefix(got.Header.Get("Location"), e.Issuer+"/authorize?")
}

// judgeStart: is a login begun by us, for this site? nil: it is.
func (e *Exam) judgeStart(s Site, start *look.Answer) []report.Line {
	route := s.says(func(p shipped) place { return p.route })
	why := reason.Code(start.Header.Get(s.Header))
	if bad := e.misled(s, s.Start, why); bad != nil {
		return bad
	}
	to := start.Header.Get("Location")
	switch {
	case why != "": // of the question about this path
		return report.Failed(route, "%s asks idp about %s, and does not lead there: nobody can log in", s.Origin, s.Start)
	case start.Status >= http.StatusInternalServerError && !e.Answers():
		return report.Warning("see the line about server", "%s: its proxy runs, and gets no answer from idp (%d): the rest cannot be seen", s.Origin, start.Status)
	case start.Status >= http.StatusInternalServerError:
		return report.Failed(s.says(func(p shipped) place { return p.address })+". There stands idp's address, "+e.Listen+", as the proxy reaches it; the proxy's log says why", "%s: its proxy gets no answer from idp, which runs (%d): nobody can log in", s.Origin, start.Status)
	case !strings.HasPrefix(to, e.Issuer+"/authorize?"):
		return report.Failed(route, "%s%s is not answered by idp (%d)", s.Origin, s.Start, start.Status)
	}
	return s.comesBack(to)
}

// stranger opens the first page, as somebody who is not logged in. nil: they come to the
// login.
func (e *Exam) stranger(ctx context.Context, s Site) []report.Line {
	page, err := e.Network.Get(ctx, s.Origin+"/", "Accept", "text/html")
	if err != nil {
		return report.Warning("look at the proxy's log", "%s/ does not answer: %v", s.Origin, err)
	}
	why := reason.Code(page.Header.Get(s.Header))
	if bad := e.misled(s, "/", why); bad != nil {
		return bad
	}
	if bad := s.judgeLetIn(page); bad != nil {
		return bad
	}
	to := page.Header.Get("Location")
	switch {
	case page.Status >= http.StatusInternalServerError:
		return report.Failed(s.asks()+". The proxy's log, and idp's, say why", "%s/ answers %d to a stranger: is /forward-auth asked, and answered?", s.Origin, page.Status)
	case why == reason.SiteNetwork:
		return report.Warning("fine where this machine is in none of the site's networks; else: does the proxy send the client's address in X-Forwarded-For?",
			"%s/ is not for this machine (%s): how it receives others cannot be seen from here", s.Origin, why)
	case to == "" && why == "" && page.Status != http.StatusUnauthorized:
		return report.Failed(s.asks(), "%s/ answers %d to a stranger, which is not idp's word: is /forward-auth asked?", s.Origin, page.Status)
	case to == "" || page.Status == http.StatusUnauthorized:
		return report.Warning(s.says(func(p shipped) place { return p.login })+". It makes a redirect of idp's answer 401 that has a Location", "%s/ keeps strangers out (%s), and does not lead people to the login", s.Origin, withReason(page.Status, why))
	case why == "" && !strings.Contains(to, s.Start):
		return report.Failed(s.asks(), "%s/ leads strangers to %s, which is not idp's word: is /forward-auth asked?", s.Origin, reason.Short(to))
	case !strings.HasPrefix(to, s.Origin+s.Start):
		return report.Failed(s.told(), "%s/ leads strangers to %s", s.Origin, reason.Short(to))
	}
	return nil
}

// letIn: is the first page open to strangers? nil: it is not, as far as can be seen.
func (e *Exam) letIn(ctx context.Context, s Site) []report.Line {
	page, err := e.Network.Get(ctx, s.Origin+"/", "Accept", "text/html")
	if err != nil {
		return nil // the line about the login says what there is to say
	}
	return s.judgeLetIn(page)
}

func (s Site) judgeLetIn(page *look.Answer) []report.Line {
	if page.Status >= http.StatusMultipleChoices {
		return nil
	}
	return report.Failed(s.asks()+". So the proxy asks /forward-auth before it passes anything on", "%s/ lets strangers in: it answers %d to nobody", s.Origin, page.Status)
}

// asks is what makes a proxy ask.
func (s Site) asks() string { return s.says(func(p shipped) place { return p.question }) }

// cookies: does the proxy pass them on to idp, with the question and below /.idp/? nil:
// nothing else is to be seen. Without, every login is followed by another.
func (e *Exam) cookies(ctx context.Context, s Site) []report.Line {
	for _, path := range []string{s.Start, "/"} {
		page, err := e.Network.Get(ctx, s.Origin+path, "Accept", "text/html", "Cookie", s.Twice)
		if err != nil {
			return report.Warning("look at the proxy's log", "%s%s does not answer a request with cookies: %v", s.Origin, path, err)
		}
		to := page.Header.Get("Location")
		if reason.Code(page.Header.Get(s.Header)) == reason.SiteLogin || strings.HasPrefix(to, e.Issuer+"/authorize?") || strings.HasPrefix(to, s.Origin+s.Start) {
			return report.Failed(s.passesCookie(path), "%s%s: the proxy does not pass Cookie on to idp: nobody stays logged in", s.Origin, path)
		}
	}
	return nil
}

// passesCookie is what makes a proxy pass Cookie on to idp.
func (s Site) passesCookie(path string) string {
	question := s.says(func(p shipped) place { return p.cookies })
	if path == s.Start {
		return "below /.idp/ no line of the proxy's file sets or deletes Cookie; for the question: " + question
	}
	return question
}

// host is what browsers call a site, with the port where they see one.
func (s Site) host() string {
	_, host, _ := strings.Cut(s.Origin, "://")
	return host
}

// Hosts are the sites' names, without ports.
func Hosts(sites []Site) (names []string) {
	for _, s := range sites {
		if u, err := url.Parse(s.Origin); err == nil {
			names = append(names, u.Hostname())
		}
	}
	return names
}

// scheme by which browsers come to a site.
func (s Site) scheme() string {
	scheme, _, _ := strings.Cut(s.Origin, "://")
	return scheme
}
