package forwardauth

import (
	"net/http"
	"strings"
)

// PathAsk is where proxies ask. Below it, with a slash, is what Envoy asks.
const PathAsk = "/forward-auth"

// Wraps reports whether a request is one of Envoy's (ext_authz by HTTP): it sends the
// request itself, without its body, to an address below ours. The route table cannot
// tell, for it would clean the path first.
func Wraps(r *http.Request) bool { return strings.HasPrefix(r.RequestURI, PathAsk+"/") }

// wrapped reads it. The scheme is what X-Forwarded-Proto says.
func wrapped(r *http.Request) (a asked, ok bool) {
	if !Wraps(r) {
		return a, false
	}
	return asked{host: strings.ToLower(r.Host), target: strings.TrimPrefix(r.RequestURI, PathAsk), method: r.Method}, true
}
