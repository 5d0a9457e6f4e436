package clients

import (
	"slices"
	"strings"

	"idp/internal/store"
)

// RedirectAllowed reports whether uri is one of the client's redirect URIs: the
// same string, character for character (RFC 9700 §2.1). No parser looks at it,
// so there is nothing that two parsers could see differently.
func RedirectAllowed(c *store.Client, uri string) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	if c.AnyPort && slices.ContainsFunc(c.RedirectURIs, func(registered string) bool { return sameButPort(registered, uri) }) {
		return true
	}
	// A native app takes whatever port is free on its own machine (RFC 8252 §7.3).
	prefix, rest, ok := cutLoopback(uri)
	return ok && c.Public() && slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		p, r, ok := cutLoopback(registered)
		return ok && p == prefix && r == rest
	})
}

// sameButPort reports whether uri is a registered one, which has a path and no port,
// with one.
func sameButPort(registered, uri string) bool {
	scheme, rest, _ := strings.Cut(registered, "://")
	host, path, _ := strings.Cut(rest, "/")
	after, ok := strings.CutPrefix(uri, scheme+"://"+host)
	if !ok {
		return false
	}
	after, ok = cutPort(after)
	return ok && after == "/"+path
}

// loopbacks are the addresses, not the name localhost, which a resolver could
// send elsewhere (RFC 8252 §8.3).
var loopbacks = []string{"http://127.0.0.1", "http://[::1]"}

// cutLoopback cuts the port out of a loopback redirect URI.
func cutLoopback(uri string) (prefix, rest string, ok bool) {
	for _, prefix = range loopbacks {
		if rest, ok = strings.CutPrefix(uri, prefix); ok {
			rest, ok = cutPort(rest)
			return prefix, rest, ok
		}
	}
	return "", "", false
}

func cutPort(rest string) (string, bool) {
	if digits, ok := strings.CutPrefix(rest, ":"); ok {
		end := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' })
		if end < 0 {
			end = len(digits)
		}
		if end == 0 || end > 5 {
			return "", false
		}
		rest = digits[end:]
	}
	return rest, rest == "" || rest[0] == '/' || rest[0] == '?'
}
