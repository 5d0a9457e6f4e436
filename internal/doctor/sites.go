package doctor

import (
	"context"
	"net/http"
	"strings"

	"idp/internal/reason"
)

// Site is one that is protected by forward auth, as its proxy has to serve it.
type Site struct {
	Origin string // as browsers reach it: https://reports.example.com
	Start  string // the path that strangers are sent to, which its proxy routes to idp
	Header string // of every answer of ours that refuses something there
	Open   bool   // anyone may open its first page
}

// sites: does each site's proxy route our paths to idp, as a proxy that is trusted, and
// keep strangers out? Whoever asks here is one.
func (e *exam) sites(ctx context.Context) (lines []Result) {
	for _, s := range e.Sites {
		lines = append(lines, e.site(ctx, s)...)
	}
	return lines
}

func (e *exam) site(ctx context.Context, s Site) []Result {
	start, err := e.get(ctx, s.Origin+s.Start)
	if err != nil {
		return warning("is its proxy running? does the name lead there from here?", "%s does not answer: %v", s.Origin, err)
	}
	const route = "route everything below /.idp/ there to idp, and ask /forward-auth for the rest"
	to := start.header.Get("Location")
	switch why := reason.Code(start.header.Get(s.Header)); {
	case why == reason.SiteProxy:
		return failed("add the proxy's address to trusted_proxies", "%s: idp does not know the proxy, and answers it nothing", s.Origin)
	case why == reason.SiteUnknown || why == reason.SiteInsecure || why == reason.SiteContradictory:
		return failed("X-Forwarded-Proto and X-Forwarded-Host are set by the proxy, to what browsers use", "%s: the proxy tells idp of another address (%s)", s.Origin, why)
	case why != "": // of the question about this path
		return failed(route, "%s asks idp about %s, and does not lead there: nobody can log in", s.Origin, s.Start)
	case !strings.HasPrefix(to, e.Issuer+"/authorize?"):
		return failed(route, "%s%s is not answered by idp (%d)", s.Origin, s.Start, start.status)
	case s.Open:
		return ok("%s: its proxy leads to idp; the first page is open to anyone", s.Origin)
	}
	return e.stranger(ctx, s)
}

// stranger opens the first page, as somebody who is not logged in.
func (e *exam) stranger(ctx context.Context, s Site) []Result {
	page, err := e.get(ctx, s.Origin+"/", "Accept", "text/html")
	if err != nil {
		return warning("look at the proxy's log", "%s/ does not answer: %v", s.Origin, err)
	}
	to := page.header.Get("Location")
	switch {
	case page.status < http.StatusMultipleChoices:
		return failed("the proxy must ask /forward-auth before it passes anything on", "%s/ lets strangers in: it answers %d to nobody", s.Origin, page.status)
	case page.status >= http.StatusInternalServerError:
		return failed("the proxy's log, and idp's, say why", "%s/ answers %d to a stranger: is /forward-auth asked, and answered?", s.Origin, page.status)
	case to == "" || page.status == http.StatusUnauthorized:
		return warning("turn a 401 with Location into a redirect", "%s/ keeps strangers out (%d), and does not lead people to the login", s.Origin, page.status)
	case !strings.HasPrefix(to, s.Origin+s.Start):
		return failed("X-Original-URL, or X-Forwarded-Proto and X-Forwarded-Host, of the question are those that browsers use", "%s/ leads strangers to %s", s.Origin, reason.Short(to))
	}
	return ok("%s: its proxy leads to idp, and strangers to the login", s.Origin)
}
