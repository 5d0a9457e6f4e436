//go:build bench

package interop_test

import (
	"context"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"idp/examples/demo/stage"
)

const (
	loadRequests = 100_000
	loadPeople   = 64
	// loadLatest is how long after its end a session may be let in.
	loadLatest = time.Second
	loadSites  = "trusted_proxies: [127.0.0.1/32]\nforward_auth:\n  - {host: site.localhost}\n"
)

// BenchmarkProxyLoad sends 100,000 requests of 64 people through nginx, as
// deploy/proxies/ ships it, while people sign out and log in again, are disabled and
// enabled, and keys rotate. It fails when the application is told of anybody else than
// who asked, when somebody is let in more than a second after their session ended, or
// when somebody is refused whose session goes on.
func BenchmarkProxyLoad(b *testing.B) {
	bin := b.TempDir()
	must(b, stage.Build(b.Context(), bin))
	for _, db := range []string{"sqlite", "postgres"} {
		b.Run(db, func(b *testing.B) {
			l := newLoad(b, benchStage(b, bin, db, fmt.Sprintf(benchClients, "ES256"), loadSites))
			l.run()
			l.report()
		})
	}
}

// load is what goes through the proxy, and what came of it.
type load struct {
	b        *testing.B
	s        *stage.Stage
	f        *front
	http     *http.Client // of all requests; keeps no cookies
	verifier *oidc.IDTokenVerifier
	people   []*loadPerson

	sent, wrong, refused, admitted, signOuts, disabled, rotations, assertions atomic.Int64
	took                                                                      []time.Duration
	latest                                                                    time.Duration // that somebody was let in after the end
	mu                                                                        sync.Mutex    // of took and latest
	spent                                                                     time.Duration
}

// loadPerson is somebody with a browser, who is logged in, or was.
type loadPerson struct {
	name string
	http *http.Client // the browser: idp's cookies and the site's

	mu     sync.Mutex
	cookie string
	ending bool      // from when somebody began to end the session
	ended  time.Time // when that was done; zero: it goes on
}

func newLoad(b *testing.B, s *stage.Stage) *load {
	b.Helper()
	app := newEcho(b)
	app.forgets = true
	certificate, key := pair(b, elliptic.P256())
	f := newFront(b, strings.TrimPrefix(strings.Replace(s.Issuer, "localhost", "127.0.0.1", 1), "http://"), app.Addr, certificate, key)
	f.nginx(b)
	pem, err := os.ReadFile(certificate)
	must(b, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := func() *http.Transport {
		return &http.Transport{MaxIdleConnsPerHost: benchWorkers, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, DialContext: loopback}
	}
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: transport()})
	l := &load{b: b, s: s, f: f, http: &http.Client{Transport: transport(), Timeout: time.Minute},
		verifier: oidc.NewVerifier(s.Issuer, oidc.NewRemoteKeySet(ctx, s.Issuer+"/jwks"), &oidc.Config{ClientID: "site.localhost", SupportedSigningAlgs: []string{"ES256"}})}
	for i := range loadPeople {
		p := &loadPerson{name: fmt.Sprintf("local%03d", i+1)}
		l.people = append(l.people, p)
		must(b, l.logIn(p, transport()))
	}
	return l
}

