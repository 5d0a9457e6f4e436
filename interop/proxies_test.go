//go:build interop

package interop_test

import (
	"crypto/elliptic"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
)

// behind is an application behind one of the proxies, and the idp that the proxy
// asks.
type behind struct {
	*binary
	*front
	proxy proxy
	app   *echo
	wait  time.Duration // for an answer to bytes
}

// proxiesYAML protects the application at site.localhost. open.localhost is
// protected by less; no proxy here serves it.
const proxiesYAML = `trusted_proxies: [127.0.0.0/8]
users:
  - {name: bob, password_file: %[1]s, email: bob@example.com, groups: [partners], full_name: %[3]q}
  - {name: ada, password_file: %[1]s, groups: [admins]}
%[2]sforward_auth:
  - host: site.localhost
    name: Reports
    rules:
      - {path: /public/, allow: anyone}
      - {path: /admin/, groups: [admins]}
  - host: open.localhost
    name: Open
    rules:
      - {path: /, allow: anyone}
`

// bobsName is text, whatever a proxy's configuration would make of it.
const bobsName = "Bob Ä. {env.HOME} {http.request.host} $host ${HOME} %[src] %{HTTP_HOST}e"

// siteKey makes the service of the site's own name, for which programs ask the KDC.
var siteKey = sync.OnceValue(func() error {
	return set.Realm.Kadmin(fmt.Sprintf("addprinc -randkey HTTP/site.localhost\nktadd -k %s HTTP/site.localhost\n", set.Realm.Keytab))
})

// everyProxy runs tests at each of these; all of them ask one idp.
func everyProxy(t *testing.T, proxies []proxy, test func(*testing.T, *behind)) {
	t.Helper()
	addr, port := freeAddress(t)
	certificate, key := pair(t, elliptic.P256())
	idp := &binary{Issuer: "http://idp.localhost:" + port, CA: certificate}
	words := filepath.Join(t.TempDir(), "password.txt")
	must(t, os.WriteFile(words, []byte(stage.BobPassword+"\n"), 0o600), siteKey())
	leavers := ""
	for _, p := range proxies {
		leavers += fmt.Sprintf("  - {name: leaver-%s, password_file: %s}\n", p.name, words)
	}
	idp.start(t, addr, "  basic_realm: Example Ltd\n", fmt.Sprintf(proxiesYAML, words, leavers, bobsName))
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			app := newEcho(t)
			b := &behind{binary: idp, front: newFront(t, addr, app.Addr, certificate, key), proxy: p, app: app, wait: patience}
			p.start(b.front, t)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("%s said:\n%s\nidp said:\n%s", p.name, tail(b.Log), tail(idp.log))
				}
			})
			test(t, b)
		})
	}
}

// The whole of what a person, a program and an administrator expect, at each proxy
// as deploy/proxies/ ships it.
func TestProxies(t *testing.T) { serve(t, proxies) }

func serve(t *testing.T, proxies []proxy) {
	everyProxy(t, proxies, func(t *testing.T, b *behind) {
		for _, check := range []struct {
			name string
			run  func(*testing.T, *behind)
		}{
			{"a person comes back to where they were", comesBack},
			{"a ticket shows no page", silently},
			{"a program is told", programIsTold},
			{"curl", curlAtSite},
			{"question", question},
			{"large ticket", largeTicket},
			{"WebSocket", webSocket},
			{"bodies", bodies},
			{"group", groupOfRule},
			{"open path", openPath},
			{"sign-out", signOutEnds},
			{"disabled", disabledEnds},
			{"plain HTTP", plainHTTP},
		} {
			t.Run(check.name, func(t *testing.T) { check.run(t, b) })
		}
	})
}

// besideProxy is the connection to idp through a proxy of its own: whoever comes from
// the address of one, and through none, counts as outside.
type besideProxy struct {
	http.RoundTripper
	issuer string
}

func (p besideProxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == p.issuer {
		r = r.Clone(r.Context())
		r.Header.Set("X-Forwarded-For", "127.0.0.1")
	}
	return p.RoundTripper.RoundTrip(r)
}

// visitor is a person's browser, inside.
func (b *behind) visitor(t *testing.T) *visitor {
	t.Helper()
	v := newVisitor(t, b.binary)
	v.http.Transport = besideProxy{v.http.Transport, strings.TrimPrefix(b.Issuer, "http://")}
	return v
}

// logsIn is somebody's browser that has logged in at a page of the site.
func (b *behind) logsIn(t *testing.T, name, path string) (*visitor, *idptest.Page) {
	t.Helper()
	v := b.visitor(t)
	return v, v.logIn(v.open(b.URL+path), name, stage.BobPassword)
}

// hears is what the application got, by its own answer.
func hears(t *testing.T, p *idptest.Page) heard {
	t.Helper()
	return reads[heard](t, p, http.StatusOK)
}

// names fails the test unless the application was told of this user, once, and
// saw nothing that is ours.
func (b *behind) names(t *testing.T, h heard, user string) {
	t.Helper()
	if got := h.all("Remote-User"); user == "" && got != nil || user != "" && !slices.Equal(got, []string{user}) {
		t.Errorf("the application got Remote-User %q, want %q\n%s", got, user, strings.Join(h.Headers, "\n"))
	}
	b.clean(t, h)
}

// another is one more of this proxy, that asks at another address.
func (b *behind) another(t *testing.T, idp string) *behind {
	t.Helper()
	f := newFront(t, idp, b.app.Addr, b.certificate, b.front.key)
	b.proxy.start(f, t)
	return &behind{binary: b.binary, front: f, proxy: b.proxy, app: b.app, wait: patience}
}
