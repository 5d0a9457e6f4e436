package proof

import (
	"net/url"
	"strings"
)

// sameURL compares htu with the URL of an endpoint, both normalised by syntax and
// scheme, without query and fragment (RFC 9449 §4.3, 9).
func sameURL(htu, endpoint string) bool {
	if htu == endpoint {
		return true
	}
	a, ok1 := normal(htu)
	b, ok2 := normal(endpoint)
	return ok1 && ok2 && a == b
}

// normal is an absolute http or https URL without query and fragment, by RFC 3986
// §§6.2.2.1, 6.2.2.2 and 6.2.3. Dot segments stay: no endpoint has them.
func normal(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Hostname() == "" {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	host = strings.TrimSuffix(host, ":")
	path := unreserved(u.EscapedPath())
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + path, true
}

// unreserved undoes the percent-encoding of characters that need none, and writes
// the others with capitals (RFC 3986 §6.2.2). escaped is what net/url accepted.
func unreserved(escaped string) string {
	if !strings.Contains(escaped, "%") {
		return escaped
	}
	var out strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '%' || i+2 >= len(escaped) {
			out.WriteByte(escaped[i])
			continue
		}
		triplet := escaped[i : i+3]
		i += 2
		if c, err := url.PathUnescape(triplet); err == nil && strings.ContainsAny(c, unreservedCharacters) {
			out.WriteString(c)
			continue
		}
		out.WriteString(strings.ToUpper(triplet))
	}
	return out.String()
}

// unreservedCharacters: RFC 3986 §2.3.
const unreservedCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
