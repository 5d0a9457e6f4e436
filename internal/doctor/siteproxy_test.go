package doctor_test

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
	"idp/internal/server"
)

// siteProxy is in front of a site, with idp behind it. It does as a proxy should, but for
// fault.
type siteProxy struct {
	site, idp *url.URL
	transport http.RoundTripper
	fault     func(question bool, h http.Header) // changes what idp is told; nil: nothing
}

func (p *siteProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	question := !strings.HasPrefix(r.URL.Path, "/.idp/")
	proxy := httputil.ReverseProxy{Transport: p.transport, Rewrite: func(pr *httputil.ProxyRequest) {
		pr.SetURL(p.idp)
		h := pr.Out.Header
		h.Set("X-Forwarded-For", "192.0.2.1")
		h.Set("X-Forwarded-Proto", p.site.Scheme)
		h.Set("X-Forwarded-Host", p.site.Host)
		if question {
			pr.Out.URL.Path = "/forward-auth"
			h.Set("X-Original-URL", p.site.String()+pr.In.RequestURI)
			h.Set("X-Original-Method", pr.In.Method)
		}
		if p.fault != nil {
			p.fault(question, h)
		}
	}, ModifyResponse: func(resp *http.Response) error {
		resp.Header.Set("Server", "nginx/1.22")
		if question && resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("Location") != "" {
			resp.StatusCode = http.StatusSeeOther
		}
		return nil
	}}
	proxy.ServeHTTP(w, r)
}

// from is a transport whose connections come from an address.
func from(address string) http.RoundTripper {
	transport := idptest.Transport()
	transport.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		_, port, _ := net.SplitHostPort(to)
		return d.DialContext(ctx, network, "127.0.0.1:"+port)
	}
	return transport
}

// protect is an installation whose server runs and protects a site, with its proxy in
// front. more is of the site's entry, name its host where that is not the proxy's own.
func protect(t *testing.T, scheme, more string, name ...string) (*installation, *siteProxy, *idptest.Server) {
	t.Helper()
	p := &siteProxy{transport: from("127.0.0.2")}
	front := httptest.NewUnstartedServer(p)
	host := "reports.localhost:" + port(front.Listener.Addr())
	s := idptest.Start(t, idptest.Options{YAML: fmt.Sprintf("trusted_proxies: [127.0.0.2/32]\nforward_auth:\n  - host: %s\n%s", append(name, host)[0], more)})
	p.site, _ = url.Parse(scheme + "://" + host)
	p.idp, _ = url.Parse(s.Issuer)
	if scheme == "https" {
		front.StartTLS()
	} else {
		front.Start()
	}
	t.Cleanup(front.Close)
	in := newInstallation(t)
	c := server.Doctor(s.Config(), nil, "idp test")
	in.Issuer, in.Listen, in.TrustedProxies, in.Sites, in.Resolver = c.Issuer, c.Listen, c.TrustedProxies, c.Sites, resolver(t, zone{})
	return in, p, s
}

