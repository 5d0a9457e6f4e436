package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"idp/internal/fetch"
	"idp/internal/reason"
)

const (
	freshFor = 10 * time.Minute // what was learned is used without asking again
	staleFor = 24 * time.Hour   // and while asking fails
	pause    = 10 * time.Second // after a failure nobody asks
)

// metadata is what we read of a discovery document (OIDC Discovery §3).
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Userinfo      string   `json:"userinfo_endpoint"`
	JWKS          string   `json:"jwks_uri"`
	EndSession    string   `json:"end_session_endpoint"`
	SigningAlgs   []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	SendsIss      bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
}

// about keeps an upstream's discovery document. It is asked for when somebody wants to
// go there, by one at a time, and for some seconds after a failure by nobody.
type about struct {
	issuer string
	get    func(ctx context.Context, url string) ([]byte, error)
	now    func() time.Time
	flight singleflight.Group

	mu      sync.Mutex
	last    *metadata // nil: none yet
	fetched time.Time
	failed  time.Time
	err     error // of the last try; nil: it did not fail
}

// metadata is the document. The error is a *reason.Error.
func (a *about) metadata(ctx context.Context) (*metadata, error) {
	if m, err, known := a.known(); known {
		return m, err
	}
	done := a.flight.DoChan("", func() (any, error) { return a.renew(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-done:
		if got.Err != nil {
			return nil, got.Err
		}
		return got.Val.(*metadata), nil //nolint:forcetypeassert // as renew makes it
	}
}

// known is what needs no asking now: a fresh document, or that a moment ago there was
// no answer, and then an older document if there is one.
func (a *about) known() (m *metadata, err error, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	usable := a.last != nil && now.Sub(a.fetched) < staleFor
	switch {
	case a.last != nil && now.Sub(a.fetched) < freshFor:
		return a.last, nil, true
	case a.err == nil || now.Sub(a.failed) >= pause:
		return nil, nil, false
	case usable:
		return a.last, nil, true
	}
	return nil, a.err, true
}

func (a *about) renew(ctx context.Context) (*metadata, error) {
	m, err := a.ask(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.last, a.fetched, a.err = m, a.now(), nil
		return m, nil
	}
	a.failed, a.err = a.now(), err
	if a.last != nil && a.now().Sub(a.fetched) < staleFor {
		return a.last, nil
	}
	return nil, err
}

// ask gets the document (OIDC Discovery §4).
func (a *about) ask(ctx context.Context) (*metadata, error) {
	body, err := a.get(ctx, strings.TrimSuffix(a.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, down("discovery", err)
	}
	m := &metadata{}
	if err := json.Unmarshal(body, m); err != nil {
		return nil, invalid("discovery: the document is no JSON, or has a member of another type")
	}
	return m, a.check(m)
}

// check: §4.3, the issuer is the very one that was asked, for else one upstream could
// answer for another; and every endpoint is a URL that may be asked.
func (a *about) check(m *metadata) error {
	if m.Issuer != a.issuer {
		return invalid(fmt.Sprintf("discovery: its issuer is %q, and the configuration has %q", reason.Short(m.Issuer), a.issuer))
	}
	for name, endpoint := range map[string]string{"authorization_endpoint": m.Authorization, "token_endpoint": m.Token, "jwks_uri": m.JWKS} {
		if err := a.endpoint(endpoint); err != nil {
			return invalid("discovery: " + name + ": " + err.Error())
		}
	}
	for _, optional := range []*string{&m.Userinfo, &m.EndSession} {
		if a.endpoint(*optional) != nil {
			*optional = ""
		}
	}
	return nil
}

// endpoint: plain http is for upstreams whose own issuer is that.
func (a *about) endpoint(text string) error {
	if err := fetch.Check(text); err != nil {
		return err
	}
	if u, err := url.Parse(text); err != nil || (u.Scheme != "https" && !strings.HasPrefix(a.issuer, "http:")) {
		return fmt.Errorf("want an https URL")
	}
	return nil
}

// down: it could not be asked. The cause says where and why, and nothing of an answer.
func down(what string, err error) *reason.Error {
	return &reason.Error{Reason: reason.UpstreamDown, Detail: what, Err: err}
}

// invalid: it answered what cannot be believed.
func invalid(detail string) *reason.Error { return reason.Refuse(reason.UpstreamInvalid, detail) }
