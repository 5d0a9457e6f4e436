package forwardauth

import (
	"net/http"

	"idp/internal/reason"
	"idp/internal/web"
)

// refusal is a request that does not pass, whoever sends it. detail is for the log.
type refusal struct {
	code   reason.Code // one of those of sites
	detail string
}

func (r refusal) Error() string { return string(r.code) + ": " + r.detail }

// refusalPage is what /.idp/ answers for a reason.
func refusalPage(code reason.Code) *web.Error {
	t := texts[code]
	return &web.Error{Status: http.StatusForbidden, Code: string(code), Title: t.title, Message: t.message, Hint: t.hint, Header: http.Header{HeaderReason: {string(code)}}}
}

// texts are what people and programs read of a reason.
var texts = map[reason.Code]struct{ title, message, hint string }{
	reason.SiteLogin:         {"Log in first", "This page is for people who are logged in.", ""},
	reason.SiteFactor:        {"Show a second factor", "This page wants more than you have logged in with.", ""},
	reason.SiteNotAllowed:    {"This page is not for you", "You are logged in, but not one of those whom this page is for.", "Ask your support if it should be, with the reference below."},
	reason.SiteNetwork:       {"This page cannot be opened from here", "It can only be opened from inside certain networks.", "Connect to your company's network, and try again."},
	reason.SitePath:          {"The address cannot be read for certain", "The address of this page can be understood in more than one way.", "Open the page from the site's start."},
	reason.SiteUnknown:       {"This site is not known here", "The site's proxy asks single sign-on who you are, and single sign-on knows no such site.", "Its administrator has to add it to forward_auth."},
	reason.SiteInsecure:      {"This site needs a safe connection", "The site was reached without https, or its proxy does not say otherwise.", "Begin the address with https://."},
	reason.SiteContradictory: {"This request cannot be read", "What the site's proxy and the request say about it do not agree.", "Open the page again, without extra headers."},
	reason.SiteProxy:         {"Not asked by a known proxy", "Only proxies that idp was told of may ask here.", "The site's administrator has to add the proxy's address to trusted_proxies."},
	reason.SiteCredential:    {"Your login was refused", "The name, password or ticket that was sent is not good here.", "idp's log has the reason, with the reference below."},
	reason.SiteUnavailable:   {"Your login could not be checked just now", "It was not refused: whoever checks passwords does not answer.", "Try again in a minute."},
	reason.SiteCookie:        {"Your browser sent a confusing cookie", "A cookie of this site arrived twice, so it cannot be trusted.", "Delete the cookies of this site and its neighbours, and try again."},
	reason.SiteCookieLost:    {"This site is not set up yet", "You are logged in, but its proxy does not tell single sign-on so: it asks without your cookie.", "Its administrator has to let it pass Cookie on: idp doctor says more."},
	reason.SiteNotRouted:     {"This site is not set up yet", "Its proxy does not send everything below /.idp/ to single sign-on, so nobody can log in.", "Its administrator has to: idp doctor says more."},
	reason.SiteName:          {"Your user name cannot be passed on", "It holds characters that no header can carry.", "Ask your support, with the reference below."},
}