// TestSiteBehindAProxyThatErrs: what a proxy may do wrong, in front of the server itself.
func TestSiteBehindAProxyThatErrs(t *testing.T) {
	in, p, _ := protect(t, "http", "")
	host := p.site.Host
	onlyQuestion := func(do func(http.Header)) func(bool, http.Header) {
		return func(question bool, h http.Header) {
			if question {
				do(h)
			}
		}
	}
	for _, c := range []struct {
		name  string
		fault func(question bool, h http.Header)
		want  string
		hint  string
	}{
		{"none", nil, "ok http://" + host + ": its proxy leads to idp, and strangers to the login", ""},
		{"no address in the question", onlyQuestion(func(h http.Header) { h.Del("X-Original-URL") }),
			"failed http://" + host + "/: a header is missing in what the proxy tells idp, or two contradict each other (CONTRADICTORY): nobody is let in", "X-Original-URL http://$idp_site$request_uri"},
		{"an address that contradicts", onlyQuestion(func(h http.Header) { h.Set("X-Forwarded-Proto", "https") }), "failed (CONTRADICTORY)", "X-Original-URL"},
		{"another host", func(_ bool, h http.Header) {
			h.Set("X-Forwarded-Host", "other.localhost")
			h.Del("X-Original-URL")
		}, "failed http://" + host + "/.idp/start: the proxy tells idp of a host that is not " + host, "set $idp_site " + host},
		{"another host in the question", onlyQuestion(func(h http.Header) {
			h.Set("X-Forwarded-Host", "other.localhost")
			h.Set("X-Original-URL", "http://other.localhost/")
		}), "failed http://" + host + "/: the proxy tells idp of a host that is not " + host, "journalctl -u idp | grep UNKNOWN_SITE"},
		{"no scheme", func(_ bool, h http.Header) { h.Del("X-Forwarded-Proto") }, "failed does not tell idp that browsers come by http (INSECURE)", "X-Forwarded-Proto http"},
		{"https below /.idp/", func(question bool, h http.Header) {
			if !question {
				h.Set("X-Forwarded-Proto", "https")
			}
		}, "failed http://" + host + ": a login there leads back to https://" + host + ", by what the proxy tells idp: nobody comes back", "X-Forwarded-Proto http"},
		{"no cookies in the question", onlyQuestion(func(h http.Header) { h.Del("Cookie") }), "failed http://" + host + "/: the proxy does not pass Cookie on to idp: nobody stays logged in", "nginx (site.conf): proxy_set_header Cookie $http_cookie"},
		{"no cookies below /.idp/", func(question bool, h http.Header) {
			if !question {
				h.Del("Cookie")
			}
		}, "failed http://" + host + "/.idp/start: the proxy does not pass Cookie on to idp", "nginx (site.conf): proxy_set_header Cookie $http_cookie"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in.t, p.fault = t, c.fault
			wants(t, in.say("sites")[:1], c.want)
			if c.hint != "" && !strings.Contains(in.hint("sites"), c.hint) {
				t.Errorf("the hint is %s", in.hint("sites"))
			}
		})
	}
}

// TestSiteOnAPort: where browsers see a port, and forward_auth names none.
func TestSiteOnAPort(t *testing.T) {
	in, p, _ := protect(t, "http", "", "reports.localhost")
	in.Sites[0].Origin = "http://reports.localhost:1"
	wants(t, in.say("sites")[:1], "warning http://reports.localhost:1 does not answer")
	if hint := in.hint("sites"); strings.Contains(hint, "host:") {
		t.Errorf("the hint is %s", hint)
	}
	in.Sites[0].Origin = "https://nowhere.example.com"
	if hint := in.hint("sites"); !strings.Contains(hint, "host: nowhere.example.com:8443") {
		t.Errorf("the hint is %s", hint)
	}
	in.Sites[0].Origin = p.site.String()
	wants(t, in.say("sites")[:1], "ok its proxy leads to idp")
	p.fault = func(_ bool, h http.Header) { h.Set("X-Forwarded-Host", "reports.localhost:9") }
	wants(t, in.say("sites")[:1], "warning a login there leads back to another port, reports.localhost:9")
	if hint := in.hint("sites"); !strings.Contains(hint, "host: reports.localhost:9 in forward_auth") {
		t.Errorf("the hint is %s", hint)
	}
}

// TestSiteByHTTPS: on this machine a site may be https, and the issuer not.
func TestSiteByHTTPS(t *testing.T) {
	in, p, _ := protect(t, "https", "    rules: [{path: /, allow: anyone}]\n")
	wants(t, in.say("sites")[:1], "ok https://"+p.site.Host+": its proxy leads to idp; the first page is open to anyone")
	p.fault = func(_ bool, h http.Header) { h.Del("Cookie") }
	wants(t, in.say("sites")[:1], "failed https://"+p.site.Host+"/.idp/start: the proxy does not pass Cookie on to idp")
}

