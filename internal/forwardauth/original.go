package forwardauth

import (
	"net/http"
	"strings"

	"idp/internal/reason"
	"idp/internal/web"
)

// original reads what nginx (auth_request), HAProxy and Apache are configured to say:
// X-Original-URL, absolute, and X-Original-Method.
func original(r *http.Request) (a asked, err error) {
	var address string
	if err = all(r.Header, saying{"X-Original-Url", &address}, saying{"X-Original-Method", &a.method}); err != nil || address == "" {
		return a, err
	}
	// Cut and not parsed: the path is to be judged as it was sent, not as a parser
	// would have it.
	proto, rest, ok := strings.Cut(address, "://")
	end := strings.IndexAny(rest, "/?#")
	if !ok || end < 0 || rest[end] != '/' {
		return a, refusal{reason.SiteContradictory, "X-Original-URL is no address: " + web.Quote(withoutQuery(address))}
	}
	a.proto, a.host, a.target = proto, strings.ToLower(rest[:end]), rest[end:]
	return a, nil
}
