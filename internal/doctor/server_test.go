package doctor_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// running is an installation whose server runs.
func running(t *testing.T) (*installation, *idptest.Server) {
	s := idptest.Start(t, idptest.Options{})
	c := s.Config()
	in := newInstallation(t)
	in.Issuer, in.Listen, in.Database, in.SecretKeyFile = c.Issuer, c.Listen, c.Database, c.SecretKeyFile
	in.Resolver = resolver(t, zone{})
	return in, s
}

func TestRunningServer(t *testing.T) {
	in, s := running(t)
	wants(t, in.say("server"), "ok http://idp.localhost:")
	in.withKerberos()
	wants(t, in.say("server"), "ok answers, and is idp", "ok headers of 64 KB")
	in.Issuer = "http://sso.localhost:1"
	wants(t, in.say("server"), "failed idp runs and answers on 127.0.0.1:")
	s.Close()
	wants(t, in.say("server"), "warning idp does not run")
}

// TestProxiesInFront: a real reverse proxy with the faults that proxies have.
func TestProxiesInFront(t *testing.T) {
	in, _ := running(t)
	in.withKerberos()
	real := in.Issuer
	backend, err := url.Parse("http://" + in.Listen)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(backend) },
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Via", "1.1 gate")
			r.Header.Set("Server", "nginx")
			return nil
		},
	}
	// The server behind still calls itself by the name it was started with.
	rename := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/.well-known/") {
				fmt.Fprintf(w, `{"issuer":%q}`, in.Issuer)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	status := func(code int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	for _, c := range []struct {
		name    string
		handler http.Handler
		headers int // bytes
		want    []string
	}{
		{"as it should be", rename(forward), 1 << 20, []string{"ok in between: Server nginx, Via 1.1 gate", "ok headers of 64 KB"}},
		{"small headers", rename(forward), 8 << 10, []string{"ok in between", "failed a header of 64 KB, as a ticket of somebody in many groups has, is answered 431"}},
		{"cannot reach idp", status(http.StatusBadGateway), 0, []string{"failed a proxy answers 502: it does not reach idp"}},
		{"another host", http.NotFoundHandler(), 0, []string{"failed answers 404, and not as idp does"}},
		{"redirects", http.RedirectHandler("https://www.example.com/", http.StatusFound), 0, []string{"failed is redirected to https://www.example.com/"}},
		{"another idp", forward, 1 << 20, []string{fmt.Sprintf("failed says that it is %q", real)}},
		{"not ready", rename(status(http.StatusServiceUnavailable)), 1 << 20, []string{"warning is idp, and is not ready"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(c.handler)
			srv.Config.MaxHeaderBytes = c.headers
			srv.Start()
			defer srv.Close()
			in.t = t
			in.reach("gate.localhost", "http", srv)
			wants(t, in.say("server"), c.want...)
		})
	}
}

// TestIssuerAndListen: what people type against where idp listens.
func TestIssuerAndListen(t *testing.T) {
	ca := newAuthority(t)
	for _, c := range []struct {
		name, issuer, listen string
		tls                  bool
		trusted              []netip.Prefix
		address              string
		want                 []string
	}{
		{"on this machine alone", "http://localhost:8080", "127.0.0.1:8080", false, nil, "", []string{"ok localhost is 127.0.0.1: this machine"}},
		{"for this machine, heard by all", "http://localhost:8080", ":8080", false, nil, "", []string{"warning is for this machine only, and idp listens on :8080", "ok this machine"}},
		{"http in front of TLS", "http://localhost:8080", "127.0.0.1:8080", true, nil, "", []string{"failed the issuer is http, and idp speaks TLS", "ok this machine"}},
		{"another port", "http://localhost:8080", "127.0.0.1:8081", false, nil, "", []string{"warning people go to port 8080 of localhost, idp listens on port 8081", "ok this machine"}},
		{"behind a proxy elsewhere", "https://sso.example.com", ":8080", false, ranges("127.9.0.0/16"), "127.9.0.7",
			[]string{"warning idp speaks plain HTTP on :8080", "warning everybody else is sent to their own machine"}},
		{"a proxy that is trusted", "https://sso.example.com", "127.0.0.1:8080", false, ranges("203.0.113.7/32"), "203.0.113.7", []string{"ok sso.example.com is 203.0.113.7: a trusted proxy"}},
		{"a load balancer", "https://sso.example.com", "127.0.0.1:8080", false, ranges("203.0.113.8/32"), "203.0.113.7", []string{"ok not this machine, so a proxy or load balancer"}},
		{"another machine", "https://sso.example.com", ":443", true, nil, "203.0.113.7", []string{"warning sso.example.com is 203.0.113.7, which is not this machine"}},
		{"another address of this machine", "https://sso.localhost:8443", "127.0.0.2:8443", true, nil, "", []string{"failed sso.localhost is 127.0.0.1, and idp listens on 127.0.0.2:8443 only"}},
		{"not in the DNS", "https://sso.example.com", ":443", true, nil, "", []string{"failed sso.example.com is not in the DNS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newInstallation(t)
			in.Issuer, in.Listen, in.TrustedProxies = c.issuer, c.listen, c.trusted
			z := zone{}
			if c.address != "" {
				z["sso.example.com A"] = []string{c.address}
			}
			in.Resolver = resolver(t, z)
			if c.tls {
				in.withTLS(ca.issue(sso, nil))
			}
			wants(t, in.say("issuer"), c.want...)
		})
	}
}
