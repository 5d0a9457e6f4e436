package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Error says in one line why a URL gave nothing. It holds nothing of an answer but
// its status.
type Error struct {
	URL    string // without query; empty when it is unfit to be shown
	Reason string // for an administrator
	Err    error  // nil when there was an answer
}

func (e *Error) Error() string {
	if e.URL == "" {
		return e.Reason
	}
	return e.URL + ": " + e.Reason
}

func (e *Error) Unwrap() error { return e.Err }

func fail(url, reason string, err error) *Error {
	url, _, _ = strings.Cut(url, "?")
	return &Error{URL: url, Reason: reason, Err: err}
}

func answered(status int) string {
	if status >= 300 && status < 400 {
		return fmt.Sprintf("answered %d: redirects are not followed", status)
	}
	return "answered " + strconv.Itoa(status)
}

// why finds the cause in an error of net/http. Its own text may quote the answer,
// so what is not known gets a text of ours.
func (f *Fetcher) why(err error) string {
	var (
		no     refused
		dns    *net.DNSError
		cert   *tls.CertificateVerificationError
		host   x509.HostnameError
		record tls.RecordHeaderError
		op     *net.OpError
		late   net.Error
	)
	switch {
	case errors.As(err, &no):
		return no.Error()
	case errors.Is(err, context.Canceled):
		return "given up"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return fmt.Sprintf("no complete answer within %s", f.timeout)
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the name is not known"
	case errors.As(err, &dns):
		return "the name cannot be resolved now"
	case errors.As(err, &host):
		return "the certificate is for another name"
	case errors.As(err, &cert):
		return "the certificate is not trusted: " + certificate(cert.Err)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS"
	case errors.As(err, &op) && op.Op == "remote error": // an alert, whose texts are Go's
		return "the server refuses our TLS 1.2 or 1.3: " + op.Err.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no route to it"
	}
	return "the connection broke, or the answer is not HTTP"
}

// certificate says what is wrong with one, without the names in it.
func certificate(err error) string {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		return "nobody we trust signed it"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or is not valid yet"
	}
	return "it is not valid"
}
