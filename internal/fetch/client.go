package fetch

import (
	"fmt"
	"io"
	"net/http"
)

// Client is the Fetcher for a library that wants an *http.Client: the same
// addresses, bounds and deadline, and no redirects. Its errors are *Error, and so is
// what reading a body ends with that is too long or does not come.
func (f *Fetcher) Client() *http.Client {
	return &http.Client{Timeout: f.timeout, CheckRedirect: f.secure.CheckRedirect, Transport: roundTripper{f}}
}

type roundTripper struct{ f *Fetcher }

// RoundTrip implements http.RoundTripper.
func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	target := req.URL.String()
	if err := Check(target); err != nil {
		return nil, err
	}
	client := t.f.secure
	if req.URL.Scheme == "http" {
		client = t.f.plain
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", "idp")
	res, err := client.Transport.RoundTrip(req)
	if err != nil {
		return nil, fail(target, t.f.why(err), err)
	}
	res.Body = &bounded{ReadCloser: res.Body, f: t.f, target: target, left: t.f.MaxBytes}
	return res, nil
}

// bounded is a body that fails when it is too long.
type bounded struct {
	io.ReadCloser
	f      *Fetcher
	target string
	left   int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if n > b.left {
		return 0, fail(b.target, fmt.Sprintf("the answer is longer than %d bytes", b.f.MaxBytes), nil)
	}
	b.left -= n
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader's EOF is never wrapped
		err = fail(b.target, b.f.why(err), err)
	}
	return n, err
}
