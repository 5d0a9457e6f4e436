// Package fetch asks the URLs that the configuration or a registration names: the
// keys of a relying party (jwks_uri), the place that takes its logout tokens.
//
// Whoever can name a URL could make the server ask what only it can reach: the
// database beside it, a cloud's metadata, a router (server-side request forgery).
// So every address is judged when it is dialled, after the name was resolved: a
// name that points elsewhere the second time gains nothing. Addresses that are not
// of the public Internet are refused unless the caller allows them; no redirect is
// followed, no proxy of the environment used, no cookie kept, nothing read beyond
// a bound, and nothing waited for beyond a deadline.
//
// The relying parties of a company usually live on private addresses, so whoever
// makes a Fetcher decides, best by where the URL comes from: what an administrator
// wrote may point into the company's networks, what a stranger registered may not.
// One Fetcher for each of the two is the way to say it.
package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

const (
	defaultTimeout  = 5 * time.Second
	defaultMaxBytes = 64 << 10
	maxHeader       = 16 << 10 // bytes of an answer's header
	idleFor         = 30 * time.Second
	maxIdle         = 16
	maxURL          = 2000 // bytes
)

// Config of a Fetcher. The zero value asks the public Internet by https only.
type Config struct {
	// AllowPrivate are networks that may be asked although they are not of the
	// public Internet: 10.0.0.0/8, fc00::/7, 64:ff9b::/96 (NAT64). Loopback addresses
	// that are among them may be asked by plain http too.
	AllowPrivate []netip.Prefix
	// AllowPlain takes plain http to all of AllowPrivate.
	AllowPlain bool
	// RootCAs are who may vouch for a server. Nil: those of the system.
	RootCAs *x509.CertPool

	// MaxBytes bounds the body of an answer; 0: 64 KB.
	MaxBytes int

	timeout time.Duration // bounds everything: name, connection, TLS, answer; 0: 5 s
}

// Fetcher asks URLs. Safe for concurrent use.
type Fetcher struct {
	Config
	secure, plain *http.Client
	resolver      *net.Resolver // nil: the system's
}

// New makes a Fetcher.
func New(c Config) (*Fetcher, error) {
	for _, p := range c.AllowPrivate {
		if !p.IsValid() || p.Addr().Is4In6() {
			return nil, fmt.Errorf("allowed network %q: want one such as 10.0.0.0/8 or fc00::/7", p)
		}
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	f := &Fetcher{Config: c}
	f.secure, f.plain = f.client(f.permit), f.client(f.permitPlain)
	return f, nil
}

// client dials what permit lets through.
func (f *Fetcher) client(permit func(netip.Addr) error) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: f.timeout, ControlContext: control(permit), Resolver: f.resolver}
		return d.DialContext(ctx, network, address)
	}
	return &http.Client{
		Timeout:       f.timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil, // it would dial for us, and judge nothing
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: f.RootCAs},
			TLSHandshakeTimeout:    f.timeout,
			ResponseHeaderTimeout:  f.timeout,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true, // a bound on what is read is one on what it becomes
			IdleConnTimeout:        idleFor,
			MaxIdleConns:           maxIdle,
			MaxIdleConnsPerHost:    1,
		},
	}
}

// Get returns the body of a 200 answer. Errors are *Error.
func (f *Fetcher) Get(ctx context.Context, target string) ([]byte, error) {
	res, err := f.do(ctx, http.MethodGet, target, "", nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fail(target, answered(res.StatusCode), nil)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(f.MaxBytes)+1))
	if err != nil {
		return nil, fail(target, f.why(err), err)
	}
	if len(body) > f.MaxBytes {
		return nil, fail(target, fmt.Sprintf("the answer is longer than %d bytes", f.MaxBytes), nil)
	}
	return body, nil
}

// Post sends body and returns the status of the answer, whose own body is not
// looked at. Errors are *Error: there was no answer.
func (f *Fetcher) Post(ctx context.Context, target, contentType string, body []byte) (status int, err error) {
	res, err := f.do(ctx, http.MethodPost, target, contentType, body)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func (f *Fetcher) do(ctx context.Context, method, target, contentType string, body []byte) (*http.Response, error) {
	if err := Check(target); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fail(target, "the URL is broken", err)
	}
	req.Header.Set("User-Agent", "idp")
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	client := f.secure
	if req.URL.Scheme == "http" {
		client = f.plain
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fail(target, f.why(err), err)
	}
	return res, nil
}

// Check says what is wrong with the form of a URL, before anybody asks it: for
// whoever reads a configuration or a registration. Errors are *Error.
func Check(target string) error {
	u, err := url.Parse(target)
	switch {
	case err != nil || len(target) > maxURL:
		return fail("", "the URL is broken, or longer than 2000 bytes", err)
	case u.Scheme != "https" && u.Scheme != "http":
		return fail(target, "want an https URL", nil)
	case u.Hostname() == "":
		return fail(target, "the URL has no host", nil)
	case !PlainHost(u):
		return fail("", WantedHost, nil)
	case u.User != nil:
		return fail("", "the URL has a user or a password", nil)
	case u.Fragment != "":
		return fail(target, "the URL has a fragment", nil)
	}
	return nil
}
