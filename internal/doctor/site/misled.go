package site

import (
	"net/url"
	"strconv"
	"strings"

	"idp/internal/doctor/report"
	"idp/internal/reason"
)

// misled: what is wrong between a site's proxy and idp, where idp refuses whatever is
// asked about it, for this reason. nil: it is another reason, or none.
func (e *Exam) misled(s Site, path string, why reason.Code) []report.Line {
	nobody := ": nobody is let in"
	if path == s.Start {
		nobody = ": nobody can log in"
	}
	switch why {
	case reason.SiteProxy:
		return report.Failed(e.trustIt(), "%s%s: idp does not know the proxy, and answers it nothing (%s)"+nobody, s.Origin, path, why)
	case reason.SiteUnknown:
		return report.Failed(s.told()+". Where it stands there: systemctl reload idp, if idp.yaml was changed. Which host it was told: journalctl -u idp | grep "+string(why),
			"%s%s: the proxy tells idp of a host that is not %s, nor another site of forward_auth (%s)"+nobody, s.Origin, path, s.host(), why)
	case reason.SiteInsecure:
		return report.Failed(s.told(), "%s%s: the proxy does not tell idp that browsers come by %s (%s)"+nobody, s.Origin, path, s.scheme(), why)
	case reason.SiteContradictory:
		return report.Failed(s.says(func(p shipped) place { return p.whole })+". Which one it is: journalctl -u idp | grep "+string(why),
			"%s%s: a header is missing in what the proxy tells idp, or two contradict each other (%s)"+nobody, s.Origin, path, why)
	}
	return nil
}

// comesBack: does a login lead back to where browsers are? to is the authorization request
// that begins it. nil: it does.
func (s Site) comesBack(to string) []report.Line {
	_, query, _ := strings.Cut(to, "?")
	request, _ := url.ParseQuery(query) // what can be read of it
	own, err := url.Parse(s.Origin)
	if err != nil {
		return nil // config has said so
	}
	back, err := url.Parse(request.Get("redirect_uri"))
	if err != nil {
		back = &url.URL{}
	}
	switch {
	case back.Scheme != own.Scheme || back.Hostname() != own.Hostname():
		return report.Failed(s.told(), "%s: a login there leads back to %s://%s, by what the proxy tells idp: nobody comes back", s.Origin, reason.Short(back.Scheme), reason.Short(back.Host))
	case back.Host != own.Host:
		return report.Warning("where browsers see that port: host: "+back.Host+" in forward_auth; else "+s.told(), "%s: a login there leads back to another port, %s", s.Origin, back.Host)
	}
	return nil
}

// whereItIs is what to look at where nobody answers for a site.
func (s Site) whereItIs() string {
	hint := "is its proxy running, and does the name lead there from here?"
	if u, err := url.Parse(s.Origin); err == nil && u.Port() == "" {
		hint += " Where browsers see a port: host: " + s.host() + ":8443, or whichever it is, in forward_auth"
	}
	return hint
}

// told is how a proxy says what browsers ask for.
func (s Site) told() string {
	return s.says(func(p shipped) place { return p.site })
}

// trustIt is how a proxy becomes one that is trusted.
func (e *Exam) trustIt() string {
	if e.OnLoopback {
		return "trusted_proxies: [127.0.0.1/32, \"::1/128\"], for only this machine reaches " + e.Listen + "; then systemctl reload idp"
	}
	return "trusted_proxies: [the proxy's address]; idp's log has it: journalctl -u idp | grep 'not in trusted_proxies'; then systemctl reload idp"
}

// withReason is a status, and what idp says beside it.
func withReason(status int, why reason.Code) string {
	text := strconv.Itoa(status)
	if why != "" {
		text += " " + reason.Short(string(why))
	}
	return text
}
