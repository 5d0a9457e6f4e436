//go:build interop

package interop_test

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

// readings are the paths that applications may take a target for: decoded once or
// twice, in lower case, without path parameters, with slashes for backslashes, cut
// at a null byte, "#", "?" or ";", with dots resolved, as references to another place.
func readings(target string) []string {
	raw := cutAt("?")(target)
	if _, rest, ok := strings.Cut(raw, "://"); ok {
		raw = "/" + strings.SplitN(rest+"/", "/", 2)[1]
	}
	out := []string{raw}
	steps := []func(string) string{
		func(p string) string {
			if d, err := url.PathUnescape(p); err == nil {
				return d
			}
			return p
		},
		func(p string) string { return strings.ReplaceAll(p, "\\", "/") },
		strings.ToLower,
		func(p string) string {
			segments := strings.Split(p, "/")
			for i := range segments {
				segments[i], _, _ = strings.Cut(segments[i], ";")
			}
			return strings.Join(segments, "/")
		},
		cutAt("\x00"), cutAt("#"), cutAt("?"), cutAt(";"),
		func(p string) string { // of a reference: a host behind two slashes, dots to the letter, escaped slashes left alone
			if u, err := (&url.URL{Path: "/"}).Parse(p); err == nil && u.Path != "" {
				return u.EscapedPath()
			}
			return p
		},
		func(p string) string {
			slash := strings.HasSuffix(p, "/")
			if p = path.Clean("/" + p); slash && p != "/" {
				p += "/"
			}
			return p
		},
	}
	// Every order of them: until nothing new comes.
	for i := 0; i < len(out) && len(out) < 1000; i++ {
		for _, step := range steps {
			if p := step(out[i]); !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

func cutAt(mark string) func(string) string {
	return func(p string) string { p, _, _ = strings.Cut(p, mark); return p }
}

func (a *attacks) paths(t *testing.T) {
	for _, target := range []string{"/public/../admin/", "/public/%2e%2e/admin/", "/public/%2E%2E/admin/", "/public/.%2e/admin/", "/public/%2e./admin/", "/public%2f..%2fadmin/", "/public/..%2fadmin/", "/public/..%2Fadmin/", "/public/%2e%2e%2fadmin/",
		"//admin/", "/./admin/", "/public//../admin/", "//public/../../admin/", "/admin;x", "/admin;x/", "/;x/admin/", "/admin%3bx/", "/public/..;/admin/", "/public/..;x=/admin/", "/public/%2e%2e;/admin/", "/ADMIN/", "/Admin/", "/%61dmin/", "/%41dmin/",
		"/%2561dmin/", "/public/%252e%252e/admin/", "/public/..%252fadmin/", "/public/..%5cadmin/", "/public/..\\admin/", "\\admin\\", "/\\admin/", "/public/%2e%2e%5cadmin/", "/public\\..\\admin/", "/public/%00/../admin/", "/admin%00", "/admin/%00", "/admin%00/public/",
		"/public/..%00/admin/", "/public/%c0%ae%c0%ae/admin/", "/public/%uff0e%uff0e/admin/", "/admin%20/", "/admin%09/", "/admin%0a/", "/admin./", "/admin%2e/", "/admin/.", "/admin/..", "/public/x/../../admin/", "/public/?/../admin/", "/public/%3f/../../admin/",
		"/public/%23/../../admin/", "/public/#/../admin/", "/public/../admin/?x=/public/", "/admin?/public/", "/admin#/public/", "/admin/%2e%2e/public/", "/public/./../admin/", "/public/.../admin/", "/%2f/admin/", "/%2fadmin/", "/public%2f%2e%2e%2f%61dmin/",
		"/public/../%61dmin/", "/public/..//admin/", "/public/\xc0\xae\xc0\xae/admin/", "/public/\x00/../admin/", "/admin\x00/", "/public/\t../admin/", "/public/..%c0%afadmin/", "/public/..\xef\xbc\x8fadmin/",
		"/admin#x", "/admin/#x", "/public/..#", "/public/../admin#/public/", "/admin%23x", "/admin%3fx", "/admin%2523x", "/public/..%23", "/public/..%3f", "/public/..%23/x", "#", "#/public/", "/public/#x", "/public/?x#/../admin/",
		"//h/admin/y", "///h/admin/y", "/%2fh/admin/y", "/\\h/admin/y", "/reports/../admin//../y", "/reports/%2e%2e/admin/%2e%2e%2fy", "/reports/../admin;/../y", "//x%61dmin/", "///admin/../x", "/admin%20", "//public/admin/../../public/"} {
		for _, user := range []string{"", "bob"} {
			a.send(t, "GET "+target+" HTTP/1.1", user)
		}
	}
	// And what is no trick arrives as it was written.
	for _, target := range []string{"/reports/a%20b", "/reports/?q=/../admin/%2e%2e//;x\\", "/reports/%C3%BC", "/reports/a+b,c(d)!*'", "/reports/~x/-_.y", "/reports/a%2Fb", "/reports//b", "/reports/%41/./c"} {
		want := target
		if other, ok := a.proxy.arrives[target]; ok {
			want = other
		}
		if _, got := a.send(t, "GET "+target+" HTTP/1.1", "bob"); len(got) != 1 || got[0].target() != want {
			t.Errorf("of %s arrived %v", target, got)
		}
	}
}

// What is below /.idp/ never reaches the application, and nothing else reaches idp
// that way.
func (a *attacks) ourPaths(t *testing.T) {
	for _, target := range []string{"/.idp/start", "/.idp/start?to=/x", "/.idp/callback", "/.idp/nothing", "/.idp/../admin/", "/.idp/../reports/", "/.idp/%2e%2e/admin/", "/.idp/..%2fadmin/", "/.idp/start/../../admin/", "/.idp/start%2f..%2f..%2fadmin/", "/.idp/start;/../../admin/",
		"/.idp/../forward-auth", "/.idp/%2e%2e/forward-auth", "/.idp/..;/forward-auth", "/.idp//", "/.idp/", "/.IDP/start", "//.idp/start", "/%2eidp/start", "/x/../.idp/start", "/public/../.idp/start", "/public/%2e%2e/.idp/start", "/.idp-question", "/.idp/start\\..\\..\\admin\\", "/forward-auth", "/forward-auth/admin/"} {
		for _, user := range []string{"", "bob"} {
			status, got := a.send(t, "GET "+target+" HTTP/1.1", user, "Remote-User: mallory", "X-Original-URL: https://open.localhost/", "X-Original-Method: GET")
			for _, h := range got {
				if slices.ContainsFunc(readings(h.target()), func(p string) bool { return strings.HasPrefix(p, "/.idp/") && p != "/.idp/" }) && user == "" {
					t.Errorf("%s has reached the application without a login", h.target())
				}
			}
			if len(got) == 0 && slices.Contains([]int{http.StatusOK, http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}, status) {
				t.Errorf("%s has reached idp as another path: %d", target, status)
			}
		}
	}
}

// issuersHost: at the issuer's own host nobody asks /forward-auth with headers of their
// own and the trust of the proxy. Only nginx has a file for that host.
func (a *attacks) issuersHost(t *testing.T) {
	if a.proxy.name != "nginx" {
		return
	}
	ask := func(target string) *http.Response {
		resp, c := a.raw(t, "GET "+target+" HTTP/1.1\r\nHost: idp.localhost\r\nCookie: "+a.bob+"\r\nX-Original-URL: https://site.localhost/reports/\r\nX-Original-Method: GET\r\n\r\n")
		_ = c.Close()
		return resp
	}
	if resp := ask("/.well-known/openid-configuration"); resp == nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("idp itself answers %v", resp)
	}
	for _, target := range []string{"/forward-auth", "/forward-auth?redirect", "/forward-auth/", "/forward-auth/reports/", "/forward-auth/../login", "/forward-auth/%2e%2e/login", "/forward-auth/..%2flogin", "/forward-auth;x", "/forward-auth#", "//forward-auth", "/x/../forward-auth", "/./forward-auth",
		"/%66orward-auth", "/%66orward-auth/../login", "/forward%2dauth/reports/", "/FORWARD-AUTH", "/forward-auth\\", "/forward-auth%00", "/login/../forward-auth/x", "/.idp/../forward-auth", "https://idp.localhost/forward-auth", "https://idp.localhost/forward-auth/../login"} {
		resp := ask(target)
		if resp == nil || resp.StatusCode < http.StatusMultipleChoices || resp.StatusCode == http.StatusUnauthorized || resp.Header.Get("Idp-Reason") != "" || resp.Header.Get("Remote-User") != "" {
			t.Errorf("%s is answered %v", target, resp)
		}
	}
}

// redirects: from the way to the login and back nothing leads away.
func (a *attacks) redirects(t *testing.T) {
	bob, _ := a.logsIn(t, "bob", "/")
	for _, to := range []string{"https://mallory.example/", "//mallory.example/", "/\\mallory.example/", "\\\\mallory.example", "/%09/mallory.example", "/\t/mallory.example", "///mallory.example", "https:mallory.example", "javascript:alert(1)", "/.idp/start?to=https://mallory.example/",
		"@mallory.example", ".mallory.example", ":80@mallory.example/", "/\n/mallory.example", "/x\r\nSet-Cookie: a=b", "http://site.localhost@mallory.example/", "https://site.localhost.mallory.example/", "/%2f/mallory.example", "/%5cmallory.example", "%2f%2fmallory.example", "?x", "#x", ""} {
		for _, from := range []string{"/.idp/start?to=" + url.QueryEscape(to), "/.idp/start?to=/&to=" + url.QueryEscape(to), "/.idp/callback?code=x&state=x&to=" + url.QueryEscape(to), "/.idp/sign-out?to=" + url.QueryEscape(to) + "&post_logout_redirect_uri=" + url.QueryEscape(to)} {
			if strings.HasPrefix(from, "/.idp/sign-out") {
				a.staysHere(t, a.visitor(t), from)
				continue
			}
			a.staysHere(t, bob, from)
		}
	}
}

// staysHere follows redirects, none of which may lead to another host than the
// site's and idp's.
func (a *attacks) staysHere(t *testing.T, v *visitor, from string) {
	t.Helper()
	target := a.URL + from
	for range 10 {
		p := v.send(http.MethodGet, target, "", "")
		if p.Header.Get("Location") == "" {
			return
		}
		to, err := p.Response.Location()
		if err != nil || to.Scheme+"://"+to.Host != a.URL && to.Scheme+"://"+to.Host != a.Issuer {
			t.Errorf("%s leads to %q", from, p.Header.Get("Location"))
			return
		}
		target = to.String()
	}
}
