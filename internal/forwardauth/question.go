package forwardauth

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"idp/internal/forwardauth/sites"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/visitor"
	"idp/internal/web"
)

// maxURL bounds the address that is asked about, in bytes.
const maxURL = 16 << 10

// question is what a proxy asks: may this request pass?
type question struct {
	site   *sites.Site
	origin *url.URL // of the site as its browser sees it; scheme and host only
	target string   // path and query, as they were sent
	method string

	redirects bool // the proxy passes our answer on as it is: a login begins with a redirect
}

// path is that of the target, as it was sent.
func (q *question) path() string { return withoutQuery(q.target) }

// withoutQuery leaves out what may hold secrets, and is nobody's to judge.
func withoutQuery(target string) string {
	p, _, _ := strings.Cut(target, "?")
	return p
}

// asked is what one family of headers says of a request; empty: nothing.
type asked struct{ proto, host, target, method string }

// read finds out what is asked. Whoever asks is a proxy that we trust; what it was sent
// by its client is not: a header that the proxy does not set itself is passed on as it
// came. So all that say something have to say the same.
func (f *ForwardAuth) read(r *http.Request) (*question, error) {
	if !web.InfoFrom(r.Context()).Proxied {
		return nil, refusal{reason.SiteProxy, "asked by a peer that is not in trusted_proxies"}
	}
	families := []func(*http.Request) (asked, error){original, forwarded}
	own, wraps := wrapped(r)
	q := asked{}
	if wraps {
		q = own
	}
	for _, family := range families {
		said, err := family(r)
		if err != nil {
			return nil, err
		}
		if err := q.agree(said); err != nil {
			return nil, err
		}
	}
	if q.target == "" || q.method == "" {
		return nil, refusal{reason.SiteContradictory, "neither X-Original-URL and X-Original-Method nor X-Forwarded-Uri, -Host, -Proto and -Method"}
	}
	if strings.Contains(q.target, "#") { // no request has one (RFC 9112 §3.2); some programs end a path there
		return nil, refusal{reason.SitePath, "the address has a #"}
	}
	if q.target[0] != '/' { // absolute-form, or *: RFC 9112 §3.2
		return nil, refusal{reason.SiteContradictory, "the address is no path: " + web.Quote(withoutQuery(q.target))}
	}
	found, err := f.at(q.proto, q.host)
	if err != nil {
		return nil, err
	}
	found.target, found.method = q.target, q.method
	found.redirects = wraps || r.URL.Query().Has("redirect")
	return found, nil
}

// agree takes over what is not known yet; the rest has to be the same.
func (a *asked) agree(b asked) error {
	for _, one := range []struct {
		name string
		have *string
		said string
	}{
		{"scheme", &a.proto, b.proto}, {"host", &a.host, b.host}, {"address", &a.target, b.target}, {"method", &a.method, b.method},
	} {
		switch {
		case *one.have == "":
			*one.have = one.said
		case one.said != "" && one.said != *one.have:
			return refusal{reason.SiteContradictory, fmt.Sprintf("two headers tell of another %s: %s and %s", one.name, web.Quote(withoutQuery(*one.have)), web.Quote(withoutQuery(one.said)))}
		}
	}
	return nil
}

var defaultPorts = map[string]string{"https": "443", "http": "80"}

// at is a site by the scheme and host that its browser uses.
func (f *ForwardAuth) at(proto, host string) (*question, error) {
	host = strings.ToLower(host)
	if strings.Contains(host, ":") {
		if _, port, err := net.SplitHostPort(host); err == nil && port == defaultPorts[proto] {
			host = strings.TrimSuffix(host, ":"+port)
		}
	}
	site := f.sites.Find(host)
	if site == nil {
		return nil, refusal{reason.SiteUnknown, "no site of forward_auth is " + web.Quote(host)}
	}
	if proto != "https" && (proto != "http" || !sites.Local(host)) {
		return nil, refusal{reason.SiteInsecure, "the site was reached by " + web.Quote(proto)}
	}
	return &question{site: site, origin: &url.URL{Scheme: proto, Host: host}}, nil
}

// one is the value of a header that comes at most once.
func one(h http.Header, name string) (string, error) {
	switch values := h[name]; {
	case len(values) == 0:
		return "", nil
	case len(values) > 1 || len(values[0]) > maxURL:
		return "", refusal{reason.SiteContradictory, name + " comes twice, or is too long"}
	default:
		return values[0], nil
	}
}

// saying is a header, and where what it says goes.
type saying struct {
	name string
	into *string
}

// all reads several headers that come at most once each.
func all(h http.Header, headers ...saying) (err error) {
	for _, s := range headers {
		if *s.into, err = one(h, s.name); err != nil {
			return err
		}
	}
	return nil
}

// from is who asks for the page, as its proxy says.
func (q *question) from(r *http.Request) policy.From {
	return visitor.At(r, q.site.Host)
}

// navigation reports whether somebody opens a page, who can be sent to log in.
func (q *question) navigation(r *http.Request) bool {
	as := *r
	as.Method = q.method
	return web.Navigation(&as) && web.ShowsPages(r)
}

// origin of a protected site as a browser sees it, such as https://reports.example.com.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }
