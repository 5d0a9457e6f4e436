package doctor

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
)

// answer is what a URL answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// get asks without a proxy of the environment and without following redirects.
// Whether the certificate is good is another check's question; nothing is sent
// here, and nothing believed that could do harm.
func (e *exam) get(ctx context.Context, to string, header ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, perAsk)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DialContext: e.dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // see above
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return &answer{resp.StatusCode, resp.Header, body}, err
}

// dial resolves as browsers do: *.localhost is loopback.
func (e *exam) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Resolver: e.Resolver}
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

// handshake returns the certificates that the issuer's address shows.
func (e *exam) handshake(ctx context.Context) ([]*x509.Certificate, error) {
	if e.issuer.Scheme != "https" {
		return nil, errors.New("the issuer is not https")
	}
	ctx, cancel := context.WithTimeout(ctx, perAsk)
	defer cancel()
	conn, err := e.dial(ctx, "tcp", net.JoinHostPort(e.issuer.Hostname(), issuerPort(e)))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	tc := tls.Client(conn, &tls.Config{ServerName: e.issuer.Hostname(), InsecureSkipVerify: true}) //nolint:gosec // looking at it is the question
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