// loopback dials this machine, whatever the name.
func loopback(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

// logIn gives a person a new browser, which logs in at idp and then, without a page, at
// the site.
func (l *load) logIn(p *loadPerson, transport *http.Transport) error {
	w := newWorker(l.b, l.s, nil, p.name)
	browser := &http.Client{Jar: w.http.Jar, Transport: transport, Timeout: time.Minute}
	resp, body, err := fetch(browser, http.MethodGet, l.f.URL+"/", nil, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html")
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s does not get in: %d at %s\n%s", p.name, resp.StatusCode, resp.Request.URL, body)
	}
	to, err := url.Parse(l.f.URL)
	if err != nil {
		return err
	}
	var cookies []string
	for _, c := range browser.Jar.Cookies(to) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.http, p.cookie, p.ending, p.ended = browser, strings.Join(cookies, "; "), false, time.Time{}
	return nil
}

func fetch(client *http.Client, method, target string, form url.Values, headers ...string) (*http.Response, string, error) {
	req, err := http.NewRequest(method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// run sends all requests, while people come and go.
func (l *load) run() {
	ctx, cancel := context.WithCancel(l.b.Context())
	var beside, all sync.WaitGroup
	half := len(l.people) / 2
	beside.Go(func() { l.forever(ctx, l.people[:half], l.signOut) })
	beside.Go(func() { l.forever(ctx, l.people[half:], l.disable) })
	beside.Go(func() { l.forever(ctx, l.people[:1], l.rotate) })
	started := time.Now()
	for range benchWorkers {
		all.Go(func() {
			var took []time.Duration
			for l.sent.Add(1) <= loadRequests {
				began := time.Now()
				if err := l.ask(l.people[rand.IntN(len(l.people))]); err != nil {
					l.b.Error(err)
				}
				took = append(took, time.Since(began))
			}
			l.mu.Lock()
			l.took = append(l.took, took...)
			l.mu.Unlock()
		})
	}
	all.Wait()
	l.spent = time.Since(started)
	cancel()
	beside.Wait()
}

func (l *load) forever(ctx context.Context, people []*loadPerson, do func(*loadPerson) error) {
	for i := 0; ctx.Err() == nil; i++ {
		if err := do(people[i%len(people)]); err != nil {
			l.b.Error(err)
			return
		}
	}
}

// ask sends one request as a person's script, and looks at what the application was
// told.
func (l *load) ask(p *loadPerson) error {
	p.mu.Lock()
	cookie, ended, ending := p.cookie, p.ended, p.ending
	p.mu.Unlock()
	began := time.Now()
	resp, body, err := fetch(l.http, http.MethodGet, l.f.URL+"/page?of="+p.name, nil, "Cookie", cookie, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty")
	if err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return l.look(p, ended, began, body)
	case http.StatusUnauthorized:
		l.refused.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		if !ending && !p.ending && p.cookie == cookie {
			return fmt.Errorf("%s is refused, and logged in", p.name)
		}
		return nil
	default:
		return fmt.Errorf("%s is answered %d %s", p.name, resp.StatusCode, body)
	}
}

// look: ended is when the session had ended that the request began with, if it had.
func (l *load) look(p *loadPerson, ended, began time.Time, body string) error {
	n := l.admitted.Add(1)
	var h heard
	if err := json.Unmarshal([]byte(body), &h); err != nil {
		return err
	}
	if got := h.get("Remote-User"); got != p.name {
		l.wrong.Add(1)
		return fmt.Errorf("the application was told of %q where %s asked", got, p.name)
	}
	if n%20 == 0 {
		if err := l.verify(h.get("Remote-Assertion"), p.name); err != nil {
			l.wrong.Add(1)
			return err
		}
	}
	if ended.IsZero() {
		return nil
	}
	late := began.Sub(ended)
	l.mu.Lock()
	l.latest = max(l.latest, late)
	l.mu.Unlock()
	if late > loadLatest {
		return fmt.Errorf("%s is let in %s after the end", p.name, late)
	}
	return nil
}

func (l *load) verify(assertion, name string) error {
	l.assertions.Add(1)
	token, err := l.verifier.Verify(context.Background(), assertion)
	if err != nil {
		return fmt.Errorf("assertion of %s: %w", name, err)
	}
	var claims struct {
		Name string `json:"preferred_username"`
	}
	if err := token.Claims(&claims); err != nil || claims.Name != name {
		return fmt.Errorf("an assertion of %q where %s asked: %w", claims.Name, name, err)
	}
	return nil
}

// ends ends a person's session, lets others try it for more than a second, and logs the
// person in again.
func (l *load) ends(p *loadPerson, end, again func() error) error {
	p.mu.Lock()
	p.ending = true
	p.mu.Unlock()
	if err := end(); err != nil {
		return err
	}
	p.mu.Lock()
	p.ended = time.Now()
	p.mu.Unlock()
	time.Sleep(loadLatest + loadLatest/2)
	if err := again(); err != nil {
		return err
	}
	return l.logIn(p, p.http.Transport.(*http.Transport)) //nolint:forcetypeassert // newLoad's
}

func (l *load) signOut(p *loadPerson) error {
	l.signOuts.Add(1)
	return l.ends(p, func() error {
		_, page, err := fetch(p.http, http.MethodGet, l.s.Issuer+"/end_session", nil)
		if err != nil {
			return err
		}
		resp, body, err := fetch(p.http, http.MethodPost, l.s.Issuer+"/end_session", url.Values{"form_token": {hidden(page, "form_token")}}, "Origin", l.s.Issuer)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("signing %s out: %d %s", p.name, resp.StatusCode, body)
		}
		return err
	}, func() error { return nil })
}

func (l *load) disable(p *loadPerson) error {
	l.disabled.Add(1)
	ctx := context.Background()
	return l.ends(p, func() error { return l.s.Command(ctx, "", "user", "disable", p.name) }, func() error { return l.s.Command(ctx, "", "user", "enable", p.name) })
}

func (l *load) rotate(*loadPerson) error {
	l.rotations.Add(1)
	if err := l.s.Command(context.Background(), "", "key", "rotate"); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	return nil
}

func (l *load) report() {
	if l.admitted.Load() == 0 || l.refused.Load() == 0 || l.signOuts.Load() == 0 || l.disabled.Load() == 0 || l.rotations.Load() == 0 || l.assertions.Load() == 0 {
		l.b.Errorf("nothing came of it: let in %d, refused %d, signed out %d, disabled %d, keys rotated %d, assertions verified %d",
			l.admitted.Load(), l.refused.Load(), l.signOuts.Load(), l.disabled.Load(), l.rotations.Load(), l.assertions.Load())
	}
	slices.Sort(l.took)
	l.b.ReportMetric(0, "ns/op")
	l.b.ReportMetric(float64(len(l.took)), "requests")
	l.b.ReportMetric(float64(len(l.took))/l.spent.Seconds(), "requests/s")
	l.b.ReportMetric(float64(l.took[len(l.took)*99/100].Microseconds())/1000, "p99-ms")
	l.b.ReportMetric(float64(l.wrong.Load()), "wrong-users")
	l.b.ReportMetric(float64(l.latest.Microseconds())/1000, "latest-admission-ms")
	for name, n := range map[string]*atomic.Int64{"let-in": &l.admitted, "refused": &l.refused, "sign-outs": &l.signOuts, "disabled": &l.disabled, "rotations": &l.rotations, "assertions": &l.assertions} {
		l.b.ReportMetric(float64(n.Load()), name)
	}
}
