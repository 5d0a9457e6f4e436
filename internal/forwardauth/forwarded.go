package forwardauth

import (
	"net/http"
	"strings"
)

// forwarded reads what Traefik (ForwardAuth) and Caddy (forward_auth) say:
// X-Forwarded-Proto, -Host, -Uri and -Method.
func forwarded(r *http.Request) (a asked, err error) {
	err = all(r.Header, saying{"X-Forwarded-Proto", &a.proto}, saying{"X-Forwarded-Host", &a.host}, saying{"X-Forwarded-Uri", &a.target}, saying{"X-Forwarded-Method", &a.method})
	a.host = strings.ToLower(a.host)
	switch a.proto { // as Traefik calls WebSockets
	case "ws":
		a.proto = "http"
	case "wss":
		a.proto = "https"
	}
	return a, err
}
