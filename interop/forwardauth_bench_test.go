//go:build bench

package interop_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"idp/examples/demo/stage"
)

// benchSites are trusted to be asked about from 127.0.0.2, where the benchmark's proxy is.
const benchSites = `trusted_proxies: [127.0.0.2/32]
forward_auth:
  - {host: reports.localhost, groups: [], rules: [{path: /public/, allow: anyone}, {path: /admin/, groups: [admins]}]}
`

// BenchmarkForwardAuth asks about a live session as a proxy does, over kept connections:
// decisions per CPU second of whoever answers, and how long they take. With OAUTH2_PROXY,
// the path of that program, the same is asked of it (/oauth2/auth), which keeps the
// session in the cookie and has this idp as its provider.
func BenchmarkForwardAuth(b *testing.B) {
	bin := b.TempDir()
	if err := stage.Build(b.Context(), bin); err != nil {
		b.Fatal(err)
	}
	for _, db := range []string{"sqlite", "postgres"} {
		b.Run(db, func(b *testing.B) {
			s := benchStage(b, bin, db, fmt.Sprintf(benchClients, "ES256"), benchSites)
			p := &benchProxy{b: b, from: "127.0.0.2", to: strings.Replace(strings.TrimPrefix(s.Issuer, "http://"), "localhost", "127.0.0.1", 1)}
			cookies := make([]string, benchWorkers)
			for i := range cookies {
				cookies[i] = p.logIn(s, newWorker(b, s, nil, fmt.Sprintf("local%03d", i+1)))
			}
			p.measure(s.IDP.Pid(), func(worker int) (string, http.Header) {
				return "http://" + p.to + "/forward-auth", http.Header{"Cookie": {cookies[worker]}, "X-Forwarded-For": {"192.0.2.1"},
					"X-Original-Url": {"https://reports.localhost/page?x=1"}, "X-Original-Method": {"GET"}, "Accept": {"text/html"}}
			})
		})
	}
	if program := os.Getenv("OAUTH2_PROXY"); program != "" {
		b.Run("oauth2-proxy", func(b *testing.B) { benchOAuth2Proxy(b, bin, program) })
	}
}

// benchProxy is a reverse proxy's side.
type benchProxy struct {
	b        *testing.B
	from, to string // addresses; from without a port
}

func (p *benchProxy) client() *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(p.from)}}
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, p.to)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: benchWorkers},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// logIn is the cookie that a browser with a session gets at the site.
func (p *benchProxy) logIn(s *stage.Stage, w *worker) string {
	atSite := func(path, cookie string) *http.Response {
		req, err := http.NewRequestWithContext(p.b.Context(), http.MethodGet, "http://"+p.to+path, nil)
		if err != nil {
			p.b.Fatal(err)
		}
		req.Header = http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"reports.localhost"}, "X-Forwarded-For": {"192.0.2.1"}, "Cookie": {cookie}}
		resp, err := p.client().Do(req)
		if err != nil {
			p.b.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	start := atSite("/.idp/start?to=/", "")
	verifier, _, _ := strings.Cut(start.Header.Get("Set-Cookie"), ";")
	authorize, _, err := w.send(http.MethodGet, strings.TrimPrefix(start.Header.Get("Location"), s.Issuer), nil, nil)
	if err != nil {
		p.b.Fatal(err)
	}
	callback, err := authorize.Location()
	if err != nil {
		p.b.Fatalf("%d", authorize.StatusCode)
	}
	for _, c := range atSite(callback.RequestURI(), verifier).Cookies() {
		if c.Name == "__Host-idp_site" {
			return c.Name + "=" + c.Value
		}
	}
	p.b.Fatal("no cookie of the site")
	return ""
}

// measure asks from all workers for a while. Whoever is asked has the process id pid.
func (p *benchProxy) measure(pid int, question func(worker int) (string, http.Header)) {
	var mu sync.Mutex
	var all sync.WaitGroup
	var took []time.Duration
	client := p.client()
	before, started := cpuSeconds(p.b, pid), time.Now()
	for i := range benchWorkers {
		all.Go(func() {
			var mine []time.Duration
			for time.Since(started) < benchMeasured {
				address, header := question(i)
				req, err := http.NewRequestWithContext(p.b.Context(), http.MethodGet, address, nil)
				if err != nil {
					p.b.Error(err)
					return
				}
				req.Header = header
				asked := time.Now()
				resp, err := client.Do(req)
				if err != nil {
					p.b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				mine = append(mine, time.Since(asked))
				if resp.StatusCode/100 != 2 {
					p.b.Errorf("%d %s", resp.StatusCode, resp.Header.Get("Idp-Reason"))
					return
				}
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
		})
	}
	all.Wait()
	slices.Sort(took)
	if len(took) == 0 {
		return
	}
	p.b.ReportMetric(0, "ns/op")
	p.b.ReportMetric(float64(len(took))/(cpuSeconds(p.b, pid)-before), "decisions/CPU-s")
	p.b.ReportMetric(float64(len(took))/time.Since(started).Seconds(), "decisions/s")
	p.b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	p.b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// benchOAuth2Proxy asks oauth2-proxy as nginx does, after a login of a person there.
func benchOAuth2Proxy(b *testing.B, bin, program string) {
	b.Helper()
	const address = "127.0.0.1:18198"
	s := benchStage(b, bin, "sqlite", `  - client_id: o2p
    client_secret_file: bench.secret
    redirect_uris: ["http://`+address+`/oauth2/callback"]
`)
	cmd := exec.CommandContext(b.Context(), program, "--http-address="+address, "--provider=oidc", "--oidc-issuer-url="+s.Issuer, "--client-id=o2p", "--client-secret="+benchSecret,
		"--redirect-url=http://"+address+"/oauth2/callback", "--cookie-secret=0123456789abcdef0123456789abcdef", "--cookie-secure=false", "--email-domain=*", "--oidc-email-claim=sub",
		"--upstream=static://202", "--set-xauthrequest", "--skip-provider-button", "--code-challenge-method=S256", "--scope=openid profile email", "--insecure-oidc-allow-unverified-email=true")
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	w := newWorker(b, s, nil, "local001")
	jar := w.http.Jar.(*cookiejar.Jar) //nolint:forcetypeassert // newWorker's
	browser := &http.Client{Jar: jar, Timeout: time.Minute}
	var resp *http.Response
	for range 100 {
		if resp, err = browser.Get("http://" + address + "/"); err == nil {
			_ = resp.Body.Close()
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil || resp.StatusCode != http.StatusAccepted {
		text, _ := os.ReadFile(log.Name())
		b.Fatalf("%v %+v\n%s", err, resp, text)
	}
	var cookies []string
	at, err := url.Parse("http://" + address)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range jar.Cookies(at) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	p := &benchProxy{b: b, from: "127.0.0.1", to: address}
	p.measure(cmd.Process.Pid, func(int) (string, http.Header) {
		return "http://" + address + "/oauth2/auth", http.Header{"Cookie": {strings.Join(cookies, "; ")}, "Accept": {"text/html"}}
	})
}
