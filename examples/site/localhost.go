package main

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"
)

// localhostTransport connects names below "localhost" to this machine, as
// RFC 6761 §6.3 has it and browsers do; most resolvers do not. The demo needs it
// (http://idp.localhost:8080); a real site uses http.DefaultTransport.
func localhostTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if strings.HasSuffix(host, ".localhost") {
				address = net.JoinHostPort("127.0.0.1", port)
			}
			return dialer.DialContext(ctx, network, address)
		},
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConns:        10,
		IdleConnTimeout:     time.Minute,
	}
}
