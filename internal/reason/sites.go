package reason

// Why forward auth does not let a request to a protected site pass: the header
// Idp-Reason, the body and the log line have these. They are about requests, not about
// credentials: of a credential that was refused at a site, the log has the code of the
// other table. Proxies and programs know them. docs/forward-auth.md explains each.
const (
	SiteLogin         Code = "LOGIN_REQUIRED"    // nobody is logged in at this site
	SiteFactor        Code = "FACTOR_REQUIRED"   // the login has not shown enough
	SiteNotAllowed    Code = "NOT_ALLOWED"       // the user is in none of the groups
	SiteNetwork       Code = "NETWORK"           // not from there
	SitePath          Code = "PATH_AMBIGUOUS"    // a path that programs read in different ways
	SiteUnknown       Code = "UNKNOWN_SITE"      // no site of forward_auth
	SiteInsecure      Code = "INSECURE"          // the site was not reached by https
	SiteContradictory Code = "CONTRADICTORY"     // what the proxy says does not agree, or is not there
	SiteProxy         Code = "PROXY_NOT_TRUSTED" // whoever asks is not in trusted_proxies
	SiteCredential    Code = "CREDENTIAL"        // what the program showed was refused; the log says why
	SiteUnavailable   Code = "UNAVAILABLE"       // what the program showed could not be checked just now: again in a moment
	SiteCookie        Code = "COOKIE"            // a cookie of ours comes twice
	SiteCookieLost    Code = "COOKIE_NOT_PASSED" // the proxy asks without the cookie that the browser sends
	SiteName          Code = "NAME"              // the user's name cannot be told in a header
	SiteNotRouted     Code = "NOT_ROUTED"        // the proxy asks about a path that it has to route to us
)