// TestSiteWithoutIdp: where idp does not run, a site's line does not say that its proxy is
// wrong; where the proxy alone does not reach it, it does.
func TestSiteWithoutIdp(t *testing.T) {
	in, p, s := protect(t, "http", "")
	elsewhere, _ := url.Parse("http://127.0.0.1:1")
	right := p.idp
	p.idp = elsewhere
	wants(t, in.say("sites")[:1], "failed its proxy gets no answer from idp, which runs (502): nobody can log in")
	if hint := in.hint("sites"); !strings.Contains(hint, in.Listen) {
		t.Errorf("the hint is %s", hint)
	}
	p.idp = right
	s.Close()
	wants(t, in.say("sites"), "warning its proxy runs, and gets no answer from idp (502)")
}

// TestSiteOfAProxyNobodyNamed: where only this machine reaches idp, the address of the
// proxy is known.
func TestSiteOfAProxyNobodyNamed(t *testing.T) {
	in, p, _ := protect(t, "http", "")
	p.transport = from("127.0.0.3")
	wants(t, in.say("sites")[:1], "failed idp does not know the proxy, and answers it nothing (PROXY_NOT_TRUSTED)")
	if hint := in.hint("sites"); !strings.Contains(hint, "127.0.0.1/32") {
		t.Errorf("the hint is %s", hint)
	}
	in.Listen = ":" + strings.TrimPrefix(in.Listen, "127.0.0.1:")
	if hint := in.hint("sites"); !strings.Contains(hint, "grep 'not in trusted_proxies'") {
		t.Errorf("the hint is %s", hint)
	}
}

// TestQuestionsAtTheIssuer: the proxy in front of the issuer itself, which is trusted, has
// to keep from idp what proxies ask.
func TestQuestionsAtTheIssuer(t *testing.T) {
	in, p, _ := protect(t, "http", "")
	forward := &httputil.ReverseProxy{Transport: p.transport, Rewrite: func(pr *httputil.ProxyRequest) {
		pr.SetURL(p.idp)
		pr.SetXForwarded()
	}}
	direct := in.Config
	for _, c := range []struct {
		name  string
		keeps func(r *http.Request) bool // from idp
		want  string
	}{
		{"nothing", func(*http.Request) bool { return false }, "warning /forward-auth reaches idp (403 CONTRADICTORY): anybody may ask"},
		{"the path as it was sent", func(r *http.Request) bool { return strings.HasPrefix(r.RequestURI, "/forward-auth") }, "warning /%66orward-auth reaches idp (403 CONTRADICTORY)"},
		{"this path alone", func(r *http.Request) bool { return r.URL.Path == "/forward-auth" }, "warning /forward-auth/../ reaches idp (403 CONTRADICTORY)"},
		{"all", func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/forward-auth") }, "ok nobody can ask there in a proxy's name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in.t, in.Config = t, direct
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.keeps(r) {
					http.NotFound(w, r)
					return
				}
				renamed(in, forward).ServeHTTP(w, r)
			}))
			defer front.Close()
			in.reach("gate.localhost", "http", front)
			wants(t, in.say("sites")[1:], c.want) // the first is about the site, whose issuer has another name
		})
	}
	in.t, in.Config = t, direct
	wants(t, in.say("sites"), "ok", "ok nobody can ask there in a proxy's name")
	in.TrustedProxies = ranges("127.0.0.0/8") // so this machine asks idp as a proxy would, and others may not
	wants(t, in.say("sites"), "ok http://reports.localhost:")
}

// TestSiteThatIsNotForThisMachine: doctor is outside of the site's networks, which says
// nothing about others.
func TestSiteThatIsNotForThisMachine(t *testing.T) {
	in, _, _ := protect(t, "http", "    networks: [10.0.0.0/8]\n")
	wants(t, in.say("sites")[:1], "warning is not for this machine (NETWORK)")
}
