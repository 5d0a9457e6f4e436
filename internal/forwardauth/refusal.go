package forwardauth

import (
	"net/http"

	"idp/internal/web"
)

// The reasons of answers, as the header Idp-Reason, the body and the log line have
// them. Never renamed: proxies and programs know them.
const (
	reasonLogin         = "LOGIN_REQUIRED"    // nobody is logged in at this site
	reasonFactor        = "FACTOR_REQUIRED"   // the login has not shown enough
	reasonNotAllowed    = "NOT_ALLOWED"       // the user is in none of the groups
	reasonNetwork       = "NETWORK"           // not from there
	reasonPath          = "PATH_AMBIGUOUS"    // a path that programs read in different ways
	reasonUnknown       = "UNKNOWN_SITE"      // no site of forward_auth
	reasonInsecure      = "INSECURE"          // the site was not reached by https
	reasonContradictory = "CONTRADICTORY"     // what the proxy says does not agree, or is not there
	reasonProxy         = "PROXY_NOT_TRUSTED" // whoever asks is not in trusted_proxies
	reasonCredential    = "CREDENTIAL"        // what the program showed was refused; the log says why
	reasonCookie        = "COOKIE"            // a cookie of ours comes twice
	reasonName          = "NAME"              // the user's name cannot be told in a header
	reasonNotRouted     = "NOT_ROUTED"        // the proxy asks about a path that it has to route to us
)

// refusal is a request that does not pass, whoever sends it. detail is for the log.
type refusal struct{ reason, detail string }

func (r refusal) Error() string { return r.reason + ": " + r.detail }

// refusalPage is what /.idp/ answers for a reason.
func refusalPage(reason string) *web.Error {
	t := texts[reason]
	return &web.Error{Status: http.StatusForbidden, Code: reason, Title: t.title, Message: t.message, Hint: t.hint, Header: http.Header{HeaderReason: {reason}}}
}

// texts are what people and programs read of a reason.
var texts = map[string]struct{ title, message, hint string }{
	reasonLogin:         {"Log in first", "This page is for people who are logged in.", ""},
	reasonFactor:        {"Show a second factor", "This page wants more than you have logged in with.", ""},
	reasonNotAllowed:    {"This page is not for you", "You are logged in, but not one of those whom this page is for.", "Ask your support if it should be, with the reference below."},
	reasonNetwork:       {"This page cannot be opened from here", "It can only be opened from inside certain networks.", "Connect to your company's network, and try again."},
	reasonPath:          {"The address cannot be read for certain", "The address of this page can be understood in more than one way.", "Open the page from the site's start."},
	reasonUnknown:       {"This site is not known here", "The site's proxy asks single sign-on who you are, and single sign-on knows no such site.", "Its administrator has to add it to forward_auth."},
	reasonInsecure:      {"This site needs a safe connection", "The site was reached without https, or its proxy does not say otherwise.", "Begin the address with https://."},
	reasonContradictory: {"This request cannot be read", "What the site's proxy and the request say about it do not agree.", "Open the page again, without extra headers."},
	reasonProxy:         {"Not asked by a known proxy", "Only proxies that idp was told of may ask here.", "The site's administrator has to add the proxy's address to trusted_proxies."},
	reasonCredential:    {"Your login was refused", "The name, password or ticket that was sent is not good here.", "idp's log has the reason, with the reference below."},
	reasonCookie:        {"Your browser sent a confusing cookie", "A cookie of this site arrived twice, so it cannot be trusted.", "Delete the cookies of this site and its neighbours, and try again."},
	reasonNotRouted:     {"This site is not set up yet", "Its proxy does not send everything below /.idp/ to single sign-on, so nobody can log in.", "Its administrator has to: idp doctor says more."},
	reasonName:          {"Your user name cannot be passed on", "It holds characters that no header can carry.", "Ask your support, with the reference below."},
}
