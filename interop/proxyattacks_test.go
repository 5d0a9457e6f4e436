//go:build interop

package interop_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// Whatever a client writes, the application is told of the user who has logged in,
// and of nobody else, at each proxy as deploy/proxies/ ships it.
func TestHoleProxies(t *testing.T) { attack(t, proxies) }

func attack(t *testing.T, proxies []proxy) {
	everyProxy(t, proxies, func(t *testing.T, b *behind) {
		bob, _ := b.logsIn(t, "bob", "/")
		ada, _ := b.logsIn(t, "ada", "/")
		a := &attacks{behind: b, bob: b.cookies(t, bob), ada: b.cookies(t, ada)}
		for _, class := range []struct {
			name string
			run  func(*attacks, *testing.T)
		}{
			{"identity headers", (*attacks).identityHeaders},
			{"forwarding headers", (*attacks).forwardingHeaders},
			{"hosts", (*attacks).hosts},
			{"paths", (*attacks).paths},
			{"our paths", (*attacks).ourPaths},
			{"redirects", (*attacks).redirects},
			{"cookies", (*attacks).cookieTossing},
			{"framing", (*attacks).framing},
			{"connection", (*attacks).connection},
			{"issuer's host", (*attacks).issuersHost},
			{"HTTP/2", (*attacks).http2Frames}, // last: what of it comes late is nobody else's
		} {
			t.Run(class.name, func(t *testing.T) { class.run(a, t) })
		}
	})
}

// attacks are sent as bytes; bob and ada are the Cookie headers of their sessions.
type attacks struct {
	*behind
	bob, ada string
}

// send sends a request with header lines of the attacker's, and looks at all that
// reached the application: as the user who has logged in, or nobody. It reports
// the status of the answer, 0 for none, and what arrived.
func (a *attacks) send(t *testing.T, line, user string, headers ...string) (status int, got []heard) {
	t.Helper()
	return a.bytes(t, line+"\r\nHost: "+a.host()+"\r\n"+a.lines(user, headers)+"\r\n", user)
}

func (a *attacks) lines(user string, headers []string) (out string) {
	if cookie := map[string]string{"bob": a.bob, "ada": a.ada}[user]; cookie != "" {
		out = "Cookie: " + cookie + "\r\n"
	}
	for _, h := range headers {
		out += h + "\r\n"
	}
	return out
}

func (a *attacks) bytes(t *testing.T, request, user string) (status int, got []heard) {
	t.Helper()
	a.app.take()
	resp, c := a.raw(t, request)
	if resp != nil {
		status = resp.StatusCode
		if status != http.StatusSwitchingProtocols {
			idptest.ReadAll(t, resp)
		}
	}
	_ = c.Close()
	got = a.app.take()
	for _, h := range got {
		a.judge(t, h, user)
		if t.Failed() {
			t.Fatalf("after\n%q\nthe application got\n%s\n%s", request, h.Line, strings.Join(h.Headers, "\n"))
		}
	}
	return status, got
}

// arrivesOnce sends a request that may arrive.
func (a *attacks) arrivesOnce(t *testing.T, path, user string, headers ...string) {
	t.Helper()
	if status, got := a.send(t, "GET "+path+" HTTP/1.1", user, headers...); len(got) != 1 {
		t.Errorf("%s as %q with %q: %d, and %d requests arrived", path, user, headers, status, len(got))
	}
}

// clean fails the test when a request that has reached the application carries
// what is ours, or what a client may not say.
func (b *behind) clean(t *testing.T, h heard) {
	t.Helper()
	if c := "; " + strings.Join(h.all("Cookie"), "; "); strings.Contains(c, "__Host-idp_") || strings.Contains(c, "; idp_") {
		t.Errorf("our cookie has reached the application: %q", h.all("Cookie"))
	}
	for _, name := range slices.Concat(othersNames, placesNames, []string{"Authorization", "Proxy-Authorization", "Forwarded", "X-Original-URL", "X-Original-Method", "X-Rewrite-URL", "Proxy"}) {
		if got := h.all(name); got != nil {
			t.Errorf("%s has reached the application: %q", name, got)
		}
	}
	if !strings.HasPrefix(h.target(), "/") {
		t.Errorf("the application got %q, which is no path", h.target())
	}
	if got := h.all("X-Envoy-Original-Path"); got != nil && b.proxy.name == "envoy" {
		t.Errorf("the application got X-Envoy-Original-Path %q", got)
	}
	for name, want := range map[string]string{"Host": b.host(), "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": b.host()} {
		if got := h.all(name); !slices.Equal(got, []string{want}) {
			t.Errorf("the application got %s %q, want %q", name, got, want)
		}
	}
	for _, name := range identity {
		if got := h.all(name); len(got) > 1 || slices.Contains(got, "") {
			t.Errorf("the application got %s %q", name, got)
		}
	}
}

// judge fails the test when a request should not have reached the application as
// it did: as another user, or at a path that this user may not see, however the
// application reads it. Whoever has a session may arrive as nobody, where nobody may.
func (a *attacks) judge(t *testing.T, h heard, user string) {
	t.Helper()
	if h.all("Remote-User") == nil {
		user = ""
	}
	a.names(t, h, user)
	for _, name := range []string{"Remote-Name", "Remote-Email", "Remote-Groups", "Remote-Assertion"} {
		if got := h.all(name); user == "" && got != nil || strings.Contains(strings.Join(got, " "), "mallory") {
			t.Errorf("%s %q", name, got)
		}
	}
	for _, p := range readings(h.target()) {
		if strings.HasPrefix(p+"/", "/admin/") && user != "ada" {
			t.Errorf("%s can be read as %s, which is not for %q", h.target(), p, user)
		}
		if !strings.HasPrefix(p, "/public/") && user == "" {
			t.Errorf("%s can be read as %s, which is not for everybody", h.target(), p)
		}
	}
}
