// Package look is the doctor's eyes: it asks URLs and the DNS as the clients of an
// installation do, and says who may read a file. It judges nothing and changes nothing.
package look

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// PerAsk bounds one question to the network.
const PerAsk = 3 * time.Second

// Network is what this machine sees.
type Network struct{ Resolver *net.Resolver }

// Answer is what a URL answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Get asks without a proxy of the environment and without following redirects.
// Whether the certificate is good is another check's question; nothing is sent
// here, and nothing believed that could do harm.
func (w Network) Get(ctx context.Context, to string, header ...string) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, PerAsk)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DialContext: w.Dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // see above
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return &Answer{resp.StatusCode, resp.Header, body}, err
}

// Dial resolves as browsers do: *.localhost is loopback.
func (w Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Resolver: w.Resolver}
	host, port, err := net.SplitHostPort(address)
	if err != nil || !strings.HasSuffix("."+host, ".localhost") {
		return d.DialContext(ctx, network, address)
	}
	conn, err := d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return d.DialContext(ctx, network, net.JoinHostPort("::1", port))
	}
	return conn, nil
}

// Certificates are those that an address shows to who asks for a name, its own first.
func (w Network) Certificates(ctx context.Context, address, name string) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, PerAsk)
	defer cancel()
	conn, err := w.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	tc := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // looking at it is the question
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("no TLS handshake: %w", err)
	}
	return tc.ConnectionState().PeerCertificates, nil
}

// bare takes the URL off an error of net/http: the line names it already.
func bare(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
