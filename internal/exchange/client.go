package exchange

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Bounds of talking to an issuer.
const (
	timeout   = 20 * time.Second
	maxAnswer = 1 << 20  // bytes of a body
	maxHeader = 64 << 10 // bytes
)

// checkIssuer refuses what no ticket is sent to: over plain http, somebody on the way
// could take the token, so only this machine is asked by it.
func checkIssuer(issuer string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(issuer, "/"))
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q is not an issuer: want its URL, such as https://sso.example.com", issuer)
	case u.Scheme == "https" || u.Scheme == "http" && local(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("%s: want https (http only on this machine)", issuer)
}

// local: RFC 6761 §6.3, as browsers and curl have it.
func local(host string) bool {
	a, err := netip.ParseAddr(host)
	return isLocalhost(host) || err == nil && a.IsLoopback()
}

func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// client asks one issuer.
type client struct{ http *http.Client }

func newClient() client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && isLocalhost(host) {
			return dialLoopback(ctx, port)
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	return client{&http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: func(r *http.Request) (*url.URL, error) {
				if local(r.URL.Hostname()) {
					return nil, nil //nolint:nilnil // no proxy
				}
				return http.ProxyFromEnvironment(r)
			},
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			MaxResponseHeaderBytes: maxHeader,
		},
	}}
}

// dialLoopback: not every resolver knows these names, and one must not be able to
// lead plain http elsewhere.
func dialLoopback(ctx context.Context, port string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		if c, other := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("::1", port)); other == nil {
			return c, nil
		}
	}
	return c, err
}

// discover finds the token endpoint (OpenID Connect Discovery §4), and the certificate
// that the issuer shows, nil without TLS.
func (c client) discover(ctx context.Context, issuer *url.URL) (endpoint string, cert *x509.Certificate, err error) {
	where := issuer.String() + "/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return "", nil, err
	}
	res, err := c.do(req)
	if err != nil {
		return "", nil, err
	}
	var found struct {
		Issuer string `json:"issuer"`
		Token  string `json:"token_endpoint"`
	}
	if res.status != http.StatusOK || json.Unmarshal(res.body, &found) != nil {
		return "", nil, fmt.Errorf("%s answers %d, and no discovery document: is this the issuer?", where, res.status)
	}
	if found.Issuer != issuer.String() { // §4.3
		return "", nil, fmt.Errorf("the issuer is called %q, not %s: take its own name", printable(found.Issuer), issuer)
	}
	u, err := url.Parse(found.Token)
	if err != nil || u.Scheme != issuer.Scheme || u.Host != issuer.Host || u.User != nil {
		return "", nil, fmt.Errorf("the token endpoint %q is not at the issuer: no ticket is sent there", printable(found.Token))
	}
	return u.String(), res.cert, nil
}

func (c client) post(ctx context.Context, endpoint string, form url.Values, authorization string) (*response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", authorization)
	return c.do(req)
}

// response is an answer whose body was read.
type response struct {
	status int
	header http.Header
	cert   *x509.Certificate // the server's own; nil without TLS
	body   []byte
}

// do reads the body to its end, so that the connection, and with it the certificate,
// stays the same.
func (c client) do(req *http.Request) (*response, error) {
	req.Header.Set("User-Agent", "idp")
	req.Header.Set("Accept", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", req.URL, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("%s: an answer of more than 1 MB", req.URL)
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return nil, fmt.Errorf("%s leads to %s; no ticket goes elsewhere: name the issuer as it names itself", req.URL, printable(res.Header.Get("Location")))
	}
	r := &response{status: res.StatusCode, header: res.Header, body: body}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		r.cert = res.TLS.PeerCertificates[0]
	}
	return r, nil
}

// explain adds what to do about a certificate that is not believed.
func explain(err error) error {
	if errors.As(err, new(*tls.CertificateVerificationError)) {
		return fmt.Errorf("%w (of a company's own authority? SSL_CERT_FILE=ca.pem names it)", err)
	}
	return err
}

// printable is a stranger's text for a terminal, which control characters would command.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
