package forwardauth_test

import (
	"net/http"
	"testing"

	"idp/internal/idptest"
)

// What programs of the standards make of a path, and what looks like a path to us: the
// WHATWG URL (Node), RFC 3986 (Java, Python), and those that fold letters.
func TestHolePathOfAnotherReader(t *testing.T) {
	s := idptest.Start(t, idptest.Options{YAML: sites})
	p := protect(t, s, "reports.localhost")
	cookie := siteCookie(t, bobAt(t, s, p), p)
	for path, reader := range map[string]string{
		"//h/admin/y":                "new URL, urlsplit: the first part is a host",
		"///h/admin/y":               "new URL",
		"/%2fh/admin/y":              "new URL, once decoded",
		`/\h/admin/y`:                "new URL",
		"/x/../admin//../y":          "RFC 3986 §5.2.4 takes one empty segment out",
		"/x/../admin/%2f/../../y":    "the same, once decoded",
		"/x/%2e%2e/admin/%2e%2e%2fy": "new URL: a dot is decoded, a slash is not",
		"/%61dmin/..%2fy":            "RFC 3986 §6.2.2.2: what needs no escape is decoded, a slash is not",
		"//x%61dmin/":                "url.resolve of Node",
		"//x@%61dmin/":               "url.resolve of Node",
		"///admin/../x":              "urlsplit: a host without a name",
		"/admin%20":                  "new URL, once decoded",
		"/x/../admin;/../y":          "Jetty before 9.3: parameters go on to the end",
		"/x/%u002e%u002e/admin":      "IIS",
		"/%uff41dmin":                "IIS",
		"/x/\u2025/admin":            "NFKC: two dots",
		"/\u24d0dmin/":               "NFKC",
		"/admın/":                    "capitals, and small again",
	} {
		a := p.put(t, asNginx(p, path, "Cookie", cookie))
		if a.StatusCode != http.StatusForbidden || a.Header.Get("Remote-User") != "" {
			t.Errorf("%s (%s): %d %s", path, reader, a.StatusCode, a.Header.Get("Remote-User"))
		}
	}
	for _, path := range []string{"//h/x", "/a//b/../c", "/%7euser/", "/50%25", "/M\u00fcller/", "/x;y", "/a%2fb/"} {
		if a := p.put(t, asNginx(p, path, "Cookie", cookie)); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.Header.Get("Idp-Reason"))
		}
	}
}
