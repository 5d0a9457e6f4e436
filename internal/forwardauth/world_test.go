package forwardauth_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// proxyAddress is the one that the server trusts; the browsers of the tests come from
// another.
const proxyAddress = "127.0.0.2"

// sites is the configuration of the tests.
const sites = `trusted_proxies: [127.0.0.2/32]
forward_auth:
  - host: reports.localhost
    name: Reports
    groups: [partners]
    rules:
      - {path: /public/, allow: anyone}
      - {path: /admin/, groups: [admins]}
      - {path: /safe/, acr: mfa}
      - {path: /inside/, networks: [10.0.0.0/8]}
  - host: open.localhost
`

// site is a protected one: a proxy, and an application behind it that shows the head of
// the request it got.
type site struct {
	*httptest.Server
	URL    string
	idp    *idptest.Server
	client *http.Client // of the proxy, which comes from proxyAddress
	seen   string       // where the proxy sees its clients

	forgets bool // the proxy asks without the browser's cookies
}

// protect puts a proxy in front of an application. It says what a proxy should: the
// host is not the one that its client names.
func protect(t testing.TB, s *idptest.Server, host string) *site {
	t.Helper()
	transport := idptest.Transport()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(proxyAddress)}}
		return d.DialContext(ctx, network, strings.Replace(strings.TrimPrefix(s.Issuer, "http://"), "idp.localhost", "127.0.0.1", 1))
	}
	p := &site{idp: s, seen: "127.0.0.1", client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	_, port, _ := net.SplitHostPort(p.Listener.Addr().String())
	p.URL = "http://" + host + ":" + port
	return p
}

func (p *site) serve(w http.ResponseWriter, r *http.Request) {
	host := strings.TrimPrefix(p.URL, "http://")
	if strings.HasPrefix(r.URL.Path, "/.idp/") {
		target, _ := url.Parse(p.idp.Issuer)
		rp := httputil.ReverseProxy{Transport: p.client.Transport, Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(target)
			pr.Out.Header.Set("X-Forwarded-For", p.seen)
			pr.Out.Header.Set("X-Forwarded-Proto", "http")
			pr.Out.Header.Set("X-Forwarded-Host", host)
		}}
		rp.ServeHTTP(w, r)
		return
	}
	header := r.Header.Clone()
	header.Set("X-Original-URL", "http://"+host+r.RequestURI)
	header.Set("X-Original-Method", r.Method)
	if p.forgets {
		header.Del("Cookie")
	}
	answer := p.ask(r.Context(), header)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode == http.StatusUnauthorized && answer.Header.Get("Location") != "" {
		http.Redirect(w, r, answer.Header.Get("Location"), http.StatusSeeOther)
		return
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.Header().Del("Content-Length") // of the answer, which the application's own body follows
	w.WriteHeader(answer.StatusCode)
	if answer.StatusCode == http.StatusOK {
		_, _ = fmt.Fprintf(w, "application %s", r.RequestURI)
	}
}

// ask sends the question with these headers.
func (p *site) ask(ctx context.Context, header http.Header) *http.Response {
	return p.askAt(ctx, http.MethodGet, "/forward-auth", header)
}

func (p *site) askAt(ctx context.Context, method, path string, header http.Header) *http.Response {
	req, err := http.NewRequestWithContext(ctx, method, p.idp.Issuer+path, nil)
	if err != nil {
		panic(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	if req.Header.Get("X-Forwarded-For") == "" {
		req.Header.Set("X-Forwarded-For", p.seen)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		panic(err)
	}
	return resp
}

// browser follows redirects between the server and the sites.
func browser(t testing.TB, s *idptest.Server, to ...*site) *idptest.Browser {
	t.Helper()
	b := s.Browser(t)
	for _, p := range to {
		b.Also = append(b.Also, p.URL)
	}
	return b
}

// bobAt is a browser in which bob has logged in at a site.
func bobAt(t testing.TB, s *idptest.Server, p *site) *idptest.Browser {
	t.Helper()
	b := browser(t, s, p)
	page := b.LogIn(b.Get(p.URL+"/q?x=1&y=a%20b"), "bob", idptest.BobPassword)
	if page.StatusCode != http.StatusOK || page.Body != "application /q?x=1&y=a%20b" {
		t.Fatalf("walked %s: status %d\n%s", page.Walked, page.StatusCode, page.Body)
	}
	return b
}
